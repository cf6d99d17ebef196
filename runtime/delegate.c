#include "delegate.h"

#include <base/files.h>
#include <base/group_tree.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { EMPTY_WAIT_MS = 2000 };

/* What the container's root can make of it; a group costs the kernel some kilobytes, which no limit of the container counts everywhere. */
#define DEPTH_MAX  "16"
#define GROUPS_MAX "1000"

/* Is the container's group among those that limit it? Else it has one for itself in plan->delegated. */
static bool is_shared(const struct container_plan *plan)
{
	return plan->delegated.n_dirs == 0;
}

int delegate_plan(struct container_plan *plan, const struct container_options *options, const struct cgroup_layout *layout,
		  struct error *err)
{
	struct cgroup_tree *own = &plan->delegated;

	if (!options->system)
		return 0;
	if (!layout->v2[0]) {
		error_set(err, ENOTSUP, "a system container needs a version 2 hierarchy of control groups, and none is mounted");
		return error_hint(err, "mount -t cgroup2 none /sys/fs/cgroup/unified");
	}
	plan->delegates = true;
	if (layout->mode == CGROUP_MODE_V2 && plan->tree.n_dirs)
		return 0;
	*own = (struct cgroup_tree){.ops = &cgroup_v2_ops, .dir_of = CGROUP_NO_DIRS, .n_dirs = 1};
	return path_format(own->dirs[0], sizeof(own->dirs[0]), err, "%s/%s", layout->v2, options->cgroup_name);
}

static const char *group_of(const struct container_plan *plan, const struct container *made)
{
	const struct cgroup *group = is_shared(plan) ? &made->cgroup : &made->delegated;

	return group->n_dirs ? group->dirs[0] : NULL;
}

static int give(const char *dir, const char *file, const struct ids *ids, struct error *err)
{
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s%s", dir, file);

	if (rc == 0 && chown(path, ids->uid, ids->gid) < 0)
		rc = error_errno(err, "give %s to the container", path);
	return rc;
}

/* These files stay the host's. */
static int bound(const char *dir, const char *file, const char *most, struct error *err)
{
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/%s", dir, file);

	return rc < 0 ? rc : file_write_kernel(path, most, err);
}

int parent_delegate(struct container_plan *plan, struct container *made, struct error *err)
{
	static const char *const files[] = {"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"};
	int rc = 0;

	if (!is_shared(plan)) {
		rc = cgroup_tree_open(&plan->delegated, plan->journal, err);
		if (rc == 0)
			rc = cgroup_create(&plan->delegated, made->id, &(struct cgroup_limits){0}, &made->delegated, err);
	}
	if (rc < 0)
		return rc;
	const char *dir = group_of(plan, made);
	if (!dir)
		return error_set(err, ENOENT, "a system container has no group of its own to divide up");
	rc = bound(dir, "cgroup.max.depth", DEPTH_MAX, err);
	if (rc == 0)
		rc = bound(dir, "cgroup.max.descendants", GROUPS_MAX, err);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && rc == 0; i++)
		rc = give(dir, files[i], &plan->ids, err);
	return rc;
}

int delegate_open(const struct container_plan *plan, const struct container *made, struct error *err)
{
	const char *dir = group_of(plan, made);

	if (!dir)
		return error_set(err, ENOENT, "a system container has no group to be born in");
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "open cgroup %s", dir) : fd;
}

int delegate_remove(struct container_plan *plan, struct container *container, struct error *err)
{
	const char *dir = plan->delegates ? group_of(plan, container) : NULL;

	if (!dir)
		return 0;
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		cgroup_v2_ops.empty(dir, clock_now_ns() + (int64_t)EMPTY_WAIT_MS * 1000000);
		group_tree_clear(fd);
	}
	return is_shared(plan) ? 0 : cgroup_remove(&plan->delegated, &container->delegated, err);
}
