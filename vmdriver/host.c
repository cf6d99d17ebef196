/* What all machines of a run share: kernel, initramfs, connection, accelerator. Opened once, closed once. */
#include "host.h"

#include "account.h"
#include "connection_try.h"
#include "virt_error.h"

#include <base/files.h>
#include <base/journal.h>
#include <base/process.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct vm_facts *vm_host_facts(const struct vm_host *host)
{
	return &host->facts;
}

/* ---- options ---- */

static int check_arch(const struct vm_options *o, struct error *err)
{
	const struct arch *arch;
	const char *machine;
	int rc = arch_find(o->arch, &arch, err);

	if (rc == 0)
		rc = arch_machine(arch, o->machine, &machine, err);
	if (rc == 0 && !arch_is_host(arch) && o->accel == VM_ACCEL_KVM) {
		error_set(err, ENOTSUP, "KVM was asked for, and runs guests of the host's own architecture alone: this one is %s",
			  arch->name);
		return error_hint(err, "leave accel out: another architecture is emulated (TCG)");
	}
	if (rc == 0 && strcmp(arch->name, "x86_64") != 0 && o->kernel_form != VM_KERNEL_AUTO) {
		error_set(err, EINVAL, "kernel_form is a choice of x86_64 alone: a kernel of %s has one form", arch->name);
		return error_hint(err, "leave kernel_form out");
	}
	return rc;
}

int host_check_options(const struct vm_options *o, struct error *err)
{
	int rc = check_arch(o, err);

	if (rc < 0)
		return rc;
	if (strlen(o->run_dir) > VM_RUN_DIR_MAX) {
		error_set(err, ENAMETOOLONG, "run folder %s: longer than %d characters, sockets would not fit below it", o->run_dir,
			  VM_RUN_DIR_MAX);
		return error_hint(err, "choose a shorter one, as /run/bench or /tmp");
	}
	if (o->uri && strncmp(o->uri, "test:", 5) == 0) {
		error_set(err, ENOTSUP, "'%s': its machines are a pretence, and nothing starts", o->uri);
		return error_hint(err, "use " VM_URI_EMBED);
	}
	if (o->memory_bytes < (4 << 20) || o->vcpus < 1)
		return error_set(err, EINVAL, "a machine needs memory and at least one CPU");
	if (o->restore && o->network == VM_NETWORK_BRIDGE)
		return error_set(err, ENOTSUP,
				 "a restored machine has the interface of the one that was saved: not two of them on a bridge");
	if (o->restore && o->uri && !connection_uri_is_embed(o->uri)) {
		error_set(err, ENOTSUP, "'%s': a machine that a daemon ends with its client cannot be saved", o->uri);
		return error_hint(err, "use " VM_URI_EMBED);
	}
	if (o->runtime_path && (o->os != VM_OS_NONE || o->restore || o->root != VM_ROOT_PROGRAM || o->network != VM_NETWORK_NONE))
		return error_set(err, ENOTSUP, "a machine for containers is booted, has no interface, and no root file system but its own");
	if (o->restore && o->os != VM_OS_NONE)
		return error_set(err, ENOTSUP, "a complete system cannot be restored: its disk has gone on meanwhile");
	if (o->uri && strlen(o->uri) >= sizeof(((struct vm_facts *)0)->uri))
		return error_set(err, ENAMETOOLONG, "libvirt's URI: longer than %zu characters", sizeof(((struct vm_facts *)0)->uri) - 1);
	rc = connection_check_uri(o->uri ? o->uri : VM_URI_EMBED, err);

	if (rc == 0)
		rc = host_check_daemon(o, err);
	if (rc == 0)
		rc = host_check_os(o, err);
	if (rc == 0)
		rc = host_check_disks(o, err);
	return rc < 0 ? rc : host_check_share(o, err);
}

/* ---- files ---- */

static int prepare_files(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	int rc = path_format(host->dir, sizeof(host->dir), err, "%s/vm", o->run_dir);

	/* What an earlier process with this run folder may have left, had it been killed. */
	if (rc == 0)
		rc = dir_remove(host->dir, err);
	if (rc == 0)
		rc = dir_make(host->dir, 0700, err);
	if (rc == 0 && o->os)
		rc = host_prepare_os(host, o, err);
	if (rc == 0)
		rc = host_prepare_kernel(host, o, err);
	if (rc == 0)
		rc = path_format(host->initramfs, sizeof(host->initramfs), err, "%s/initramfs", host->dir);
	if (rc == 0)
		rc = host_write_initramfs(host, o, err);
	if (rc == 0)
		rc = host_prepare_disks(host, o, err);
	return rc < 0 ? rc : host_prepare_share(host, o, err);
}

