#include "vm_options.h"
#include "vm_ready.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>
#include <cgroup/cgroup.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <vmdriver/arch.h>

const struct driver_option vm_options_table[] = {
	{"kind", "q35|microvm|restore|os|os-firmware|aarch64|container",
	 "what is booted, and how; vm:microvm is short for vm:kind=microvm (default: q35)"},
	{"arch", "x86_64|aarch64",
	 "architecture of the guest; another than the host's is emulated, TCG (default: the host's; kind aarch64: that)"},
	{"machine", "q35|microvm|virt", "type of machine (default: the kind's, else q35; of aarch64: virt)"},
	{"memory", "SIZE", "memory of the guest, of its container with kind container (default: the run's limit; os, os-firmware: 512M)"},
	{"kernel", "FILE",
	 "Linux kernel of the guest (default: the host's own, else a distribution's, downloaded; os: the one installed in it)"},
	{"append", "TEXT", "more kernel command line; what it changes is named in the result (default: none)"},
	{"connect", "URI", "libvirt: qemu:///system, qemu:///session, qemu+ssh://HOST/system (default: qemu:///embed, no daemon)"},
	{"pool", "NAME", "of another host: the storage pool that takes kernel and initramfs (default: default)"},
	{"accel", "auto|kvm|tcg", "accelerator (default: auto, KVM when a boot proves it, else TCG with the reason)"},
	{"restore", "on|off", "boot one machine, save its state, and start all others from that (default: off; kind restore: on)"},
	{"shared", "on|off",
	 "of kind container: one machine runs, and a start is a container in it (default off, each has a machine of its own)"},
	{"guest-memory", "SIZE",
	 "of kind container: memory of the guest around it (default: the container's limit and 128M, at least 256M)"},
	{"trace", "on|off", "let QEMU stamp when the vCPUs run and when the kernel begins (default: on)"},
	{"net", "none|user|bridge", "no interface; QEMU's own carrier; eth0 by a tap on a bridge (default none)"},
	{"bridge", "NAME", "of net=bridge: one that other runs share (default: one of its own)"},
	{"vcpus", "N", "processors of the guest (default: the run's limit)"},
	{"cgroup", "auto|on|off", "a control group for QEMU; auto: where permitted and a limit needs one, on: or fail (default auto)"},
	{"cpu", "PERCENT", "of one CPU, for all threads of QEMU: 200 is two CPUs (default: not limited but by vcpus)"},
	{"cpu-weight", "N", "of QEMU against others, 1 to 10,000 (default 100)"},
	{"balloon", "SIZE", "a balloon takes memory from the guest until it has this (default: no balloon)"},
	{"overhead", "SIZE", "QEMU's memory is limited to the guest's and this (default: counted where there is a group, not limited)"},
	{"kernel_form", "auto|bzimage|vmlinux",
	 "packed as distributions ship it, or unpacked by the host (default: auto, what starts faster)"},
	{"tune", "off|start|all",
	 "what the guest's kernel leaves out: nothing; self-tests of ciphers and patching for one processor; its protections, too (default "
	 "start; os, os-firmware: off)"},
	{"modules", "NAMES",
	 "more modules of the guest's kernel, separated by blanks; none: no modules at all (default: what its devices need)"},
	{"root", "program|initramfs|ext4|squashfs|erofs|virtiofs|9p",
	 "root file system of the agent: itself alone, or rootfs or image, in the initramfs, on a disk, or shared by the host (default "
	 "program)"},
	{"rootfs", "FOLDER", "what the root file system is made from; kept in the cache until the folder changes"},
	{"image", "NAME", "the same, from an image that was imported for containers"},
	{"root-writes", "off|memory", "a root on a disk or shared is read-only, or under an overlay in the guest's memory (default off)"},
	{"disk", "SIZE", "an empty disk, sparse, a file in the run's folder (default: none)"},
	{"cache", "none|writeback", "of that disk: past the host's page cache, or through it (default writeback)"},
	{"read_bps", "SIZE", "each disk: bytes read per second (default: not limited)"},
	{"write_bps", "SIZE", "each disk: bytes written per second (default: not limited)"},
	{"read_iops", "N", "each disk: reads per second (default: not limited)"},
	{"write_iops", "N", "each disk: writes per second (default: not limited)"},
	{NULL, NULL, NULL},
};

/* Kinds of machines people compare: each is a set of defaults, which other options may change. */
static const struct kind {
	const char *arch, *machine; /* NULL: the host's, and what it has first */
	bool restore;
	enum vm_os os;
	int64_t memory_bytes; /* 0: the run's limit */
	bool container;
} kinds[] = {
	{"x86_64", "q35", false, VM_OS_NONE, 0, false},
	{"x86_64", "microvm", false, VM_OS_NONE, 0, false},
	{NULL, NULL, true, VM_OS_NONE, 0, false},
	{NULL, NULL, false, VM_OS_DIRECT, INT64_C(512) << 20, false},
	{NULL, NULL, false, VM_OS_FIRMWARE, INT64_C(512) << 20, false},
	{"aarch64", "virt", false, VM_OS_NONE, 0, false},
	{NULL, NULL, false, VM_OS_NONE, 0, true},
};

