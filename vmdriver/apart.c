#include "apart.h"

#include "virt_error.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct outcome {
	int rc;
	struct error error;
};

static _Noreturn void child(int (*act)(void *arg, struct error *err), void *arg, int report_fd)
{
	struct outcome outcome = {0};

	setenv("LIBVIRT_LOG_OUTPUTS", "4:file:/dev/null", 1);
	setenv("LIBVIRT_AUTOSTART", "0", 1);
	setenv("LC_ALL", "C", 1);
	virt_error_silence();
	outcome.rc = act(arg, &outcome.error);
	_exit(write(report_fd, &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : 1);
}

/* -ETIMEDOUT when nothing came in time, -ECHILD when the child died before it had told. */
static int await(int fd, int64_t deadline_ns, struct outcome *ret)
{
	for (;;) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		int64_t left_ms = (deadline_ns - clock_now_ns() + 999999) / 1000000;
		int ready = left_ms > 0 ? poll(&readable, 1, (int)left_ms) : 0;

		if (ready == 0)
			return -ETIMEDOUT;
		if (ready > 0)
			return read(fd, ret, sizeof(*ret)) == sizeof(*ret) ? 0 : -ECHILD;
	}
}

int apart(int (*act)(void *arg, struct error *err), void *arg, int timeout_ms, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + timeout_ms * INT64_C(1000000);
	struct outcome outcome;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "pipe");

	_cleanup_close_ int report_fd = ends[0];
	pid_t pid = fork();

	if (pid == 0)
		child(act, arg, ends[1]);
	close(ends[1]);
	if (pid < 0)
		return error_errno(err, "fork");

	int rc = await(report_fd, deadline_ns, &outcome);

	if (rc == -ETIMEDOUT)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (rc == -ETIMEDOUT)
		return error_set(err, ETIMEDOUT, "no answer in %d s", timeout_ms / 1000);
	if (rc < 0)
		return error_set(err, ECHILD, "the process that asked libvirt died");
	if (outcome.rc < 0 && err)
		*err = outcome.error;
	return outcome.rc;
}
