/* The floor of all container starts: a clone with the same namespaces, and the exec. Nothing is mounted, limited or dropped; the program runs in
 * the host's root with the caller's privileges inside its new namespaces. For comparisons alone. */
#include "plan_build.h"

#include "link.h"
#include "steps.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	unsigned own;
	uint64_t clone_flag;
} in_one_clone[] = {{CONTAINER_NS_NET, CLONE_NEWNET},
		    {CONTAINER_NS_UTS, CLONE_NEWUTS},
		    {CONTAINER_NS_IPC, CLONE_NEWIPC},
		    {CONTAINER_NS_CGROUP, CLONE_NEWCGROUP},
		    {CONTAINER_NS_TIME, CLONE_NEWTIME /* entered at the exec */}};

int plan_bare(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	struct container_options chosen = *options;

	plan_namespaces(plan, options); /* decides upon the user namespace and names all */
	plan->n_steps = plan->n_parent_steps = 0;
	for (size_t i = 0; i < sizeof(in_one_clone) / sizeof(in_one_clone[0]); i++)
		if (options->namespaces & in_one_clone[i].own)
			plan->clone_flags |= in_one_clone[i].clone_flag;
	chosen.cgroup = CONTAINER_OFF;
	int rc = plan_cgroup(plan, &chosen, err);
	if (rc == 0)
		rc = plan_program(plan, options, err);
	if (rc == 0)
		rc = plan_link(plan, options, err);
	if (rc == 0)
		rc = plan_affinity(plan, options, err);
	if (rc < 0)
		return rc;
	free(plan->programs[0]);
	if (asprintf(&plan->programs[0], "%s%s", options->rootfs, plan->argv[0]) < 0) {
		plan->programs[0] = NULL;
		return error_set(err, ENOMEM, "container: out of memory for the program's name");
	}
	plan_note(plan, "bare: own namespaces and nothing else; the program runs in the host's root");
	snprintf(plan->facts.start_class, sizeof(plan->facts.start_class), "bare: clone3 with the namespaces, and exec");
	plan_add(plan, "stdio", step_stdio, "0 1 2, others closed", 0);
	plan_add(plan, "unblock-signals", step_unblock_signals, "", 0);
	plan_add(plan, "exec", step_exec, plan->programs[0], 0);
	return 0;
}
