/* The steps of one start: a level below the ladder of marks (timeline.h), for those who ask where the time goes.
 *
 * A driver declares the steps of its starts once, in open(): names in the order of its plan, each in the lane that does it. start() then
 * fills in when each began and ended, if it was asked to (instance.h). Lanes run beside each other, so steps of different lanes may overlap; those
 * of one lane do not. Nanoseconds of the host's CLOCK_MONOTONIC, as marks. A step that did not run, or that nobody could time, is absent, never
 * guessed. Plain data: it crosses from worker to bench as it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STEPS_MAX = 64, STEP_NAME_MAX = 48 };

/* Who does a step. */
enum step_lane {
	STEP_PARENT, /* the process that starts the instance, or a monitor on the host */
	STEP_CHILD,  /* the instance itself, on its way to the workload */
	STEP_HELPER, /* somebody who helps either of them meanwhile */
	STEP_LANE_COUNT
};

static const char *const step_lane_names[] = {"parent", "child", "helper"};
_Static_assert(sizeof(step_lane_names) / sizeof(step_lane_names[0]) == STEP_LANE_COUNT, "one name a lane");

struct step_list {
	size_t n;
	struct {
		char name[STEP_NAME_MAX]; /* unique in the list */
		enum step_lane lane;
	} at[STEPS_MAX];
};

/* Of one start; the index is that of the driver's list. */
struct step_times {
	uint64_t present; /* bit i: step i was timed */
	struct {
		int64_t begin_ns, end_ns;
	} at[STEPS_MAX];
};
_Static_assert(STEPS_MAX <= 64, "a bit a step");

static inline bool step_times_has(const struct step_times *times, size_t step)
{
	return times->present >> step & 1;
}

/* Records a step; one beyond the bound or that ends before it begins is left absent. */
static inline void step_times_set(struct step_times *times, size_t step, int64_t begin_ns, int64_t end_ns)
{
	if (step >= STEPS_MAX || end_ns < begin_ns)
		return;
	times->at[step].begin_ns = begin_ns;
	times->at[step].end_ns = end_ns;
	times->present |= UINT64_C(1) << step;
}