void host_end_processes(const char *dir)
{
	static const char *const names[] = {"qemu", VM_SHARE_PROGRAM};
	char path[PATH_MAX], programs[PATH_MAX];
	struct journal *journal;

	if (path_format(path, sizeof(path), NULL, "%s.end", dir) < 0 || journal_open(path, &journal, NULL) < 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (path_format(programs, sizeof(programs), NULL, "%s %s", names[i], dir) == 0)
			journal_add(journal, JOURNAL_PROCESSES, programs, NULL);
	journal_close(journal);
	journal_undo(path, NULL, NULL, NULL);
	unlink(path);
}

/* ---- the end of machines ---- */

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *arg)
{
	struct vm_host *host = arg;
	const char *name = virDomainGetName(domain);

	if (event != VIR_DOMAIN_EVENT_STOPPED || !name)
		return 0;
	pthread_mutex_lock(&host->mutex);
	for (struct vm *vm = host->vms; vm; vm = vm->next)
		if (strcmp(vm->name, name) == 0)
			vm->ended = detail;
	pthread_cond_broadcast(&host->changed);
	pthread_mutex_unlock(&host->mutex);
	return 0;
}

int host_watch(struct vm_host *host, struct error *err)
{
	host->event_id = virConnectDomainEventRegisterAny(connection_handle(host->connection), NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
							  VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), host, NULL);
	return host->event_id < 0 ? virt_error(err, "watch machines") : 0;
}

/* ---- the description that all machines share ---- */

int host_set_domain(struct vm_host *host, const struct vm_options *o, bool kvm, struct error *err)
{
	struct domain_config *d = &host->domain;
	char *line = host->facts.command_line;
	uint64_t khz = kvm || host->facts.remote ? 0 : host_tsc_khz();
	int rc = o->os ? host_os_command_line(o, !kvm, khz, line, sizeof(host->facts.command_line), err)
		       : host_command_line(host->arch, host->facts.machine, !kvm, khz, o->tune, o->append, line,
					   sizeof(host->facts.command_line), err);

	if (rc == 0 && host->facts.remote)
		rc = host_tell_channel(line, sizeof(host->facts.command_line), err);
	if (rc < 0)
		return rc;
	host->facts.accelerator = kvm ? "kvm" : "tcg";
	d->type = strncmp(host->facts.uri, "test", 4) == 0 ? "test" : kvm ? "kvm" : "qemu";
	d->machine = strcmp(d->type, "test") == 0 ? NULL : host->facts.machine;
	d->arch = host->arch->name;
	d->host_cpu = kvm;
	d->cpu_model = kvm ? NULL : host->arch->cpu_model;
	d->cpu_feature = kvm ? NULL : host->arch->cpu_feature;
	d->cmdline = line;
	if (!o->os)
		rc = host_tell_root(o, line, sizeof(host->facts.command_line), err);
	if (rc == 0 && o->runtime_path)
		rc = host_tell_runtime(o, line, sizeof(host->facts.command_line), err);
	if (rc < 0)
		return rc;
	if (o->os == VM_OS_DIRECT)
		d->initrd = host->os_initrd;
	else if (o->os == VM_OS_FIRMWARE)
		d->kernel = d->initrd = d->cmdline = NULL;
	return 0;
}

/* The word after `option` in QEMU's arguments, up to the first of `ends`: "-machine pc-q35-7.2,usb=off" gives "pc-q35-7.2". */
static void argument_of(const char *arguments, const char *option, const char *ends, char *ret, size_t size)
{
	const char *at = strstr(arguments, option);

	if (!at)
		return;
	at += strlen(option);
	at += strspn(at, " '");
	snprintf(ret, size, "%.*s", (int)strcspn(at, ends), at);
}

/* What libvirt makes of our words is what QEMU gets, and what a result should say. */
static void note_arguments(struct vm_host *host, const char *arguments)
{
	struct vm_facts *f = &host->facts;

	snprintf(f->machine_full, sizeof(f->machine_full), "%s", f->machine);
	argument_of(arguments, " -machine ", ",' \n\\", f->machine_full, sizeof(f->machine_full));
	snprintf(f->cpu_model, sizeof(f->cpu_model), "QEMU's default");
	if (host->domain.host_cpu)
		snprintf(f->cpu_model, sizeof(f->cpu_model), "host-passthrough");
	else
		argument_of(arguments, " -cpu ", "' \n\\", f->cpu_model, sizeof(f->cpu_model));
}

