/* A workload: a fixed amount of work that never times itself and proves itself by a checksum. One file each, listed in workload.c.
 * Scopes after libMicro: init and fini are outside what the host times, batch is inside. */
#pragma once

#include <stdint.h>

struct workload {
	const char *name;
	/* Does `ops` operations starting from `seed`; returns the checksum that only this work yields. */
	uint64_t (*batch)(uint64_t ops, uint64_t seed);
};

extern const struct workload workload_noop;
extern const struct workload workload_spin;

/* NULL when there is none of that name. */
const struct workload *workload_find(const char *name);
