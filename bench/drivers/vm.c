/* vm: the agent as PID 1 of a small virtual machine, through libvirt. */
#include <bench/cleanup.h>
#include <bench/driver.h>

#include <base/files.h>
#include <base/journal.h>
#include <base/units.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmdriver/vm.h>

static const struct driver_option options_table[] = {
	{"kind", "q35|microvm|os|os-firmware", "what is booted, and how; vm:microvm is short for vm:kind=microvm (default: q35)"},
	{"machine", "q35|microvm", "type of machine (default: q35)"},
	{"memory", "SIZE", "memory of the guest (default: the run's limit; os, os-firmware: at least 512M)"},
	{"kernel", "FILE", "Linux kernel of the guest (default: the host's own, else a distribution's, downloaded)"},
	{"append", "TEXT", "more kernel command line; what it changes is named in the result (default: none)"},
	{"connect", "URI", "libvirt on this host (default: qemu:///embed, no daemon)"},
	{"accel", "auto|kvm|tcg", "accelerator (default: auto, KVM when a boot proves it, else TCG with the reason)"},
	{NULL, NULL, NULL},
};

/* Kinds of machines people compare: each is a set of defaults, which other options may change. */
static const struct kind {
	const char *name, *machine;
	enum vm_os os;
	int64_t memory_bytes; /* 0: the run's limit */
} kinds[] = {
	{"q35", "q35", VM_OS_NONE, 0},
	{"microvm", "microvm", VM_OS_NONE, 0},
	{"os", "q35", VM_OS_DIRECT, INT64_C(512) << 20},
	{"os-firmware", "q35", VM_OS_FIRMWARE, INT64_C(512) << 20},
};

