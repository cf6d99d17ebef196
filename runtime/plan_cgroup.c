/* What a plan says of control groups: which there are, what they limit, when they are made and joined. */
#include "plan_build.h"

#include "delegate.h"
#include "steps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Before anything is made: with less the child would be killed at its start, and its parent, whose memory it shares until the exec, with it. */
static int check_memory(const struct container_plan *plan, struct error *err)
{
	if (plan->tree.dir_of[CGROUP_MEMORY] < 0 || plan->limits.memory_bytes <= 0 || plan->limits.memory_bytes >= CONTAINER_MEMORY_MIN)
		return 0;
	error_set(err, EINVAL, "memory limit of %lld bytes: a container's start itself needs more", (long long)plan->limits.memory_bytes);
	return error_hint(err, "give it %d MiB or more, or no limit: cgroup=off", CONTAINER_MEMORY_MIN >> 20);
}

static void leave_out(struct cgroup_limits *limits, unsigned without)
{
	if (without & CGROUP_BIT(CGROUP_CPU))
		limits->cpu_percent = limits->cpu_weight = 0;
	if (without & CGROUP_BIT(CGROUP_MEMORY))
		limits->memory_bytes = limits->memory_high_bytes = limits->memory_low_bytes = 0;
	if (without & CGROUP_BIT(CGROUP_PIDS))
		limits->pids_max = 0;
}

int plan_cgroup(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	struct cgroup_layout layout;
	/* Memory is accounted for and processes are counted whatever is limited; every other hierarchy costs a start and must be asked for. */
	unsigned wanted = CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS) | options->accounting;
	int rc = 0;

	if (options->cgroup_layout)
		layout = *options->cgroup_layout;
	else
		rc = cgroup_detect(options->host_root, &layout, err);
	leave_out(&plan->limits, options->without);
	if (rc == 0)
		rc = cgroup_tree_plan_limits(options->host_root, &layout, options->cgroup_name,
					     options->cgroup == CONTAINER_OFF ? NULL : &plan->limits, wanted & ~options->without,
					     &plan->tree, err);
	if (rc < 0)
		return rc;
	if (plan->tree.note[0] && options->cgroup == CONTAINER_ON) {
		error_set(err, EPERM, "%s", plan->tree.note);
		return error_hint(err, "%s%sgo without limits: cgroup=auto or cgroup=off", plan->tree.remedy,
				  plan->tree.remedy[0] ? "; or " : "");
	}
	plan->cgroup_mode = layout.mode;
	plan->cgroup_required = options->cgroup == CONTAINER_ON;
	if ((rc = check_memory(plan, err)) < 0)
		return rc;
	if (plan->tree.note[0])
		plan_note(plan, "%s", plan->tree.note);
	if (options->cgroup == CONTAINER_OFF)
		plan_note(plan, "no cgroup limits: switched off");
	plan_tell_cgroup(plan);
	return delegate_plan(plan, options, &layout, err);
}

/* Late: the parent makes the groups of version 1 while the child builds its root. A child without the host's ids cannot open their files. */
int plan_join(struct container_plan *plan, const struct container_options *options, bool whole, struct error *err)
{
	bool born = plan->tree.ops->join_at_clone, sent = plan->maps_ids && !born;
	int rc = 0;

	if (plan->tree.n_dirs && whole) {
		uint32_t number = plan_add_parent(plan, (struct parent_step){.name = "make-cgroup",
									     .apply = sent ? parent_send_cgroup : parent_make_cgroup,
									     .arg = plan->facts.limits,
									     .before_clone = born});
		if (!born) {
			plan_add(plan, "await", step_await, "make-cgroup", number);
			plan_add(plan, "join-cgroup", sent ? step_join_sent : step_join_cgroup, "writes 0 to tasks", 0);
		}
		if (sent)
			rc = plan_channel(plan, err);
	}
	if (rc == 0 && whole)
		rc = plan_system(plan, options, err);
	if (plan->late_flags)
		plan_add(plan, "namespaces", step_namespaces, plan_late_names(plan), plan->late_flags);
	return rc;
}

void plan_tell_cgroup(struct container_plan *plan)
{
	const struct cgroup_tree *tree = &plan->tree;
	char *facts = plan->facts.cgroup;
	size_t used =
		(size_t)snprintf(facts, sizeof(plan->facts.cgroup), "%s", tree->n_dirs ? cgroup_mode_names[plan->cgroup_mode] : "none");

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (tree->dir_of[i] >= 0)
			used += (size_t)snprintf(facts + used, sizeof(plan->facts.cgroup) - used, " %s", cgroup_controller_names[i]);
	cgroup_limits_text(tree, &plan->limits, plan->facts.limits, sizeof(plan->facts.limits));
	if (!plan->own_pids && tree->n_dirs == 0)
		plan_note(plan, "neither pid namespace nor cgroup: children that outlive the first process stay behind");
}
