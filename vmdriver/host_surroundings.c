/* What is around QEMU: its interface and its control group. Made by the aide, told to libvirt and the guest. */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VHOST_DEVICE "/dev/vhost-net"

/* Of QEMU's own carrier, fixed. */
#define USER_ADDRESS "10.0.2.15"
#define USER_WORDS   " BENCH_ADDRESS=10.0.2.15/24 BENCH_GATEWAY=10.0.2.2"

/* ---- all machines ---- */

static int check_uri(const struct vm_host *host, const char *what, struct error *err)
{
	if (connection_uri_is_embed(host->facts.uri))
		return 0;
	error_set(err, ENOTSUP, "%s cannot be had through %s", what, host->facts.uri);
	return error_hint(err, "use qemu:///embed, the default");
}

static int check_options(const struct vm_host *host, const struct vm_options *o, struct error *err)
{
	int rc = o->network == VM_NETWORK_BRIDGE ? check_uri(host, "a bridge", err) : 0;

	if (rc == 0 && o->cgroup_name)
		rc = check_uri(host, "a control group of ours", err);
	if (rc == 0 && o->balloon_bytes > o->memory_bytes)
		rc = error_set(err, EINVAL, "a balloon cannot leave a guest more memory than it is started with");
	if (rc == 0 && !o->cgroup_name && (o->cpu_percent || o->cpu_weight || o->overhead_bytes))
		rc = error_set(err, EINVAL, "limits of CPU time or QEMU's memory need a control group");
	return rc;
}

static struct cgroup_limits limits_of(const struct vm_options *o)
{
	struct cgroup_limits limits = {.cpu_percent = o->cpu_percent, .cpu_weight = o->cpu_weight > 0 ? o->cpu_weight : 100};

	if (o->overhead_bytes > 0)
		limits.memory_bytes = o->memory_bytes + o->overhead_bytes;
	return limits;
}

int host_open_aide(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	struct cgroup_limits limits = limits_of(o);
	const struct aide_options options = {
		.link = o->network == VM_NETWORK_BRIDGE,
		.bridge = o->bridge,
		.uid = geteuid(),
		.cgroup_name = o->cgroup_name,
		.cgroup_required = o->cgroup_required,
		.limits = &limits,
		.journal = o->journal,
	};
	int rc = check_options(host, o, err);

	if (rc < 0 || (!options.link && !options.cgroup_name))
		return rc;
	rc = aide_open(&options, &host->aide, err);
	if (rc < 0)
		return rc;

	const struct aide_facts *found = aide_facts(host->aide);

	if (found->groups) {
		snprintf(host->facts.cgroup, sizeof(host->facts.cgroup), "%s", found->cgroup);
		snprintf(host->facts.limits, sizeof(host->facts.limits), "%s", found->limits);
	}
	snprintf(host->facts.cgroup_note, sizeof(host->facts.cgroup_note), "%s", found->note);
	return 0;
}

void host_set_network(struct vm_host *host, const struct vm_options *o)
{
	struct domain_link *link = &host->domain.link;
	bool vhost = access(VHOST_DEVICE, R_OK | W_OK) == 0;
	char *fact = host->facts.network;
	size_t size = sizeof(host->facts.network);

	host->balloon_bytes = o->balloon_bytes;
	host->domain.balloon = o->balloon_bytes > 0;
	switch (o->network) {
	case VM_NETWORK_BRIDGE:
		*link = (struct domain_link){.kind = DOMAIN_LINK_TAP, .tap = "bench0", .vhost = vhost};
		snprintf(fact, size, "%s, virtio-net, %s", aide_facts(host->aide)->network,
			 vhost ? "vhost" : "packets copied by QEMU (no " VHOST_DEVICE ")");
		break;
	case VM_NETWORK_USER:
		*link = (struct domain_link){.kind = DOMAIN_LINK_USER};
		snprintf(fact, size, "eth0, virtio-net, carried by QEMU itself (slirp)");
		break;
	default:
		snprintf(fact, size, "none");
	}
}

/* ---- one machine ---- */

static const char *id_of(const struct vm *vm)
{
	return vm->name + strlen("bench-");
}

/* What the guest's init is told: the kernel hands on what it does not know as environment. */
static int tell_guest(struct vm *vm, const char *words, struct domain_config *config, struct error *err)
{
	int length = snprintf(vm->command_line, sizeof(vm->command_line), "%s%s", config->cmdline, words);

	if (length < 0 || (size_t)length >= sizeof(vm->command_line))
		return error_set(err, E2BIG, "the guest's kernel command line is longer than %zu characters", sizeof(vm->command_line) - 1);
	config->cmdline = vm->command_line;
	return 0;
}

static int plug_tap(struct vm *vm, const struct network_link *link, struct domain_config *config, struct error *err)
{
	const unsigned char *m = link->mac;
	char words[96];

	snprintf(vm->tap, sizeof(vm->tap), "%s", link->host_name);
	snprintf(vm->mac, sizeof(vm->mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	snprintf(vm->view.address, sizeof(vm->view.address), "%s", link->address);
	config->link.tap = vm->tap;
	config->link.mac = vm->mac;
	snprintf(words, sizeof(words), " BENCH_ADDRESS=%s/%d BENCH_GATEWAY=%s", link->address, link->prefix, link->gateway);
	return tell_guest(vm, words, config, err);
}

int host_prepare_surroundings(struct vm *vm, struct domain_config *config, struct error *err)
{
	struct network_link link = NETWORK_LINK_NONE;
	int rc = vm->host->aide ? aide_prepare(vm->host->aide, id_of(vm), &link, err) : 0;

	if (rc < 0)
		return rc;
	if (config->link.kind == DOMAIN_LINK_USER) {
		snprintf(vm->view.address, sizeof(vm->view.address), USER_ADDRESS);
		return tell_guest(vm, USER_WORDS, config, err);
	}
	return config->link.kind == DOMAIN_LINK_TAP ? plug_tap(vm, &link, config, err) : 0;
}

int host_admit(struct vm *vm, pid_t pid, struct error *err)
{
	_Static_assert(sizeof(vm->view.memory_dir) == CGROUP_PATH_MAX, "room for a group's folder");

	return vm->host->aide ? aide_admit(vm->host->aide, id_of(vm), pid, vm->view.memory_dir, err) : 0;
}

int host_release_surroundings(struct vm *vm, struct error *err)
{
	return vm->host->aide ? aide_release(vm->host->aide, id_of(vm), err) : 0;
}
