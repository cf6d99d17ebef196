/* The ladder of marks that every started instance climbs (docs/methodology.md, "One clock, one ladder").
 *
 * All marks are nanoseconds of the host's CLOCK_MONOTONIC. A mark that a driver cannot observe is absent, never guessed. Plain data:
 * it crosses from worker to bench as it is. Drivers report marks with timeline_mark(); they never read a clock for a result. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum mark {
	MARK_REQUEST,  /* T0: the call that asks for an instance */
	MARK_LAUNCHED, /* T1: launcher or VMM process exists */
	MARK_SANDBOX,  /* T2: namespaces, cgroup and rootfs are ready / the vCPUs run */
	MARK_KERNEL,   /* T3: first sign of the guest kernel */
	MARK_INIT,     /* T4: PID 1 of the instance runs */
	MARK_MAIN,     /* T5: first instruction of the workload program */
	MARK_READY,    /* T6: first useful answer */
	MARK_STOP,     /* Ts: the call that asks for the end; what lies between T6 and Ts belongs to nobody */
	MARK_GONE,     /* T7: stopped, and the host as before */
	MARK_COUNT
};

/* Names of the marks as results write them; the index is enum mark. */
static const char *const mark_names[] = {"request", "launched", "sandbox", "kernel", "init", "main", "ready", "stop", "gone"};
_Static_assert(sizeof(mark_names) / sizeof(mark_names[0]) == MARK_COUNT, "one name a mark");

struct timeline {
	int64_t at_ns[MARK_COUNT];
	uint32_t present; /* bit i: mark i was observed */
};

static inline int64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline bool timeline_has(const struct timeline *tl, enum mark mark)
{
	return tl->present & (1u << mark);
}

/* Records a mark that was stamped elsewhere (by the child of a clone, by the instance on the same kernel, by a draining thread). */
static inline void timeline_mark_at(struct timeline *tl, enum mark mark, int64_t at_ns)
{
	tl->at_ns[mark] = at_ns;
	tl->present |= 1u << mark;
}

/* Records that a mark is reached now. */
static inline void timeline_mark(struct timeline *tl, enum mark mark)
{
	timeline_mark_at(tl, mark, clock_now_ns());
}

/* Nanoseconds from one mark to another; both must be present. */
static inline int64_t timeline_span_ns(const struct timeline *tl, enum mark from, enum mark to)
{
	return tl->at_ns[to] - tl->at_ns[from];
}
