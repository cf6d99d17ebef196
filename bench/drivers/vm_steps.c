#include "vm_steps.h"

#include <string.h>

/* Moments of a start, in their order. */
enum moment { REQUEST, FORKED, BEGUN, LAUNCHED, CREATED, RESUMED, KERNEL, INIT, READY };

struct step {
	const char *name;
	enum step_lane lane;
	enum moment from, to;
};

static const struct step of_boot[] = {
	{"libvirt: until it forks QEMU", STEP_PARENT, REQUEST, FORKED},
	{"QEMU: until it reads its options", STEP_CHILD, FORKED, BEGUN},
	{"QEMU: until it connects its channels", STEP_CHILD, BEGUN, LAUNCHED},
	{"libvirt: QEMU's devices, and its monitor", STEP_PARENT, LAUNCHED, CREATED},
	{"libvirt: sets the vCPUs running", STEP_PARENT, CREATED, RESUMED},
	{"firmware, kernel loaded", STEP_CHILD, RESUMED, KERNEL},
	{"kernel", STEP_CHILD, KERNEL, INIT},
	{"init and agent", STEP_CHILD, INIT, READY},
	{NULL, STEP_CHILD, REQUEST, REQUEST},
};

/* Where nobody sees when the kernel begins. */
static const struct step of_direct_boot[] = {
	{"libvirt: until it forks QEMU", STEP_PARENT, REQUEST, FORKED},
	{"QEMU: until it reads its options", STEP_CHILD, FORKED, BEGUN},
	{"QEMU: until it connects its channels", STEP_CHILD, BEGUN, LAUNCHED},
	{"libvirt: QEMU's devices, and its monitor", STEP_PARENT, LAUNCHED, CREATED},
	{"libvirt: sets the vCPUs running", STEP_PARENT, CREATED, RESUMED},
	{"kernel, from the vCPUs' first instruction", STEP_CHILD, RESUMED, INIT},
	{"init and agent", STEP_CHILD, INIT, READY},
	{NULL, STEP_CHILD, REQUEST, REQUEST},
};

static const struct step of_restore[] = {
	{"libvirt: until it forks QEMU", STEP_PARENT, REQUEST, FORKED},
	{"QEMU: until it reads its options", STEP_CHILD, FORKED, BEGUN},
	{"QEMU: until it connects its channels", STEP_CHILD, BEGUN, LAUNCHED},
	{"libvirt: QEMU's devices, the saved state read", STEP_PARENT, LAUNCHED, CREATED},
	{"libvirt: sets the vCPUs running", STEP_PARENT, CREATED, RESUMED},
	{"guest: goes on, answers", STEP_CHILD, RESUMED, READY},
	{NULL, STEP_CHILD, REQUEST, REQUEST},
};

/* QEMU loads an x86 kernel by firmware, others by itself. */
static const struct step *steps_of(const struct vm_facts *facts)
{
	if (facts->snapshot_bytes > 0)
		return of_restore;
	return strcmp(facts->arch, "x86_64") == 0 ? of_boot : of_direct_boot;
}

void vm_steps_declare(const struct vm_facts *facts, struct driver_info *info)
{
	for (const struct step *step = steps_of(facts); step->name; step++)
		driver_info_step(info, step->lane, "%s", step->name);
}

static int64_t mark_ns(const struct timeline *timeline, enum mark mark)
{
	return timeline_has(timeline, mark) ? timeline->at_ns[mark] : 0;
}

void vm_steps_report(const struct vm_facts *facts, const struct vm_view *view, const struct timeline *timeline, struct step_times *ret)
{
	const struct step *steps = steps_of(facts);
	const int64_t at_ns[] = {
		[REQUEST] = mark_ns(timeline, MARK_REQUEST),
		[FORKED] = view->forked_ns,
		[BEGUN] = view->begun_ns,
		[LAUNCHED] = view->launched_ns,
		[CREATED] = view->created_ns,
		[RESUMED] = mark_ns(timeline, MARK_SANDBOX),
		[KERNEL] = mark_ns(timeline, MARK_KERNEL),
		[INIT] = mark_ns(timeline, MARK_INIT),
		[READY] = mark_ns(timeline, MARK_READY),
	};

	for (size_t i = 0; ret && steps[i].name; i++)
		if (at_ns[steps[i].from] > 0 && at_ns[steps[i].to] > 0)
			step_times_set(ret, i, at_ns[steps[i].from], at_ns[steps[i].to]);
}
