/* vm: the agent as PID 1 of a small virtual machine, through libvirt. */
#include "vm_disk.h"
#include "vm_options.h"
#include "vm_report.h"
#include "vm_steps.h"
#include "vm_undo.h"

#include <bench/driver.h>

#include <base/files.h>
#include <base/journal.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <vmdriver/vm.h>

static void vm_probe(const struct driver_config *config, struct probe *ret)
{
	static const enum probe_verdict verdicts[] = {[VM_YES] = PROBE_YES, [VM_LIMITED] = PROBE_LIMITED, [VM_NO] = PROBE_NO};
	struct vm_options options;
	struct vm_disk_source source = VM_DISK_SOURCE_NONE;
	struct error err = {0};
	char name[64];

	*ret = (struct probe){.verdict = PROBE_NO};
	if (vm_options_read(config, name, &source, &options, &err) < 0) {
		snprintf(ret->reason, sizeof(ret->reason), "%.300s", err.message);
		snprintf(ret->remedy, sizeof(ret->remedy), "%s", err.hint);
		return;
	}
	ret->verdict = verdicts[vm_host_probe(&options, ret->reason, sizeof(ret->reason), ret->remedy, sizeof(ret->remedy))];
}

static int vm_open(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err)
{
	struct vm_options options;
	struct vm_host *host = NULL;
	char processes[PATH_MAX], name[64], mark[VM_UNDO_MARK];
	struct vm_disk_source source = VM_DISK_SOURCE_NONE;
	int rc = vm_options_read(config, name, &source, &options, err);

	if (rc == 0 && vm_undo_mark(config->run_dir, mark))
		options.mark = mark;
	/* Before libvirt starts its first process: each names a path below this folder. */
	if (rc == 0)
		rc = path_format(processes, sizeof(processes), err, "qemu %s", config->run_dir);
	if (rc == 0)
		rc = journal_add(config->journal, JOURNAL_PROCESSES, processes, err);
	if (rc == 0)
		rc = vm_disk_resolve(&source, &options, err);
	if (rc == 0)
		rc = vm_host_open(&options, &host, err);
	if (rc == 0)
		vm_disk_report(&source, vm_host_facts(host), ret_info);
	vm_disk_done(&source);
	if (rc < 0)
		return rc;
	vm_report(vm_host_facts(host), &options, config->memory_bytes, ret_info);
	if (config->record_steps)
		vm_steps_declare(options.restore, ret_info);
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

	if (view->launched_ns)
		timeline_mark_at(timeline, MARK_LAUNCHED, view->launched_ns);
	timeline_mark_at(timeline, MARK_SANDBOX, view->resumed_ns);
	instance->priv = vm;
	instance->read_fd = instance->write_fd = view->control_fd;
	instance->pids[0] = view->pid;
	instance->n_pids = view->pid ? 1 : 0;
	instance->has_greeted = vm_host_facts(state)->snapshot_bytes > 0;
	snprintf(instance->cgroup, sizeof(instance->cgroup), "%s", view->memory_dir);
	return 0;
}

/* QEMU's own stamps, where it was asked for them. One that is not where it belongs (the clock was set meanwhile) is none. */
static void vm_driver_observe(void *state, const struct instance *instance, struct timeline *timeline)
{
	const struct vm *vm = instance->priv;
	struct vm_stamps stamps;

	if (!vm)
		return;
	vm_stamps(vm, &stamps);

	const struct vm_view *view = vm_view(vm);
	int64_t until_ns = timeline_has(timeline, MARK_INIT) ? timeline->at_ns[MARK_INIT] : clock_now_ns();

	if (stamps.running_ns > 0 && view->launched_ns <= stamps.running_ns && stamps.running_ns <= view->resumed_ns)
		timeline_mark_at(timeline, MARK_SANDBOX, stamps.running_ns);
	if (stamps.kernel_ns > 0 && timeline->at_ns[MARK_SANDBOX] <= stamps.kernel_ns && stamps.kernel_ns <= until_ns)
		timeline_mark_at(timeline, MARK_KERNEL, stamps.kernel_ns);
	vm_steps_report(instance->has_greeted, view, timeline, instance->steps);
}

static void vm_driver_diagnose(void *state, const struct instance *instance, char *ret, size_t size)
{
	if (instance->priv)
		vm_diagnose(instance->priv, ret, size);
	else if (size > 0)
		ret[0] = '\0';
}

static int vm_driver_footprint(void *state, const struct instance *instance, struct footprint *ret, struct error *err)
{
	struct vm_memory memory;

	if (!instance->priv)
		return error_set(err, ENOTCONN, "the machine does not run");
	vm_memory(instance->priv, &memory);
	ret->guest.ram_bytes = memory.ram_bytes;
	ret->guest.vmm_pss_bytes = memory.vmm_pss_bytes;
	ret->guest.balloon_bytes = memory.balloon_bytes;
	ret->guest.balloon_unused_bytes = memory.balloon_unused_bytes;
	return 0;
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
	.options = vm_options_table,
	.preset = "kind",
	.caps = DRIVER_IS_GUEST,
	.probe = vm_probe,
	.open = vm_open,
	.start = vm_driver_start,
	.observe = vm_driver_observe,
	.diagnose = vm_driver_diagnose,
	.footprint = vm_driver_footprint,
	.stop = vm_driver_stop,
	.close = vm_close,
};
