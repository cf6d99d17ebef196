/* Slots that are made ahead of the starts that use them: a network, mount and (where ids are mapped) user namespace with a container's root in it,
 * and a cgroup with the limits. What a slot holds are descriptors, which end with this process, and a cgroup below the run's own, which the journal
 * names. Internal to runtime/. */
#pragma once

#include "plan.h"

enum { POOL_MAX = 4096 };

struct pool {
	struct container_plan *maker; /* makes slots */
	unsigned wanted, n_ready, serial;
	unsigned namespaces;     /* CONTAINER_NS_* of its containers */
	struct pool_slot *slots; /* the first n_ready are ready */
	struct pool_slot made;   /* by the maker's start that is under way */
};

int pool_new(const struct container_options *options, struct pool **ret, struct error *err);

/* Makes slots until as many are ready as wanted. `plan` is the one that starts containers. */
int pool_fill(struct container_plan *plan, struct error *err);

/* Takes one out; makes it first when there is none. The caller closes it. */
int pool_take(struct container_plan *plan, struct pool_slot *ret, struct error *err);
void pool_slot_close(struct pool_slot *slot);

/* Gives back all that is ready. NULL is fine. */
void pool_free(struct container_plan *plan);

/* Step of the maker's parent: opens what its child has made. */
int pool_hold(struct container_plan *maker, struct container *made, struct error *err);
