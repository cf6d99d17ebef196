#include "support.h"

#include "plan.h"

#include <errno.h>
#include <string.h>

enum container_support container_support(const struct container_options *options, struct error *ret_found)
{
	struct container_options tried = *options;
	struct container_plan *plan;
	struct error err = {0};
	struct container made = CONTAINER_NONE;

	int rc = plan_prepare(&tried, false, &plan, ret_found);
	if (rc < 0)
		return CONTAINER_UNSUPPORTED;
	plan->child = plan_child(plan, "probe");
	memcpy(plan->child.stdio, (int[]){plan->nothing_fd, plan->nothing_fd, plan->nothing_fd}, sizeof(plan->child.stdio));
	rc = plan_walk_before(plan, &made, &err);
	if (rc == 0)
		rc = plan_launch(plan, -1, plan->start_timeout_ms, &made, &err);
	parent_close_sources(plan);
	plan_reap(&made.pid, &made.pidfd, NULL, NULL);

	enum container_support verdict = rc < 0 ? CONTAINER_UNSUPPORTED : plan->tree.note[0] ? CONTAINER_LIMITED : CONTAINER_SUPPORTED;
	if (verdict == CONTAINER_UNSUPPORTED) {
		*ret_found = err;
	} else if (verdict == CONTAINER_LIMITED) {
		error_set(ret_found, EPERM, "%s", plan->tree.note);
		error_hint(ret_found, "%s",
			   plan->tree.remedy[0]   ? plan->tree.remedy
			   : plan->facts.rootless ? "run as root for cgroup limits"
						  : "mount the controller, or run without its limit");
	} else {
		error_set(ret_found, 0, "namespaces %s; cgroup %s", plan->facts.namespaces, plan->facts.cgroup);
	}
	container_plan_free(plan);
	return verdict;
}
