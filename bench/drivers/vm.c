/* vm: the agent as PID 1 of a small virtual machine, through libvirt. */
#include "vm_container.h"
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
#include <stdlib.h>
#include <string.h>
#include <vmdriver/vm.h>

_Static_assert(1 + VM_HELPERS_MAX <= INSTANCE_PIDS_MAX, "room for all processes of a machine");

struct state {
	struct vm_host *host;
	struct vm_container container; /* of kind container */
};

static void vm_probe(const struct driver_config *config, struct probe *ret)
{
	static const enum probe_verdict verdicts[] = {[VM_YES] = PROBE_YES, [VM_LIMITED] = PROBE_LIMITED, [VM_NO] = PROBE_NO};
	struct vm_options options;
	struct vm_disk_source source = VM_DISK_SOURCE_NONE;
	struct vm_container container = {0};
	struct error err = {0};
	struct vm_texts texts;

	*ret = (struct probe){.verdict = PROBE_NO};
	if (vm_options_read(config, &texts, &source, &container, &options, &err) < 0) {
		snprintf(ret->reason, sizeof(ret->reason), "%.300s", err.message);
		snprintf(ret->remedy, sizeof(ret->remedy), "%s", err.hint);
		return;
	}
	ret->verdict = verdicts[vm_host_probe(&options, ret->reason, sizeof(ret->reason), ret->remedy, sizeof(ret->remedy))];
}

static enum vm_steps steps_of(const struct state *state)
{
	const struct vm_facts *facts = vm_host_facts(state->host);

	if (state->container.used)
		return state->container.shared ? VM_STEPS_SHARED : VM_STEPS_CONTAINER;
	if (facts->snapshot_bytes > 0)
		return VM_STEPS_RESTORE;
	/* QEMU loads an x86 kernel by firmware, others by itself. */
	return strcmp(facts->arch, "x86_64") == 0 ? VM_STEPS_BOOT : VM_STEPS_DIRECT;
}

static void vm_close(void *arg)
{
	struct state *state = arg;

	vm_container_close(&state->container);
	vm_host_close(state->host);
	free(state);
}

static int open_host(const struct driver_config *config, struct state *state, struct driver_info *info, struct error *err)
{
	struct vm_options options;
	static const char *const programs[] = {"qemu", VM_SHARE_PROGRAM};
	struct vm_texts texts;
	char processes[PATH_MAX], mark[VM_UNDO_MARK];
	struct vm_disk_source source = VM_DISK_SOURCE_NONE;
	int rc = vm_options_read(config, &texts, &source, &state->container, &options, err);

	if (rc == 0 && vm_undo_mark(config->run_dir, mark))
		options.mark = mark;
	/* Before libvirt starts its first process: each names a path below this folder. */
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]) && rc == 0; i++) {
		rc = path_format(processes, sizeof(processes), err, "%s %s", programs[i], config->run_dir);
		if (rc == 0)
			rc = journal_add(config->journal, JOURNAL_PROCESSES, processes, err);
	}
	if (rc == 0)
		rc = vm_disk_resolve(&source, &options, err);
	if (rc == 0)
		rc = vm_host_open(&options, &state->host, err);
	if (rc == 0)
		vm_disk_report(&source, vm_host_facts(state->host), info);
	vm_disk_done(&source);
	if (rc < 0)
		return rc;
	vm_report(vm_host_facts(state->host), &options, config->memory_bytes, info);
	if (config->record_steps)
		vm_steps_declare(steps_of(state), info);
	return state->container.used ? vm_container_open(&state->container, state->host, config, info, err) : 0;
}

static int vm_open(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return error_set(err, ENOMEM, "out of memory");

	int rc = open_host(config, state, ret_info, err);

	if (rc < 0) {
		vm_close(state);
		return rc;
	}
	*ret_state = state;
	return 0;
}

