/* What other commands do to a container: signals, the end, pausing, removal. The container's monitor notices the end by itself and undoes what it
 * made; these wait until it has. */
#pragma once

#include "state.h"

#include <bench/error.h>
#include <cgroup/cgroup.h>

#include <stdbool.h>

/* To its first process. -ESRCH when it does not run. */
int control_signal(const struct container_state *state, int number, struct error *err);

/* SIGTERM, and after `grace_ms` SIGKILL; then waits for the monitor. A container that does not run is fine. */
int control_stop(const char *folder, const struct container_state *state, int grace_ms, struct error *err);

/* The groups that were made for it, for the functions of cgroup/. -ENOENT: it has none, or does not run. */
int control_cgroup(const struct container_state *state, struct cgroup_tree *ret_tree, struct cgroup *ret, struct error *err);

/* Freezes all its processes, or lets them go on. -ENOTSUP without a cgroup of its own. */
int control_pause(const struct container_state *state, bool frozen, struct error *err);

/* Removes what is left of it. One that runs is -EBUSY unless `force`: then it is killed first. */
int control_remove(const char *folder, bool force, struct error *err);
