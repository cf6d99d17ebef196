/* What a plan says of the network namespace. It takes longest to make, so everything else is put around it: a helper thread begins it before all
 * other steps, and the child meets it as late as it can (child_network.c). */
#include "plan_build.h"

#include "steps.h"

#include <stdio.h>

/* Made by the child itself, so that its helper starts earlier. */
#define LATE (CLONE_NEWUTS | CLONE_NEWIPC)

static bool has_network(const struct container_options *options)
{
	return options->namespaces & CONTAINER_NS_NET;
}

void plan_network(struct container_plan *plan, const struct container_options *options)
{
	plan->loopback_up = options->network != CONTAINER_NETWORK_NONE;
	if (has_network(options))
		plan_add(plan, "network", step_network, plan->loopback_up ? "by a helper thread, lo up" : "by a helper thread", 0);
}

void plan_late_namespaces(struct container_plan *plan, const struct container_options *options)
{
	uint64_t late = has_network(options) ? plan->clone_flags & LATE : 0;

	plan->clone_flags &= ~late;
	if (late)
		plan_add(plan, "namespaces", step_namespaces, late == LATE ? "uts ipc" : late & CLONE_NEWUTS ? "uts" : "ipc", late);
}

void plan_network_join(struct container_plan *plan, const struct container_options *options)
{
	if (has_network(options))
		plan_add(plan, "join-network", step_network_join, "", 0);
}

void plan_network_settle(struct container_plan *plan, const struct container_options *options)
{
	if (has_network(options))
		plan_add(plan, "settle-network", step_network_settle,
			 plan->helper_sets_quotas ? "lo; quotas: 32 inotify instances, no user namespaces" : "lo", 0);
}
