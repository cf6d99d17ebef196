/* Looking at a plan: as text, and step by step. */
#include "plan.h"

#include "steps.h"

static void print_sources(const struct container_plan *plan, FILE *out)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan->sources[i].by_parent)
			fprintf(out, "parent  %-18s %s%s\n", "open", plan->sources[i].path,
				plan->sources[i].maps_ids ? ", ids mapped" : "");
}

static void print_parent(const struct container_plan *plan, bool before_clone, FILE *out)
{
	for (size_t i = 0; i < plan->n_parent_steps; i++) {
		const struct parent_step *step = &plan->parent_steps[i];

		if (step->apply == parent_open_sources && before_clone)
			print_sources(plan, out);
		else if (step->before_clone == before_clone)
			fprintf(out, "%s  %-18s %s\n", before_clone ? "parent" : "beside", step->name, step->arg);
		for (size_t d = 0; (step->apply == parent_make_cgroup || step->apply == parent_send_cgroup) &&
				   step->before_clone == before_clone && d < plan->tree.n_dirs;
		     d++)
			fprintf(out, "%s  %-18s %s/ID\n", before_clone ? "parent" : "beside", "", plan->tree.dirs[d]);
	}
}

void container_plan_print(const struct container_plan *plan, FILE *out)
{
	const struct cgroup_tree *tree = &plan->tree;

	print_parent(plan, true, out);
	fprintf(out, "parent  %-18s %s%s\n", "clone", plan->facts.namespaces, tree->ops->join_at_clone ? ", into cgroup" : "");
	print_parent(plan, false, out);
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];

		if (step->arg[0])
			fprintf(out, "child   %-18s %s\n", step->name, step->arg);
		else
			fprintf(out, "child   %s\n", step->name);
	}
	for (size_t i = 0; i < plan->facts.n_notes; i++)
		fprintf(out, "note    %s\n", plan->facts.notes[i]);
}

const struct container_facts *container_plan_facts(const struct container_plan *plan)
{
	return &plan->facts;
}

size_t container_plan_steps(const struct container_plan *plan)
{
	return plan->n_steps;
}

const char *container_plan_step_name(const struct container_plan *plan, size_t step)
{
	return step < plan->n_steps ? plan->steps[step].name : "?";
}

const char *container_plan_step_argument(const struct container_plan *plan, size_t step)
{
	return step < plan->n_steps ? plan->steps[step].arg : "";
}

size_t container_plan_parent_steps(const struct container_plan *plan)
{
	return plan->n_parent_steps;
}

const char *container_plan_parent_step_name(const struct container_plan *plan, size_t step)
{
	return step < plan->n_parent_steps ? plan->parent_steps[step].name : "?";
}

int64_t container_sandbox_ns(const struct container_plan *plan, const struct container_trace *trace)
{
	return trace->done_ns[plan->n_steps >= 2 ? plan->n_steps - 2 : 0];
}