/* Lets libvirt turn the description into QEMU's arguments without starting anything: a refusal comes here, as one error before the run, and
 * libvirt's look at QEMU (seconds, once) happens outside any measurement. */
static int validate(struct vm_host *host, struct error *err)
{
	struct domain_config config = host->domain;
	_cleanup_free_ char *xml = NULL;

	config.name = "bench-validate";
	/* For a look at the arguments libvirt turns every interface into one for which it makes a tap, without the address on a bus. */
	config.link = (struct domain_link){.kind = DOMAIN_LINK_NONE};
	/* What each machine will have of its own. */
	for (size_t i = 0; i < config.n_disks; i++)
		if (!config.disks[i].path)
			config.disks[i].path = host->initramfs;
	if (config.share.kind == DOMAIN_SHARE_VIRTIOFS)
		config.share.socket = "/nowhere";
	config.serials[0] = config.serials[1] = "/nowhere";
	config.n_serials = config.channel ? 0 : 2;

	int rc = domain_xml(&config, &xml, err);

	if (rc < 0)
		return rc;

	_cleanup_free_ char *arguments = virConnectDomainXMLToNative(connection_handle(host->connection), "qemu-argv", xml, 0);

	if (arguments) {
		note_arguments(host, arguments);
		return 0;
	}
	rc = virt_error(err, "libvirt refuses a machine of type %s under %s", host->facts.machine, host->facts.accelerator);
	if (strcmp(host->facts.machine, "microvm") == 0)
		error_hint(err, "not every QEMU has microvm (Red Hat's does not): use machine=q35");
	return rc;
}

int host_settle_description(struct vm_host *host, struct error *err)
{
	if (strcmp(host->domain.type, "test") == 0)
		return 0;
	/* A libvirt that does not know the capability refuses to drop it. */
	host->domain.few_capabilities = true;
	if (validate(host, NULL) == 0)
		return 0;
	host->domain.few_capabilities = false;
	return validate(host, err);
}

/* ---- open, close ---- */

static void format_version(unsigned long version, char *ret, size_t size)
{
	snprintf(ret, size, "%lu.%lu.%lu", version / 1000000, version / 1000 % 1000, version % 1000);
}

/* Made with root's full rights, which are given up next: then what is ours can still be written. In the folder of another user nothing is
 * made that he could not write himself later on. */
static void make_cache(const char *cache_dir, const char *caps)
{
	struct stat st;

	if (stat(cache_dir, &st) == 0 && st.st_uid == geteuid())
		dir_make(caps, 0700, NULL);
}

static int connect_host(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	char caps[PATH_MAX];
	unsigned long version = 0;
	int rc = connection_uri_is_embed(host->facts.uri) ? host_find_qemu(host->arch, err) : 0;

	if (rc == 0)
		rc = path_format(caps, sizeof(caps), err, "%s/vm/capabilities", o->cache_dir);

	bool first = rc == 0 && !path_exists(caps);

	/* While there is but one thread. */
	if (rc == 0)
		make_cache(o->cache_dir, caps);
	if (rc == 0 && geteuid() == 0 && connection_uri_is_embed(host->facts.uri)) {
		rc = account_leave_root(&host->facts.without_root, err);
		host->facts.kept_root = !host->facts.without_root;
	}
	if (rc == 0 && access(caps, W_OK) < 0) {
		host->facts.cache_unwritable = true;
		if (o->note)
			o->note(o->note_arg, "the cache folder cannot be written by this user: what is found out now is not kept");
	}
	if (first && rc == 0 && o->note)
		o->note(o->note_arg, "libvirt looks at QEMU for the first time");
	if (rc == 0)
		rc = host_confine(host, o, caps, err);
	if (rc == 0)
		rc = connection_open(host->facts.uri, host->dir, caps, &host->connection, err);
	if (rc == 0)
		rc = host_watch(host, err);
	if (rc < 0)
		return rc;
	if (virConnectGetVersion(connection_handle(host->connection), &version) == 0)
		format_version(version, host->facts.qemu_version, sizeof(host->facts.qemu_version));
	if (virGetVersion(&version, NULL, NULL) == 0)
		format_version(version, host->facts.libvirt_version, sizeof(host->facts.libvirt_version));
	return 0;
}

