/* A part of the version 2 hierarchy that a container's own init may divide up. Internal to runtime/.
 *
 * The container is born in a group that stays ours with all its limits; what belongs to the container's root are the folder and the files by which
 * groups are made below it and processes moved among them. On a version 2 host that is the group with its limits; on a hybrid one a group of the
 * hierarchy without controllers, beside the version 1 groups that limit, of which the container sees nothing. Version 1 has no safe delegation. */
#pragma once

#include "plan.h"

/* Chooses the group; -ENOTSUP with a remedy where there can be none. */
int delegate_plan(struct container_plan *plan, const struct container_options *options, const struct cgroup_layout *layout,
		  struct error *err);

/* A step of the parent, before the clone and after its limits. */
int parent_delegate(struct container_plan *plan, struct container *made, struct error *err);

/* The descriptor to be born in, or -errno. */
int delegate_open(const struct container_plan *plan, const struct container *made, struct error *err);

/* Ends what is in it and removes what the container made in it. Idempotent. */
int delegate_remove(struct container_plan *plan, struct container *container, struct error *err);