static int vm_driver_start(void *arg, struct instance *instance, struct timeline *timeline, struct error *err)
{
	struct state *state = arg;
	struct vm *vm = NULL;

	if (state->container.shared)
		return vm_container_start(&state->container, instance, err);

	int rc = vm_start(state->host, instance->id, instance->deadline_ns, &vm, err);

	if (rc < 0)
		return rc;

	const struct vm_view *view = vm_view(vm);

	if (view->launched_ns)
		timeline_mark_at(timeline, MARK_LAUNCHED, view->launched_ns);
	timeline_mark_at(timeline, MARK_SANDBOX, view->resumed_ns);
	instance->priv = vm;
	instance->read_fd = instance->write_fd = view->control_fd;
	instance->pids[0] = view->pid;
	instance->n_pids = 0;
	if (view->pid)
		instance->pids[instance->n_pids++] = view->pid;
	for (size_t i = 0; i < view->n_helpers; i++)
		instance->pids[instance->n_pids++] = view->helpers[i];
	instance->has_greeted = vm_host_facts(state->host)->snapshot_bytes > 0;
	snprintf(instance->cgroup, sizeof(instance->cgroup), "%s", view->memory_dir);
	return 0;
}

/* QEMU's own stamps, where it was asked for them. One that is not where it belongs (the clock was set meanwhile) is none. */
static void vm_driver_observe(void *arg, const struct instance *instance, struct timeline *timeline)
{
	const struct state *state = arg;
	enum vm_steps steps = steps_of(state);
	struct vm *vm = instance->priv;
	struct vm_stamps stamps;

	if (!vm)
		return;
	if (steps == VM_STEPS_SHARED) {
		vm_steps_report(steps, vm_view(vm), instance, timeline);
		return; /* the machine was there before */
	}
	vm_stamps(vm, &stamps);

	const struct vm_view *view = vm_view(vm);
	int64_t until_ns = timeline_has(timeline, MARK_INIT) ? timeline->at_ns[MARK_INIT] : clock_now_ns();

	if (stamps.running_ns > 0 && view->launched_ns <= stamps.running_ns && stamps.running_ns <= view->resumed_ns)
		timeline_mark_at(timeline, MARK_SANDBOX, stamps.running_ns);
	if (stamps.kernel_ns > 0 && timeline->at_ns[MARK_SANDBOX] <= stamps.kernel_ns && stamps.kernel_ns <= until_ns)
		timeline_mark_at(timeline, MARK_KERNEL, stamps.kernel_ns);
	vm_steps_report(steps, view, instance, timeline);
}

static void vm_driver_diagnose(void *arg, const struct instance *instance, char *ret, size_t size)
{
	struct state *state = arg;

	if (state->container.shared)
		vm_container_diagnose(&state->container, ret, size);
	else if (instance->priv)
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

static int vm_driver_stop(void *arg, struct instance *instance, struct error *err)
{
	struct state *state = arg;

	if (state->container.shared)
		return vm_container_stop(&state->container, instance, err);

	int rc = vm_stop(instance->priv, err);

	instance->priv = NULL;
	instance->read_fd = instance->write_fd = -1;
	instance->n_pids = 0;
	return rc;
}

static void vm_between(void *arg)
{
	struct state *state = arg;

	if (state->container.shared)
		vm_container_between(&state->container, state->host);
}

const struct driver vm_driver = {
	.name = "vm",
	.summary = "the agent as PID 1 of a virtual machine, through libvirt and QEMU",
	.options = vm_options_table,
	.preset = "kind",
	.kinds = vm_kinds,
	.caps = DRIVER_IS_GUEST,
	.probe = vm_probe,
	.open = vm_open,
	.start = vm_driver_start,
	.observe = vm_driver_observe,
	.diagnose = vm_driver_diagnose,
	.footprint = vm_driver_footprint,
	.stop = vm_driver_stop,
	.between = vm_between,
	.close = vm_close,
};
