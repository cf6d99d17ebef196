/* Memory of one instance in bytes, while it idles after its first answer (T6): as the host sees it, and of a guest also as it sees itself. A
 * field that could not be read is FOOTPRINT_UNKNOWN, never 0. Plain data. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FOOTPRINT_UNKNOWN INT64_C(-1)

/* What only a virtual machine has. */
struct footprint_guest {
	int64_t ram_bytes;            /* of the guest's memory, what the host has given it so far: touched once, by whomever */
	int64_t vmm_pss_bytes;        /* PSS of the virtual machine monitor without the guest's memory */
	int64_t total_bytes;          /* the guest's own view: memory that its kernel manages … */
	int64_t used_bytes;           /* … and how much of that it could not give to a program (MemTotal - MemAvailable) */
	int64_t balloon_bytes;        /* what the balloon leaves to the guest */
	int64_t balloon_unused_bytes; /* what the guest says, through its balloon, to have free */
};

struct footprint {
	int64_t uss_bytes;    /* private to the instance's processes (Private_Clean + Private_Dirty) */
	int64_t pss_bytes;    /* with its share of what is shared */
	int64_t rss_bytes;    /* only to warn: counts shared pages in full */
	int64_t cgroup_bytes; /* the memory cgroup's own counter, where the instance has one */
	int64_t cgroup_peak_bytes;
	struct footprint_guest guest;
};

#define FOOTPRINT_GUEST_NONE                                                                                                               \
	((struct footprint_guest){FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN,           \
				  FOOTPRINT_UNKNOWN})
#define FOOTPRINT_NONE                                                                                                                     \
	((struct footprint){FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN,                 \
			    FOOTPRINT_GUEST_NONE})

/* Is anything known of a guest? */
static inline bool footprint_has_guest(const struct footprint *footprint)
{
	const struct footprint_guest *g = &footprint->guest;

	return g->ram_bytes != FOOTPRINT_UNKNOWN || g->vmm_pss_bytes != FOOTPRINT_UNKNOWN || g->total_bytes != FOOTPRINT_UNKNOWN ||
	       g->used_bytes != FOOTPRINT_UNKNOWN || g->balloon_bytes != FOOTPRINT_UNKNOWN || g->balloon_unused_bytes != FOOTPRINT_UNKNOWN;
}
