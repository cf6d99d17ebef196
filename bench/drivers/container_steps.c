/* From plan and trace to steps: first those of the parent, then the two of the helper that makes the network namespace, then the child's. */
#include "container_steps.h"

#include <string.h>

enum { HELPER_NETWORK, HELPER_LOOPBACK, HELPER_STEPS };

/* Has another step of the child this name? Then what it works on tells them apart. */
static bool is_repeated(const struct container_plan *plan, size_t step)
{
	for (size_t i = 0; i < container_plan_steps(plan); i++)
		if (i != step && strcmp(container_plan_step_name(plan, i), container_plan_step_name(plan, step)) == 0)
			return true;
	return false;
}

void container_steps_declare(const struct container_plan *plan, struct driver_info *info)
{
	for (size_t i = 0; i < container_plan_parent_steps(plan); i++)
		driver_info_step(info, STEP_PARENT, "%s", container_plan_parent_step_name(plan, i));
	driver_info_step(info, STEP_HELPER, "make-network");
	driver_info_step(info, STEP_HELPER, "raise-loopback");
	for (size_t i = 0; i < container_plan_steps(plan); i++) {
		const char *name = container_plan_step_name(plan, i);

		if (is_repeated(plan, i))
			driver_info_step(info, STEP_CHILD, "%s %s", name, container_plan_step_argument(plan, i));
		else
			driver_info_step(info, STEP_CHILD, "%s", name);
	}
}

/* Where a step was not walked, or there is no helper, its stamps are 0 and it is absent. The child does one step after the other, and stamps the
 * end of each: the next begins there. Its last one is the exec, which nobody is left to stamp the end of: it is absent. */
void container_steps_report(const struct container_plan *plan, const struct container_trace *trace, struct step_times *ret)
{
	size_t n_parent = container_plan_parent_steps(plan), first = n_parent + HELPER_STEPS;
	int64_t begin_ns = trace->cloned_ns;

	if (!ret)
		return;
	for (size_t i = 0; i < n_parent; i++)
		if (trace->parent_done_ns[i])
			step_times_set(ret, i, trace->parent_begin_ns[i], trace->parent_done_ns[i]);
	if (trace->helper_done_ns) {
		step_times_set(ret, n_parent + HELPER_NETWORK, trace->helper_begin_ns, trace->helper_made_ns);
		step_times_set(ret, n_parent + HELPER_LOOPBACK, trace->helper_made_ns, trace->helper_done_ns);
	}
	for (size_t i = 0; i < container_plan_steps(plan) && i < (size_t)trace->n_done; i++) {
		step_times_set(ret, first + i, begin_ns, trace->done_ns[i]);
		begin_ns = trace->done_ns[i];
	}
}
