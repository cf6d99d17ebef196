#include "keeper.h"

#include "folder.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Only the pipe and the lock stay open, as 0 and 1: what the monitor has open must end with the monitor. */
static void leave_all_else(int pipe_fd, int lock_fd)
{
	pipe_fd = fcntl(pipe_fd, F_DUPFD, 3);
	lock_fd = fcntl(lock_fd, F_DUPFD, 3);
	dup2(pipe_fd, 0);
	dup2(lock_fd, 1);
	dup2(lock_fd, 2);
	syscall(SYS_close_range, 3u, ~0u, 0);
}

static _Noreturn void keep_watch(const char *path, int pipe_fd, int lock_fd, bool keep)
{
	sigset_t all;
	char word;
	ssize_t got;

	prctl(PR_SET_NAME, "bench-keeper");
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL); /* what ends the monitor must not end us with it */
	leave_all_else(pipe_fd, lock_fd);
	if (chdir("/") < 0)
		_exit(1);
	do
		got = read(0, &word, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1)
		_exit(0);
	struct folder folder = {.lock_fd = -1};
	snprintf(folder.path, sizeof(folder.path), "%s", path);
	if (folder_undo(path, NULL) == 0 && !keep)
		folder_remove(&folder, NULL); /* what resists stays for `bench clean` */
	_exit(0);
}

int keeper_start(const char *folder, int lock_fd, bool keep, struct keeper *ret, struct error *err)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "pipe to the keeper");
	pid_t pid = fork();
	if (pid == 0)
		keep_watch(folder, pair[0], lock_fd, keep);
	close(pair[0]);
	if (pid < 0) {
		error_errno(err, "fork the keeper");
		close(pair[1]);
		return err ? -err->code : -EAGAIN;
	}
	*ret = (struct keeper){.pid = pid, .fd = pair[1]};
	return 0;
}

void keeper_dismiss(struct keeper *keeper)
{
	if (keeper->pid <= 0)
		return;
	while (write(keeper->fd, "q", 1) < 0 && errno == EINTR)
		;
	close(keeper->fd);
	while (waitpid(keeper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*keeper = KEEPER_NONE;
}
