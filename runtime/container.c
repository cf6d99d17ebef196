/* Starting and stopping containers of a plan. Kernel state is undone in reverse order, by the same code that stops a healthy one. */
#include "delegate.h"
#include "link.h"
#include "plan.h"
#include "pool.h"
#include "sysctl.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_tree(struct container_plan *plan, struct error *err)
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
	bool unguarded = plan->guards_devices && (rc < 0 || plan->tree.dir_of[CGROUP_DEVICES] < 0);
	if (plan->cgroup_required || unguarded || rc == -EEXIST) {
		cgroup_tree_close(&plan->tree, NULL);
		cgroup_tree_close(&plan->delegated, NULL);
		if (err)
			*err = found;
		return unguarded ? plan_guard_hint(err) : error_hint(err, "go without limits: cgroup=auto or cgroup=off"), -found.code;
	}
	if (rc < 0)
		cgroup_tree_abandon(&plan->tree);
	plan_note(plan, "no cgroup limit%s: %s", rc < 0 ? "s" : " for a controller", found.message);
	plan_tell_cgroup(plan);
	return 0;
}

int container_plan_open(struct container_plan *plan, struct error *err)
{
	int rc = open_tree(plan, err);

	if (rc == 0)
		rc = plan_link_open(plan, err);
	return rc == 0 && plan->pool && plan->pool->serial == 0 ? pool_fill(plan, err) : rc;
}

/* For the child, to see whether we live: inside its pid namespace getppid() is 0 either way. Once a process, for the plan may have come by fork. */
static int hold_ourselves(struct container_plan *plan, struct error *err)
{
	if (plan->parent_fd >= 0 && plan->parent_pid == getpid())
		return 0;
	cleanup_close(&plan->parent_fd);
	plan->parent_pid = getpid();
	plan->parent_fd = (int)syscall(SYS_pidfd_open, plan->parent_pid, 0);
	return plan->parent_fd < 0 ? error_errno(err, "pidfd_open %d", (int)plan->parent_pid) : 0;
}

/* Everything that could be known only now: id, descriptors, an empty trace. */
static int prepare_child(struct container_plan *plan, const char *id, const int stdio[3], struct error *err)
{
	struct child *child = &plan->child;

	*child = plan_child(plan, id);
	child->slot = &plan->warm;
	for (int i = 0; i < 3; i++)
		child->stdio[i] = stdio[i] >= 0 ? stdio[i] : plan->own_null ? -1 : plan->nothing_fd;
	int rc = hold_ourselves(plan, err);
	if (rc < 0)
		return rc;
	child->parent_fd = plan->parent_fd;
	child->n_groups = plan->tree.ops->join_at_clone ? 0 : (int)plan->tree.n_dirs;
	memcpy(child->group_fds, plan->tree.dir_fds, sizeof(child->group_fds)); /* the tree is open */
	return path_format(child->tasks, sizeof(child->tasks), err, "%s/tasks", plan->pool ? plan->warm.name : id);
}

/* A slot's cgroup is the container's from now on, and removed with it. */
static int take_slot(struct container_plan *plan, struct container *made, struct error *err)
{
	int rc = pool_take(plan, &plan->warm, err);

	if (rc == 0)
		made->cgroup = plan->warm.cgroup;
	return rc;
}

int container_plan_refill(struct container_plan *plan, struct error *err)
{
	return plan->pool ? pool_fill(plan, err) : 0;
}

static int start_child(struct container_plan *plan, const int stdio[3], int timeout_ms, struct container *made, struct error *err)
{
	struct child *child = &plan->child;
	int born_in[CGROUP_CONTROLLER_COUNT] = {-1}, rc = plan->pool ? take_slot(plan, made, err) : 0;

	if (rc == 0)
		rc = prepare_child(plan, made->id, stdio, err);
	if (rc == 0)
		rc = plan_walk_before(plan, made, err);
	if (rc == 0 && plan->delegates)
		rc = born_in[0] = delegate_open(plan, made, err);
	else if (rc == 0 && plan->tree.ops->join_at_clone)
		rc = plan->tree.ops->open_join(&made->cgroup, born_in, err);
	if (rc < 0) {
		parent_close_sources(plan);
		return rc;
	}
	rc = plan_launch(plan, born_in[0], timeout_ms, made, err);
	made->trace = child->trace;
	parent_close_sources(plan);
	if (rc == 0 && plan->sets_oom_score)
		rc = parent_set_oom_score(plan, made, err);
	if (rc == 0 && plan->terminal)
		rc = parent_receive_terminal(plan, made, err);
	if (rc < 0)
		parent_forget(plan);
	cleanup_close(&born_in[0]);
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
	if (timeout_ms <= 0 || timeout_ms > plan->start_timeout_ms)
		timeout_ms = plan->start_timeout_ms;
	if (rc == 0)
		rc = start_child(plan, stdio, timeout_ms, &made, err);
	if (plan->pool)
		pool_slot_close(&plan->warm);
	sysctl_used(&plan->sysctl_fd, &plan->sysctl_uses);
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

	if (!plan)
		return rc;
	int unlinked = plan_link_undo(plan, container, rc < 0 ? NULL : err);
	delegate_remove(plan, container, NULL); /* what stays makes the next fail */
	int removed = cgroup_remove(&plan->tree, &container->cgroup, rc < 0 ? NULL : err);

	return rc < 0 ? rc : unlinked < 0 ? unlinked : removed;
}

const char *container_memory_dir(const struct container_plan *plan, const struct container *container)
{
	return cgroup_memory_dir(&plan->tree, &container->cgroup);
}

void container_plan_free(struct container_plan *plan)
{
	if (!plan || plan->child_lost)
		return;
	pool_free(plan);
	plan_link_close(plan);
	cgroup_tree_close(&plan->delegated, NULL);
	cgroup_tree_close(&plan->tree, NULL);
	cleanup_close(&plan->nothing_fd);
	cleanup_close(&plan->parent_fd);
	plan_stacks_free(plan);
	cleanup_close(&plan->userns_fd);
	cleanup_close(&plan->sysctl_fd);
	cleanup_close(&plan->ids_lock_fd);
	cleanup_close(&plan->dev_fd);
	cleanup_close(&plan->channel[0]);
	cleanup_close(&plan->channel[1]);
	for (size_t i = 0; i < plan->n_texts; i++)
		free(plan->texts[i]);
	free(plan->texts);
	plan_free_strings(plan->argv);
	plan_free_strings(plan->envp);
	plan_free_strings(plan->programs);
	free(plan->filter);
	free(plan);
}
