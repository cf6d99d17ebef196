#include "vm_steps.h"

#include <string.h>

/* Moments of a start, in their order. */
enum moment { REQUEST, FORKED, BEGUN, LAUNCHED, CREATED, RESUMED, KERNEL, INIT, RUNTIME, MAIN, READY };

struct step {
	const char *name;
	enum step_lane lane;
	enum moment from, to;
};

#define OF_LAUNCH                                                                                                                          \
	{"libvirt: until it forks QEMU", STEP_PARENT, REQUEST, FORKED}, {"QEMU: until it reads its options", STEP_CHILD, FORKED, BEGUN},   \
	{                                                                                                                                  \
		"QEMU: until it connects its channels", STEP_CHILD, BEGUN, LAUNCHED                                                        \
	}

#define OF_BOOT                                                                                                                            \
	OF_LAUNCH, {"libvirt: QEMU's devices, and its monitor", STEP_PARENT, LAUNCHED, CREATED},                                           \
		{"libvirt: sets the vCPUs running", STEP_PARENT, CREATED, RESUMED},                                                        \
		{"firmware, kernel loaded", STEP_CHILD, RESUMED, KERNEL},                                                                  \
	{                                                                                                                                  \
		"kernel", STEP_CHILD, KERNEL, INIT                                                                                         \
	}

#define END                                                                                                                                \
	{                                                                                                                                  \
		NULL, STEP_CHILD, REQUEST, REQUEST                                                                                         \
	}

static const struct step of_boot[] = {OF_BOOT, {"init and agent", STEP_CHILD, INIT, READY}, END};

/* Where nobody sees when the kernel begins. */
static const struct step of_direct_boot[] = {OF_LAUNCH,
					     {"libvirt: QEMU's devices, and its monitor", STEP_PARENT, LAUNCHED, CREATED},
					     {"libvirt: sets the vCPUs running", STEP_PARENT, CREATED, RESUMED},
					     {"kernel, from the vCPUs' first instruction", STEP_CHILD, RESUMED, INIT},
					     {"init and agent", STEP_CHILD, INIT, READY},
					     END};

static const struct step of_restore[] = {OF_LAUNCH,
					 {"libvirt: QEMU's devices, the saved state read", STEP_PARENT, LAUNCHED, CREATED},
					 {"libvirt: sets the vCPUs running", STEP_PARENT, CREATED, RESUMED},
					 {"guest: goes on, answers", STEP_CHILD, RESUMED, READY},
					 END};

static const struct step of_container[] = {OF_BOOT,
					   {"init: modules, mounts", STEP_CHILD, INIT, RUNTIME},
					   {"runtime in the guest: the container", STEP_CHILD, RUNTIME, MAIN},
					   {"agent in the container", STEP_CHILD, MAIN, READY},
					   END};

static const struct step of_shared[] = {{"request, and the runtime in the guest: the container", STEP_CHILD, REQUEST, MAIN},
					{"agent in the container", STEP_CHILD, MAIN, READY},
					END};

static const struct step *const steps_of[VM_STEPS_COUNT] = {of_boot, of_direct_boot, of_restore, of_container, of_shared};

void vm_steps_declare(enum vm_steps which, struct driver_info *info)
{
	for (const struct step *step = steps_of[which]; step->name; step++)
		driver_info_step(info, step->lane, "%s", step->name);
}

static int64_t mark_ns(const struct timeline *timeline, enum mark mark)
{
	return timeline_has(timeline, mark) ? timeline->at_ns[mark] : 0;
}

void vm_steps_report(enum vm_steps which, const struct vm_view *view, const struct instance *instance, const struct timeline *timeline)
{
	const struct step *steps = steps_of[which];
	struct step_times *ret = instance->steps;
	const int64_t at_ns[] = {
		[REQUEST] = mark_ns(timeline, MARK_REQUEST),
		[FORKED] = view->forked_ns,
		[BEGUN] = view->begun_ns,
		[LAUNCHED] = view->launched_ns,
		[CREATED] = view->created_ns,
		[RESUMED] = mark_ns(timeline, MARK_SANDBOX),
		[KERNEL] = mark_ns(timeline, MARK_KERNEL),
		[INIT] = mark_ns(timeline, MARK_INIT),
		[RUNTIME] = instance->runtime_ns,
		[MAIN] = mark_ns(timeline, MARK_MAIN),
		[READY] = mark_ns(timeline, MARK_READY),
	};

	for (size_t i = 0; ret && steps[i].name; i++)
		if (at_ns[steps[i].from] > 0 && at_ns[steps[i].to] > 0)
			step_times_set(ret, i, at_ns[steps[i].from], at_ns[steps[i].to]);
}
