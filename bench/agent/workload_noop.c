/* noop: no work at all; what it costs is the cost of asking. */
#include "workload.h"

static uint64_t noop_batch(uint64_t ops, uint64_t seed)
{
	return ops ^ seed;
}

const struct workload workload_noop = {"noop", noop_batch};