const char *const vm_kinds[] = {"q35", "microvm", "restore", "os", "os-firmware", "aarch64", "container", NULL};
_Static_assert(sizeof(vm_kinds) / sizeof(vm_kinds[0]) == sizeof(kinds) / sizeof(kinds[0]) + 1, "one name a kind");

/* Without a kind: a machine of the host's own. */
static const struct kind plain = {NULL, NULL, false, VM_OS_NONE, 0, false};

static int find_kind(const struct driver_spec *spec, const struct kind **ret, struct error *err)
{
	const char *name = driver_option(spec, "kind", NULL);
	char known[120] = "";

	*ret = &plain;
	if (!name)
		return 0;

	for (size_t i = 0; vm_kinds[i]; i++) {
		size_t used = strlen(known);

		if (strcmp(vm_kinds[i], name) == 0) {
			*ret = &kinds[i];
			return 0;
		}
		snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", vm_kinds[i]);
	}
	error_set(err, EINVAL, "kind of virtual machine '%s' is not known", name);
	return error_hint(err, "kinds: %s", known);
}

static int parse_accel(const char *text, enum vm_accel_wish *ret, struct error *err)
{
	for (int wish = 0; wish < VM_ACCEL_WISH_COUNT; wish++)
		if (strcmp(text, vm_accel_wish_names[wish]) == 0) {
			*ret = wish;
			return 0;
		}
	error_set(err, EINVAL, "accelerator '%s' is not known", text);
	return error_hint(err, "use auto, kvm or tcg");
}

static int parse_switch(const struct driver_spec *spec, const char *key, bool fallback, bool *ret, struct error *err)
{
	const char *text = driver_option(spec, key, fallback ? "on" : "off");

	*ret = strcmp(text, "on") == 0;
	return *ret || strcmp(text, "off") == 0 ? 0 : error_set(err, EINVAL, "option %s: '%s' is neither on nor off", key, text);
}

static int find_word(const char *option, const char *text, const char *const *names, size_t count, const char *expected, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, names[i]) == 0)
			return (int)i;
	return error_set(err, EINVAL, "option %s=%.60s: expected %s", option, text, expected);
}

static int read_network(const struct driver_spec *spec, struct vm_options *ret, struct error *err)
{
	int at = find_word("net", driver_option(spec, "net", "none"), vm_network_names, VM_NETWORK_COUNT, "none, user or bridge", err);

	if (at < 0)
		return at;
	ret->network = (enum vm_network)at;
	ret->bridge = driver_option(spec, "bridge", NULL);
	if (ret->bridge && ret->network != VM_NETWORK_BRIDGE)
		return error_set(err, EINVAL, "option bridge needs net=bridge");
	return 0;
}

static int read_boot(const struct driver_spec *spec, struct vm_options *ret, struct error *err)
{
	int at = find_word("kernel_form", driver_option(spec, "kernel_form", "auto"), vm_kernel_names, VM_KERNEL_COUNT,
			   "auto, bzimage or vmlinux", err);

	if (at < 0)
		return at;
	ret->kernel_form = (enum vm_kernel_form)at;
	at = find_word("tune", driver_option(spec, "tune", vm_tune_names[ret->tune]), vm_tune_names, VM_TUNE_COUNT, "off, start or all",
		       err);
	if (at < 0)
		return at;
	ret->tune = (enum vm_tune)at;
	return 0;
}

static int read_number(const struct driver_spec *spec, const char *option, int64_t max, int *ret, struct error *err)
{
	const char *text = driver_option(spec, option, NULL);
	char what[32];
	int64_t value;

	if (!text)
		return 0;
	snprintf(what, sizeof(what), "option %s", option);
	int rc = parse_integer(what, text, 1, max, &value, err);
	if (rc == 0)
		*ret = (int)value;
	return rc;
}

/* `name` (64 characters) keeps the text that the result points to. */
static int read_limits(const struct driver_config *config, char *name, struct vm_options *ret, struct error *err)
{
	static const char *const words[] = {"auto", "on", "off"};
	const struct driver_spec *spec = config->spec;
	const char *overhead = driver_option(spec, "overhead", NULL);
	int choice = find_word("cgroup", driver_option(spec, "cgroup", "auto"), words, 3, "auto, on or off", err);
	int rc = choice < 0 ? choice : read_number(spec, "vcpus", 512, &ret->vcpus, err);

	if (rc == 0)
		rc = read_number(spec, "cpu", 100 * 512, &ret->cpu_percent, err);
	if (rc == 0)
		rc = read_number(spec, "cpu-weight", 10000, &ret->cpu_weight, err);
	if (rc == 0 && overhead && (rc = parse_bytes(overhead, &ret->overhead_bytes, err)) < 0)
		error_prefix(err, "option overhead");
	const char *balloon = driver_option(spec, "balloon", NULL);
	if (rc == 0 && balloon && (rc = parse_bytes(balloon, &ret->balloon_bytes, err)) < 0)
		error_prefix(err, "option balloon");
	if (rc < 0)
		return rc;
	bool limited = ret->cpu_percent || ret->cpu_weight || ret->overhead_bytes;
	if (choice == 2 && limited)
		return error_set(err, EINVAL, "options cpu, cpu-weight and overhead need a control group, and cgroup=off says none");
	ret->cgroup_required = choice == 1;
	if (choice == 1 || (choice == 0 && limited))
		ret->cgroup_name = cgroup_run_name(ret->run_dir, name, 64);
	return 0;
}

