/* Starting and stopping containers of a plan. Kernel state is undone in reverse order, by the same code that stops a healthy one. */
#include "plan.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int container_plan_open(struct container_plan *plan, struct error *err)
{
	struct error found = {0};
	int rc;

	if (plan->tree.opened)
		return 0;
	rc = cgroup_tree_open(&plan->tree, plan->journal, &found);
	if (rc == 0)
		rc = cgroup_tree_try(&plan->tree, &plan->limits, &found);
	if (rc == 0)
		return 0;
	if (plan->cgroup_required || rc == -EEXIST) {
		cgroup_tree_close(&plan->tree, NULL);
		if (err)
			*err = found;
		return error_hint(err, "go without limits: cgroup=auto or cgroup=off"), -found.code;
	}
	if (rc < 0)
		cgroup_tree_abandon(&plan->tree);
	plan_note(plan, "no cgroup limit%s: %s", rc < 0 ? "s" : " for a controller", found.message);
	plan_tell_cgroup(plan);
	return 0;
}

/* Everything that could be known only now: id, descriptors, an empty trace. */
static int prepare_child(struct container_plan *plan, const char *id, const int stdio[3], const struct cgroup *group, struct error *err)
{
	struct child *child = &plan->child;

	*child = plan_child(plan, id);
	for (int i = 0; i < 3; i++)
		child->stdio[i] = stdio[i] >= 0 ? stdio[i] : plan->nothing_fd;
	int n = plan->tree.ops->open_join(group, child->cgroup_fds, err);
	if (n < 0)
		return n;
	child->n_cgroup_fds = n;
	return 0;
}

static int start_child(struct container_plan *plan, const int stdio[3], int timeout_ms, struct container *made, struct error *err)
{
	struct child *child = &plan->child;
	int rc = prepare_child(plan, made->id, stdio, &made->cgroup, err);

	if (rc < 0)
		return rc;
	int born_in = plan->tree.ops->join_at_clone ? child->cgroup_fds[0] : -1;
	rc = plan_launch(plan, born_in, timeout_ms, &made->pid, &made->pidfd, err);
	made->trace = child->trace;
	for (int i = 0; i < child->n_cgroup_fds; i++)
		close(child->cgroup_fds[i]);
	return rc;
}

int container_start(struct container_plan *plan, const char *id, const int stdio[3], int timeout_ms, struct container *ret,
		    struct error *err)
{
	struct container made = CONTAINER_NONE;
	int rc = path_format(made.id, sizeof(made.id), err, "%s", id);

	if (rc == 0 && (!id[0] || strchr(id, '/') || id[0] == '.'))
		rc = error_set(err, EINVAL, "'%s' is no name for a container", id);
	if (rc == 0)
		rc = container_plan_open(plan, err);
	if (rc == 0)
		rc = cgroup_create(&plan->tree, id, &plan->limits, &made.cgroup, err);
	if (timeout_ms <= 0 || timeout_ms > plan->start_timeout_ms)
		timeout_ms = plan->start_timeout_ms;
	if (rc == 0)
		rc = start_child(plan, stdio, timeout_ms, &made, err);
	if (rc < 0) {
		container_stop(plan, &made, NULL);
		return error_prefix(err, "container '%s'", id);
	}
	*ret = made;
	return 0;
}

int container_stop(struct container_plan *plan, struct container *container, struct error *err)
{
	int rc = plan_reap(&container->pid, &container->pidfd, &container->status, err);
	int removed = cgroup_remove(&plan->tree, &container->cgroup, rc < 0 ? NULL : err);

	return rc < 0 ? rc : removed;
}

const char *container_memory_dir(const struct container_plan *plan, const struct container *container)
{
	return cgroup_memory_dir(&plan->tree, &container->cgroup);
}

void container_plan_free(struct container_plan *plan)
{
	if (!plan || plan->child_lost)
		return;
	cgroup_tree_close(&plan->tree, NULL);
	cleanup_close(&plan->nothing_fd);
	if (plan->stack)
		munmap(plan->stack, (size_t)sysconf(_SC_PAGESIZE) + CHILD_STACK_BYTES);
	for (size_t i = 0; i < plan->n_texts; i++)
		free(plan->texts[i]);
	free(plan->argv);
	free(plan->envp);
	free(plan->filter);
	free(plan);
}
