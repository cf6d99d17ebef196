/* Stopping a group and letting it go on. The kernel freezes tasks one after the other: the state is asked for until all are. */
#include "cgroup_inside.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FREEZE_WAIT_MS = 2000 };

/* Reads a state file until `wanted` is in it. Version 2 wakes a poller at a change; version 1 has no event, so it is asked each millisecond. */
static int await(const char *path, const char *wanted, bool has_event, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)FREEZE_WAIT_MS * 1000000;
	char text[256];

	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open %s", path);
	for (;;) {
		ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;

		if (length < 0)
			return error_errno(err, "read %s", path);
		text[length] = '\0';
		if (strstr(text, wanted))
			return 0;
		if (left_ms <= 0)
			return error_set(err, ETIMEDOUT, "%s: not '%s' within %d ms", path, wanted, FREEZE_WAIT_MS);
		if (has_event)
			poll(&(struct pollfd){.fd = fd, .events = POLLPRI}, 1, (int)left_ms);
		else
			poll(NULL, 0, 1);
	}
}

int cgroup_freeze(const struct cgroup_tree *tree, const struct cgroup *group, bool frozen, struct error *err)
{
	bool v2 = tree->ops == &cgroup_v2_ops;
	const char *dir = v2 && group->n_dirs ? group->dirs[0] : cgroup_dir(tree, group, CGROUP_FREEZER);
	const char *const files[] = {v2 ? "cgroup.freeze" : "freezer.state", v2 ? "cgroup.events" : "freezer.state"};
	const char *const values[] = {v2 ? "0" : "THAWED", v2 ? "1" : "FROZEN"}, *const states[] = {v2 ? "frozen 0" : "THAWED",
												    v2 ? "frozen 1" : "FROZEN"};
	char path[PATH_MAX];

	if (!dir)
		return error_set(err, EOPNOTSUPP, "%s: this container has no group in the freezer's hierarchy",
				 frozen ? "pause" : "resume");
	int rc = path_format(path, sizeof(path), err, "%s/%s", dir, files[0]);
	if (rc == 0)
		rc = file_write_kernel(path, values[frozen], err);
	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/%s", dir, files[1]);
	if (rc == 0)
		rc = await(path, states[frozen], v2, err);
	/* A group that is frozen in part is of no use to anybody. */
	if (rc < 0 && frozen && path_format(path, sizeof(path), NULL, "%s/%s", dir, files[0]) == 0)
		file_write_kernel(path, values[false], NULL);
	return rc;
}
