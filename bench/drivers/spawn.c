#include "spawn.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* In the child, which shares our memory until exec: nothing but system calls. */
__attribute__((no_sanitize("address"))) static void exec_child(const struct spawn *spawn, int control_fd, struct timeline *timeline,
							       volatile int *ret_errno)
{
	struct sigaction fallback = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigaction(SIGPIPE, &fallback, NULL); /* the one that a worker ignores, and exec would keep */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (CPU_COUNT(&spawn->cpus) > 0)
		sched_setaffinity(0, sizeof(spawn->cpus), &spawn->cpus);
	/* All of ours are close-on-exec; this is for descriptors that bench itself was given. Kernels before 5.11 cannot. */
	syscall(SYS_close_range, 3, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
	if (dup2(control_fd, 0) == 0 && dup2(control_fd, 1) == 1 && dup2(spawn->stderr_fd, 2) == 2) {
		/* Here, not in the parent after vfork: that wakes up on another CPU, possibly after the program's first instruction. */
		timeline_mark(timeline, MARK_LAUNCHED);
		execvp(spawn->argv[0], (char *const *)spawn->argv);
	}
	*ret_errno = errno;
	_exit(127);
}

int spawn_start(const struct spawn *spawn, struct instance *instance, struct timeline *timeline, struct error *err)
{
	volatile int exec_errno = 0;
	int pair[2];
	sigset_t all, before;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "socket pair");
	/* No handler of ours may run in the child while it shares our memory. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = vfork();
	if (pid == 0)
		exec_child(spawn, pair[1], timeline, &exec_errno);
	int fork_errno = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	instance->read_fd = instance->write_fd = pair[0];
	if (pid < 0)
		return error_set(err, fork_errno, "vfork: %s", strerror(fork_errno));
	instance->pids[0] = pid;
	instance->n_pids = 1;
	if (exec_errno)
		return error_set(err, exec_errno, "cannot run %s: %s", spawn->argv[0], strerror(exec_errno));
	return 0;
}

bool spawn_wait(struct instance *instance, int timeout_ms)
{
	if (instance->n_pids == 0)
		return true;

	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, instance->pids[0], 0);
	struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
	if (pidfd >= 0 && poll(&pfd, 1, timeout_ms) <= 0)
		return false;
	while (waitpid(instance->pids[0], NULL, 0) < 0 && errno == EINTR)
		;
	instance->n_pids = 0;
	return true;
}

void spawn_close_stream(struct instance *instance)
{
	if (instance->read_fd >= 0)
		close(instance->read_fd);
	instance->read_fd = instance->write_fd = -1;
}

int spawn_parse_cpuset(const char *text, cpu_set_t *ret, struct error *err)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (const char *p = text; *p;) {
		char *end;
		long first = strtol(p, &end, 10), last = first;

		if (end != p && *end == '-') {
			p = end + 1;
			last = strtol(p, &end, 10);
		}
		if (end == p || first < 0 || last < first || last >= CPU_SETSIZE || (*end && *end != ','))
			return error_set(err, EINVAL, "'%s' is not a list of CPUs; expected e.g. 0-3,6", text);
		for (long cpu = first; cpu <= last; cpu++)
			CPU_SET((size_t)cpu, &set);
		p = *end == ',' ? end + 1 : end;
	}
	*ret = set;
	return 0;
}

void spawn_bind(const char *cpuset)
{
	cpu_set_t set;

	if (cpuset[0] && spawn_parse_cpuset(cpuset, &set, NULL) == 0)
		sched_setaffinity(0, sizeof(set), &set);
}