static int find_kind(const struct driver_spec *spec, const struct kind **ret, struct error *err)
{
	const char *name = driver_option(spec, "kind", kinds[0].name);
	char known[120] = "";

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t used = strlen(known);

		if (strcmp(kinds[i].name, name) == 0) {
			*ret = &kinds[i];
			return 0;
		}
		snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", kinds[i].name);
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

static int read_options(const struct driver_config *config, struct vm_options *ret, struct error *err)
{
	const struct driver_spec *spec = config->spec;
	const char *memory = driver_option(spec, "memory", NULL);
	const struct kind *kind;
	int rc = find_kind(spec, &kind, err);

	if (rc < 0)
		return rc;

	*ret = (struct vm_options){
		.uri = driver_option(spec, "connect", NULL),
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
		.os = kind->os,
	};
	if (kind->memory_bytes > ret->memory_bytes)
		ret->memory_bytes = kind->memory_bytes;
	if (memory) {
		rc = parse_bytes(memory, &ret->memory_bytes, err);

		if (rc < 0)
			return error_prefix(err, "option memory");
	}
	return parse_accel(driver_option(spec, "accel", "auto"), &ret->accel, err);
}

static void vm_probe(const struct driver_config *config, struct probe *ret)
{
	static const enum probe_verdict verdicts[] = {[VM_YES] = PROBE_YES, [VM_LIMITED] = PROBE_LIMITED, [VM_NO] = PROBE_NO};
	struct vm_options options;
	struct error err = {0};

	*ret = (struct probe){.verdict = PROBE_NO};
	if (read_options(config, &options, &err) < 0) {
		snprintf(ret->reason, sizeof(ret->reason), "%.300s", err.message);
		snprintf(ret->remedy, sizeof(ret->remedy), "%s", err.hint);
		return;
	}
	ret->verdict = verdicts[vm_host_probe(&options, ret->reason, sizeof(ret->reason), ret->remedy, sizeof(ret->remedy))];
}

static void report(const struct vm_facts *facts, const struct vm_options *options, struct driver_info *info)
{
	driver_info_set(info, "accelerator", "%s", facts->accelerator);
	driver_info_set(info, "accelerator reason", "%s", facts->accelerator_reason);
	driver_info_set(info, "machine", "%s", facts->machine);
	driver_info_set(info, "machine_full", "%s", facts->machine_full);
	driver_info_set(info, "cpu model", "%s", facts->cpu_model);
	driver_info_set(info, "kernel", "%s", facts->kernel_version);
	driver_info_set(info, "kernel source", "%s", facts->kernel_source);
	driver_info_set(info, "cmdline", "%s", facts->command_line);
	driver_info_set(info, "qemu", "%s", facts->qemu_version);
	driver_info_set(info, "libvirt", "%s", facts->libvirt_version);
	driver_info_set(info, "uri", "%s", facts->uri);
	if (facts->os_release[0]) {
		driver_info_set(info, "os", "%s", facts->os_release);
		driver_info_set(info, "os packages", "%lld", (long long)facts->os_packages);
		driver_info_set(info, "disk bytes", "%lld", (long long)facts->image_virtual_bytes);
		driver_info_set(info, "disk bytes allocated", "%lld", (long long)facts->image_allocated_bytes);
	}
	driver_info_set(info, "memory", "%lld", (long long)options->memory_bytes);
	driver_info_set(info, "vcpus", "%d", options->vcpus);
	if (strcmp(facts->accelerator, "tcg") == 0)
		driver_info_note(info, "TCG (emulated): the guest's processor is emulated in software, %s", facts->accelerator_reason);
	if (facts->accelerator_remedy[0])
		driver_info_note(info, "for KVM: %s", facts->accelerator_remedy);
	if (facts->without_root)
		driver_info_note(info, "QEMU runs without root's rights, in a user namespace");
	driver_info_note(info,
			 "the guest's memory is limited by its size, its CPUs by their number; QEMU itself is in no cgroup of its own");
}

static int vm_open(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err)
{
	struct vm_options options;
	struct vm_host *host = NULL;
	char processes[PATH_MAX];
	int rc = read_options(config, &options, err);

	/* Before libvirt starts its first process: each names a path below this folder. */
	if (rc == 0)
		rc = path_format(processes, sizeof(processes), err, "qemu %s", config->run_dir);
	if (rc == 0)
		rc = journal_add(config->journal, JOURNAL_PROCESSES, processes, err);
	if (rc == 0)
		rc = vm_host_open(&options, &host, err);
	if (rc < 0)
		return rc;
	report(vm_host_facts(host), &options, ret_info);
	if (options.os && options.memory_bytes != config->memory_bytes) {
		char has[32], limit[32];

		driver_info_note(ret_info, "a complete system: the guest has %s of memory, the run's limit is %s",
				 format_bytes(options.memory_bytes, has, sizeof(has)),
				 format_bytes(config->memory_bytes, limit, sizeof(limit)));
	}
	*ret_state = host;
	return 0;
}

static int vm_driver_start(void *state, struct instance *instance, struct timeline *timeline, struct error *err)
{
	struct vm *vm = NULL;
	int rc = vm_start(state, instance->id, instance->deadline_ns, &vm, err);

	if (rc < 0)
		return rc;

	const struct vm_view *view = vm_view(vm);

	timeline_mark_at(timeline, MARK_LAUNCHED, view->launched_ns);
	timeline_mark_at(timeline, MARK_SANDBOX, view->resumed_ns);
	instance->priv = vm;
	instance->read_fd = instance->write_fd = view->control_fd;
	instance->pids[0] = view->pid;
	instance->n_pids = 1;
	return 0;
}

static void vm_driver_diagnose(void *state, const struct instance *instance, char *ret, size_t size)
{
	if (instance->priv)
		vm_diagnose(instance->priv, ret, size);
	else if (size > 0)
		ret[0] = '\0';
}

static int vm_driver_stop(void *state, struct instance *instance, struct error *err)
{
	int rc = vm_stop(instance->priv, err);

	instance->priv = NULL;
	instance->read_fd = instance->write_fd = -1;
	instance->n_pids = 0;
	return rc;
}

static void vm_close(void *state)
{
	vm_host_close(state);
}

const struct driver vm_driver = {
	.name = "vm",
	.summary = "the agent as PID 1 of a virtual machine, through libvirt and QEMU",
	.options = options_table,
	.preset = "kind",
	.caps = DRIVER_IS_GUEST,
	.probe = vm_probe,
	.open = vm_open,
	.start = vm_driver_start,
	.diagnose = vm_driver_diagnose,
	.stop = vm_driver_stop,
	.close = vm_close,
};
