/* Memory of an instance from outside: smaps_rollup of its processes, those that descend from them included, and the counter of its cgroup. */
#pragma once

#include <bench/footprint.h>
#include <bench/instance.h>

/* What cannot be read stays FOOTPRINT_UNKNOWN. `root` prefixes /proc and the cgroup's path (tests). Source of the terms: proc(5), smaps. */
void footprint_read(const char *root, const struct instance *instance, struct footprint *ret);
