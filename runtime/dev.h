/* The /dev that a plan makes once: a detached, read-only tmpfs with the standard nodes. Internal to runtime/.
 *
 * Each container gets a clone of the mount, one call where nodes of its own cost a dozen; and root of a user namespace, who may make no nodes,
 * gets them all the same. Needs CAP_MKNOD and Linux 6.15, which clones detached mounts. */
#pragma once

#include "plan.h"

enum { DEV_NODES = 6 };
extern const struct dev_node {
	const char *path; /* "dev/null" */
	unsigned major_number, minor_number;
} dev_nodes[DEV_NODES];

/* Does the plan have one? Makes it, where this is the machine that it is for. */
bool plan_has_dev(struct container_plan *plan, const struct container_options *options);
