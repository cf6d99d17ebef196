/* Which CPUs the measuring process and the instances get, and the shape of the machine (hwloc). */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

/* Fills packages, cores, threads and numa_nodes of the environment, and both CPU sets of the plan (list format): `vcpus` CPUs for the instance, one each from
 * as many cores as possible, and for the measuring process a CPU on a core of its own where there is one. With a single CPU both stay empty: not bound.
 * Only CPUs that this process may use are considered. */
int topology_choose(struct run_plan *plan, struct environment *environment, struct error *err);