static int open_all(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	bool embed = connection_uri_is_embed(host->facts.uri), remote = host->facts.remote;
	/* Before the work that would be in vain, and while there is but one thread. */
	int rc = host->facts.daemon ? connection_try(host->facts.uri, err) : 0;

	if (rc == 0)
		rc = host_open_aide(host, o, err);
	if (rc == 0)
		rc = prepare_files(host, o, err);
	if (rc == 0)
		rc = host_mark(host, o, err);
	host->domain = (struct domain_config){
		.memory_bytes = o->memory_bytes,
		.vcpus = o->vcpus,
		.cpuset = host->cpuset,
		.kernel = host->kernel,
		.initrd = host->initramfs,
		.keep_owner = !embed && !remote && (geteuid() == 0 || strstr(host->facts.uri, "/system")),
		.channel = remote ? LAUNCH_CHANNEL : NULL,
		.uid = geteuid(),
		.gid = getegid(),
	};
	if (rc == 0) {
		host_set_network(host, o);
		host_set_disks(host, o);
		host_set_share(host);
	}
	/* The embedded driver has no such flag: nobody but us is connected to it. */
	host->create_flags = embed ? 0 : VIR_DOMAIN_START_AUTODESTROY;
	if (rc == 0)
		rc = connect_host(host, o, err);
	if (rc == 0 && remote)
		rc = host_upload(host, err);
	if (rc == 0)
		rc = host_set_domain(host, o, false, err);
	if (rc == 0)
		rc = host_settle_description(host, err);
	if (rc < 0)
		return rc;
	/* A daemon's QEMU may be another user's, who cannot write here. */
	host->trace_guest = host->facts.traced = embed && o->trace_guest;
	host->trace_process = embed && o->trace_process;
	connection_save_capabilities(host->connection);
	rc = host_choose_accelerator(host, o, err);
	return rc == 0 && o->restore ? snapshot_make(host, o, &host->snapshot, err) : rc;
}

/* The options are checked. */
static void settle_arch(struct vm_host *host, const struct vm_options *o)
{
	const char *machine = "";

	if (arch_find(o->arch, &host->arch, NULL) == 0)
		arch_machine(host->arch, o->machine, &machine, NULL);
	snprintf(host->facts.arch, sizeof(host->facts.arch), "%s", host->arch->name);
	snprintf(host->facts.machine, sizeof(host->facts.machine), "%s", machine);
}

int vm_host_open(const struct vm_options *options, struct vm_host **ret, struct error *err)
{
	int rc = host_check_options(options, err);

	if (rc < 0)
		return rc;

	struct vm_host *host = calloc(1, sizeof(*host));

	if (!host)
		return error_set(err, ENOMEM, "out of memory");
	pthread_mutex_init(&host->mutex, NULL);
	pthread_cond_init(&host->changed, NULL);
	host->event_id = -1;
	settle_arch(host, options);
	snprintf(host->facts.uri, sizeof(host->facts.uri), "%s", options->uri ? options->uri : VM_URI_EMBED);
	strcpy(host->facts.cgroup, "none");
	strcpy(host->facts.limits, "none");
	host->facts.remote = connection_uri_is_remote(host->facts.uri);
	host->facts.daemon = connection_uri_is_daemon(host->facts.uri);
	/* Their numbers mean others there. */
	snprintf(host->cpuset, sizeof(host->cpuset), "%s", options->cpuset && !host->facts.remote ? options->cpuset : "");
	rc = open_all(host, options, err);
	if (rc < 0) {
		vm_host_close(host);
		return rc == -ENOSPC ? error_hint(err, "make room there, or use another folder") : rc;
	}
	*ret = host;
	return 0;
}

void vm_host_close(struct vm_host *host)
{
	if (!host)
		return;
	while (host->vms)
		vm_stop(host->vms, NULL);
	snapshot_free(host->snapshot);
	/* A libvirt that hangs still holds the host by its call-back and threads: then memory is left to the end of the process. */
	if (host->connection && !host->wedged) {
		if (host->event_id >= 0)
			virConnectDomainEventDeregisterAny(connection_handle(host->connection), host->event_id);
		host_remove_uploads(host);
		connection_close(host->connection);
	}
	aide_close(host->aide);
	if (host->dir[0]) {
		host_end_processes(host->dir);
		dir_remove(host->dir, NULL);
	}
	if (host->wedged)
		return;
	pthread_cond_destroy(&host->changed);
	pthread_mutex_destroy(&host->mutex);
	free(host);
}