/* The agent for another architecture lies beside that of the host's, built by a cross compiler where there was one. */
static int find_agent(const struct driver_config *config, struct vm_texts *texts, struct vm_options *ret, struct error *err)
{
	const struct arch *arch;
	int rc = arch_find(ret->arch, &arch, err);

	if (rc < 0 || arch_is_host(arch))
		return rc;
	rc = path_format(texts->agent, sizeof(texts->agent), err, "%s-%s", config->agent_path ? config->agent_path : "", arch->name);
	if (rc == 0 && access(texts->agent, R_OK) < 0) {
		error_errno(err, "the agent for guests of %s, %s", arch->name, texts->agent);
		if (strcmp(arch->name, "aarch64") != 0)
			return error_hint(err, "build bench on a host of %s, and put its bench-agent there", arch->name);
		return error_hint(err, "apt install gcc-aarch64-linux-gnu libc6-dev-arm64-cross, and build bench anew (cmake --build)");
	}
	ret->init_path = texts->agent;
	return rc;
}

/* After the options memory, which is the container's, and vcpus. */
static int read_container(const struct driver_config *config, bool wanted, struct vm_container *container, struct vm_options *ret,
			  struct error *err)
{
	const char *guest_memory = driver_option(config->spec, "guest-memory", NULL);
	int rc = parse_switch(config->spec, "shared", false, &container->shared, err);

	if (rc == 0 && !wanted && (container->shared || guest_memory))
		return error_set(err, EINVAL, "options shared and guest-memory are for machines that run containers: vm:container");
	if (rc == 0 && guest_memory && (rc = parse_bytes(guest_memory, &container->guest_bytes, err)) < 0)
		error_prefix(err, "option guest-memory");
	if (rc == 0 && wanted && ret->arch && (!arch_host() || strcmp(ret->arch, arch_host()->name) != 0))
		return error_set(err, ENOTSUP, "kind container: the runtime in the guest is built for this host's architecture alone");
	return rc == 0 && wanted ? vm_container_read(config, container, ret, err) : rc;
}

int vm_options_read(const struct driver_config *config, struct vm_texts *texts, struct vm_disk_source *source,
		    struct vm_container *container, struct vm_options *ret, struct error *err)
{
	const struct driver_spec *spec = config->spec;
	const char *memory = driver_option(spec, "memory", NULL);
	const struct kind *kind = &plain;
	int rc = find_kind(spec, &kind, err);

	if (rc < 0)
		return rc;

	*ret = (struct vm_options){
		.uri = driver_option(spec, "connect", NULL),
		.arch = driver_option(spec, "arch", kind->arch),
		.pool = driver_option(spec, "pool", NULL),
		.machine = driver_option(spec, "machine", kind->machine),
		.kernel = driver_option(spec, "kernel", NULL),
		.append = driver_option(spec, "append", NULL),
		.init_path = config->agent_path,
		.run_dir = config->run_dir ? config->run_dir : "",
		.cache_dir = config->cache_dir ? config->cache_dir : "",
		.cpuset = config->cpuset,
		.memory_bytes = config->memory_bytes > 0 ? config->memory_bytes : INT64_C(256) << 20,
		.vcpus = config->vcpus > 0 ? config->vcpus : 1,
		.note = config->note,
		.note_arg = config->note_arg,
		.ready = vm_ready,
		.trace_process = config->record_steps,
		.journal = config->journal,
		.os = kind->os,
		/* A complete system starts as its distribution starts it. */
		.tune = kind->os == VM_OS_NONE ? VM_TUNE_START : VM_TUNE_OFF,
		.modules = driver_option(spec, "modules", NULL),
	};
	if (kind->memory_bytes > ret->memory_bytes)
		ret->memory_bytes = kind->memory_bytes;
	rc = parse_switch(spec, "restore", kind->restore, &ret->restore, err);
	if (rc == 0)
		rc = parse_switch(spec, "trace", true, &ret->trace_guest, err);
	if (rc < 0)
		return rc;
	if (memory) {
		rc = parse_bytes(memory, &ret->memory_bytes, err);

		if (rc < 0)
			return error_prefix(err, "option memory");
	}
	rc = read_network(spec, ret, err);
	if (rc == 0)
		rc = read_boot(spec, ret, err);
	if (rc == 0)
		rc = read_limits(config, texts->cgroup, ret, err);
	if (rc == 0)
		rc = read_container(config, kind->container, container, ret, err);
	if (rc == 0)
		rc = vm_disk_read(spec, source, ret, err);
	if (rc == 0)
		rc = parse_accel(driver_option(spec, "accel", "auto"), &ret->accel, err);
	return rc < 0 ? rc : find_agent(config, texts, ret, err);
}
