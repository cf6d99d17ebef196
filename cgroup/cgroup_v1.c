/* cgroup version 1: one folder a hierarchy, and a child that joins by itself.
 *
 * Writing a pid to cgroup.procs takes the kernel's global thread-group lock, which costs an RCU grace period (7 to 10 ms) when it was idle for
 * a moment. A thread that writes "0" to `tasks` moves itself alone and takes no such lock: so the parent opens the files, and the child,
 * single-threaded and before its exec, writes. */
#include "cgroup.h"

#include <base/files.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { QUOTA_PERIOD_US = 100000 };

static int write_number(const char *dir, const char *file, int64_t value, struct error *err)
{
	char path[PATH_MAX], text[32];
	int rc = path_format(path, sizeof(path), err, "%s/%s", dir, file);

	snprintf(text, sizeof(text), "%lld", (long long)value);
	return rc < 0 ? rc : file_write_kernel(path, text, err);
}

static int copy_from_parent(const char *dir, const char *file, struct error *err)
{
	char path[PATH_MAX], text[1024];
	int rc = path_format(path, sizeof(path), err, "%s/../%s", dir, file);

	if (rc == 0 && file_read("", path, text, sizeof(text), err) < 0)
		return err ? -err->code : -EIO;
	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/%s", dir, file);
	return rc < 0 ? rc : file_write_kernel(path, text, err);
}

/* Every controller of a hierarchy is on in every folder. Where cpuset is among them, a new folder has no CPU and no memory node, and nobody can
 * join it: ours gets its parent's, and hands them on to those of the containers. */
static int v1_open_tree(struct cgroup_tree *tree, struct error *err)
{
	char path[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; i < tree->n_dirs && rc == 0; i++) {
		rc = path_format(path, sizeof(path), err, "%s/cpuset.mems", tree->dirs[i]);
		if (rc < 0 || access(path, F_OK) < 0)
			continue;
		rc = copy_from_parent(tree->dirs[i], "cpuset.cpus", err);
		if (rc == 0)
			rc = copy_from_parent(tree->dirs[i], "cpuset.mems", err);
		if (rc == 0)
			rc = write_number(tree->dirs[i], "cgroup.clone_children", 1, err);
	}
	return rc;
}

static int limit_cpu(const char *dir, const struct cgroup_limits *limits, struct error *err)
{
	int rc = 0;

	if (limits->cpu_percent > 0)
		rc = write_number(dir, "cpu.cfs_quota_us", (int64_t)limits->cpu_percent * QUOTA_PERIOD_US / 100, err);
	/* Shares of version 1 are 1,024 where weights of version 2 are 100. */
	if (rc == 0 && limits->cpu_weight > 0 && limits->cpu_weight != 100) {
		int64_t shares = (int64_t)limits->cpu_weight * 1024 / 100;
		rc = write_number(dir, "cpu.shares", shares < 2 ? 2 : shares, err);
	}
	return rc;
}

static int limit_memory(const char *dir, const struct cgroup_limits *limits, struct error *err)
{
	char path[PATH_MAX];
	int rc;

	if (limits->memory_bytes <= 0)
		return 0;
	rc = write_number(dir, "memory.limit_in_bytes", limits->memory_bytes, err);
	/* Memory and swap together, where the kernel counts swap: otherwise the limit only moves pages out. */
	if (rc == 0 && path_format(path, sizeof(path), NULL, "%s/memory.memsw.limit_in_bytes", dir) == 0 && access(path, F_OK) == 0)
		rc = write_number(dir, "memory.memsw.limit_in_bytes", limits->memory_bytes, err);
	return rc;
}

static int v1_limit(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	const int *at = tree->dir_of;
	int rc = 0;

	if (at[CGROUP_CPU] >= 0)
		rc = limit_cpu(group->dirs[at[CGROUP_CPU]], limits, err);
	if (rc == 0 && at[CGROUP_MEMORY] >= 0)
		rc = limit_memory(group->dirs[at[CGROUP_MEMORY]], limits, err);
	if (rc == 0 && at[CGROUP_PIDS] >= 0 && limits->pids_max > 0)
		rc = write_number(group->dirs[at[CGROUP_PIDS]], "pids.max", limits->pids_max, err);
	return rc;
}

static int v1_open_join(const struct cgroup *group, int ret_fds[CGROUP_CONTROLLER_COUNT], struct error *err)
{
	char path[PATH_MAX];
	int n = 0;

	for (; n < (int)group->n_dirs; n++) {
		int rc = path_format(path, sizeof(path), err, "%s/tasks", group->dirs[n]);

		ret_fds[n] = rc < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
		if (rc == 0 && ret_fds[n] < 0)
			rc = error_errno(err, "open %s", path);
		if (rc < 0) {
			while (n-- > 0)
				close(ret_fds[n]);
			return rc;
		}
	}
	return n;
}

static void v1_empty(const char *dir, int64_t deadline_ns)
{
	char path[PATH_MAX];

	/* Where the folder counts processes, nobody in it forks from now on. */
	if (path_format(path, sizeof(path), NULL, "%s/pids.max", dir) == 0 && access(path, F_OK) == 0)
		file_write_kernel(path, "0", NULL);
	/* Nobody left, yet busy: the last exit is a moment from done, and version 1 has no event to wait for. */
	if (cgroup_kill_members(dir, deadline_ns) == 0)
		poll(NULL, 0, 1);
}

const struct cgroup_ops cgroup_v1_ops = {
	.name = "v1",
	.open_tree = v1_open_tree,
	.limit = v1_limit,
	.open_join = v1_open_join,
	.empty = v1_empty,
};
