/* What a running container uses: the counters of its own cgroup, or nothing where it has none. */
#pragma once

#include "state.h"

#include <bench/error.h>
#include <cgroup/cgroup_usage.h>

#include <jansson.h>

/* -ENOENT: it has no cgroup of its own, or does not run. */
int usage_read(const struct container_state *state, struct cgroup_usage *ret, struct error *err);

/* All counters that the kernel tells, as a JSON object; NULL without memory. */
json_t *usage_json(const struct cgroup_usage *usage);
