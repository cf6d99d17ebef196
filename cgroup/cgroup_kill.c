/* Killing the members of a control group one by one: all there is on version 1, and on version 2 before Linux 5.14.
 *
 * A list of pids is old when it has been read. A pidfd names the process that had the number when it was opened; if a second list, read after
 * that, has the number and the process still lives when it is signalled, it is the member that the list means. */
#include "cgroup_inside.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PASS_MAX = 256, LIST_MAX = 4096 };

static size_t read_members(const char *dir, pid_t *ret, size_t max)
{
	char path[PATH_MAX], line[32];
	size_t n = 0;

	if (path_format(path, sizeof(path), NULL, "%s/cgroup.procs", dir) < 0)
		return 0;
	_cleanup_fclose_ FILE *procs = fopen(path, "re");
	while (procs && n < max && fgets(line, sizeof(line), procs)) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		if (pid > 1) /* 0: a process of a pid namespace that we do not see */
			ret[n++] = pid;
	}
	return n;
}

static bool is_listed(const pid_t *list, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == pid)
			return true;
	return false;
}

size_t cgroup_kill_members(const char *dir, int64_t deadline_ns)
{
	pid_t seen[PASS_MAX], members[LIST_MAX];
	int fds[PASS_MAX];
	size_t n = read_members(dir, seen, PASS_MAX), n_members;

	for (size_t i = 0; i < n; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, seen[i], 0);
	n_members = n ? read_members(dir, members, LIST_MAX) : 0;
	/* All are signalled before any is waited for: none has the time to fork away. */
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0 && is_listed(members, n_members, seen[i]))
			syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0);
		else
			cleanup_close(&fds[i]), fds[i] = -1;
	for (size_t i = 0; i < n; i++) {
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;

		if (fds[i] >= 0)
			poll(&(struct pollfd){.fd = fds[i], .events = POLLIN}, 1, left_ms > 0 ? (int)left_ms : 0);
		cleanup_close(&fds[i]);
	}
	return n;
}
