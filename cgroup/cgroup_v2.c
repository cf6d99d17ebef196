/* cgroup version 2: one folder; the child is born in it (CLONE_INTO_CGROUP), and one write kills all that is inside. */
#include "cgroup.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { QUOTA_PERIOD_US = 100000 };

static int write_text(const char *dir, const char *file, const char *text, struct error *err)
{
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/%s", dir, file);

	return rc < 0 ? rc : file_write_kernel(path, text, err);
}

static int v2_open_tree(struct cgroup_tree *tree, struct error *err)
{
	char text[64] = "";
	size_t used = 0;

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (tree->dir_of[i] >= 0)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s+%s", used ? " " : "", cgroup_controller_names[i]);
	return used ? write_text(tree->dirs[0], "cgroup.subtree_control", text, err) : 0;
}

static int limit_cpu(const char *dir, const struct cgroup_limits *limits, struct error *err)
{
	char text[64];
	int rc = 0;

	if (limits->cpu_percent > 0) {
		snprintf(text, sizeof(text), "%lld %d", (long long)limits->cpu_percent * QUOTA_PERIOD_US / 100, QUOTA_PERIOD_US);
		rc = write_text(dir, "cpu.max", text, err);
	}
	if (rc == 0 && limits->cpu_weight > 0 && limits->cpu_weight != 100) {
		snprintf(text, sizeof(text), "%d", limits->cpu_weight);
		rc = write_text(dir, "cpu.weight", text, err);
	}
	return rc;
}

static int limit_memory(const char *dir, const struct cgroup_limits *limits, struct error *err)
{
	char text[64], path[PATH_MAX];
	int rc;

	if (limits->memory_bytes <= 0)
		return 0;
	snprintf(text, sizeof(text), "%lld", (long long)limits->memory_bytes);
	rc = write_text(dir, "memory.max", text, err);
	/* Without this the limit only moves pages out to swap. The file is absent where the kernel does not count swap. */
	if (rc == 0 && path_format(path, sizeof(path), NULL, "%s/memory.swap.max", dir) == 0 && access(path, F_OK) == 0)
		rc = write_text(dir, "memory.swap.max", "0", err);
	return rc;
}

static int v2_limit(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	const char *dir = group->dirs[0];
	char text[32];
	int rc = 0;

	if (tree->dir_of[CGROUP_CPU] >= 0)
		rc = limit_cpu(dir, limits, err);
	if (rc == 0 && tree->dir_of[CGROUP_MEMORY] >= 0)
		rc = limit_memory(dir, limits, err);
	if (rc == 0 && tree->dir_of[CGROUP_PIDS] >= 0 && limits->pids_max > 0) {
		snprintf(text, sizeof(text), "%d", limits->pids_max);
		rc = write_text(dir, "pids.max", text, err);
	}
	return rc;
}

static int v2_open_join(const struct cgroup *group, int ret_fds[CGROUP_CONTROLLER_COUNT], struct error *err)
{
	ret_fds[0] = open(group->dirs[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ret_fds[0] < 0 ? error_errno(err, "open cgroup %s", group->dirs[0]) : 1;
}

/* Waits for the event "populated 0": cgroup.events wakes a poller at each change. */
static void v2_empty(const char *dir, int64_t deadline_ns)
{
	char path[PATH_MAX], text[128];

	/* Before Linux 5.14 there is no such file. Frozen members can be killed, and do not fork meanwhile. */
	if (write_text(dir, "cgroup.kill", "1", NULL) < 0) {
		write_text(dir, "cgroup.freeze", "1", NULL);
		if (cgroup_kill_members(dir, deadline_ns) > 0)
			return; /* asked again while there are any */
	}
	if (path_format(path, sizeof(path), NULL, "%s/cgroup.events", dir) < 0)
		return;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0) {
		ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;

		text[length > 0 ? length : 0] = '\0';
		if (length <= 0 || left_ms <= 0)
			return;
		if (strstr(text, "populated 0")) {
			poll(NULL, 0, 1); /* empty, yet asked again: the last exit is a moment from done */
			return;
		}
		poll(&(struct pollfd){.fd = fd, .events = POLLPRI}, 1, (int)left_ms);
	}
}

const struct cgroup_ops cgroup_v2_ops = {
	.name = "v2",
	.open_tree = v2_open_tree,
	.limit = v2_limit,
	.open_join = v2_open_join,
	.empty = v2_empty,
	.join_at_clone = true,
};
