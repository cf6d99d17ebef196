#include "process.h"

#include "files.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Our environment with LC_ALL=C: what tools print is parsed, and quoted in messages. The array is the caller's to free, the strings are not. */
static char **neutral_environment(void)
{
	static char locale[] = "LC_ALL=C";
	size_t count = 0, kept = 0;

	while (environ[count])
		count++;
	char **ret = calloc(count + 2, sizeof(*ret));
	for (size_t i = 0; ret && i < count; i++)
		if (strncmp(environ[i], "LC_ALL=", 7) != 0)
			ret[kept++] = environ[i];
	if (ret)
		ret[kept] = locale;
	return ret;
}

/* In the child: only async-signal-safe calls from here to exec, for others of our threads may hold locks (libvirt has some). */
static void run_child(const char *const argv[], char **envp, const char *cwd, int output_fd, bool with_stderr, int status_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	setpgid(0, 0); /* it, and what it starts, can be ended together; and whoever waits for it takes it along */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null_fd, 0);
	dup2(output_fd, 1);
	dup2(with_stderr ? output_fd : null_fd, 2);
	/* What our own caller left open is not for a tool, which may also count on low numbers. */
	syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
	if (!cwd || chdir(cwd) == 0)
		execvpe(argv[0], (char *const *)argv, envp);
	int code = errno;
	if (write(status_fd, &code, sizeof(code)) != sizeof(code))
		_exit(126);
	_exit(127);
}

/* Reads until end of file, the deadline, or a full buffer (then goes on discarding). Returns 0 or -ETIMEDOUT. */
static int collect_output(int fd, int64_t deadline_ns, char *ret, size_t size)
{
	size_t used = 0;

	for (;;) {
		int64_t left_ms = (deadline_ns - clock_now_ns() + 999999) / 1000000;
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		char discard[4096];

		if (left_ms <= 0)
			return -ETIMEDOUT;
		int ready = poll(&pfd, 1, (int)(left_ms < 1000 ? left_ms : 1000));
		if (ready <= 0)
			continue;
		bool room = ret && used + 1 < size;
		ssize_t got = read(fd, room ? ret + used : discard, room ? size - used - 1 : sizeof(discard));
		if (got == 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0 && room)
			ret[used += (size_t)got] = '\0';
	}
}

int process_run(const char *const argv[], const char *cwd, int timeout_ms, bool with_stderr, char *ret_output, size_t size,
		struct error *err)
{
	int output[2], status[2], code = 0, wait_status = 0;

	if (ret_output && size > 0)
		ret_output[0] = '\0';
	if (pipe2(output, O_CLOEXEC) < 0)
		return error_errno(err, "pipe for %s", argv[0]);
	_cleanup_close_ int output_read = output[0];
	_cleanup_close_ int output_write = output[1];
	if (pipe2(status, O_CLOEXEC) < 0)
		return error_errno(err, "pipe for %s", argv[0]);
	_cleanup_close_ int status_read = status[0];
	_cleanup_close_ int status_write = status[1];
	_cleanup_free_ char **envp = neutral_environment();
	if (!envp)
		return error_set(err, ENOMEM, "run %s: out of memory", argv[0]);
	pid_t pid = fork();
	if (pid < 0)
		return error_errno(err, "fork for %s", argv[0]);
	if (pid == 0)
		run_child(argv, envp, cwd, output_write, with_stderr, status_write);

	close(take_fd(&output_write));
	close(take_fd(&status_write));
	int rc = collect_output(output_read, clock_now_ns() + (int64_t)timeout_ms * 1000000, ret_output, size);
	if (rc < 0) {
		/* Not reaped yet, so the number is still its own. */
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	if (rc < 0)
		return error_set(err, -rc, "%s did not end within %d ms", argv[0], timeout_ms);
	if (read(status_read, &code, sizeof(code)) == sizeof(code))
		return error_set(err, code, "cannot run %s: %s", argv[0], strerror(code));
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

bool process_find(const char *name, char *ret, size_t size)
{
	const char *path = getenv("PATH");

	for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"; *p;) {
		size_t length = strcspn(p, ":");
		struct stat st;

		if (snprintf(ret, size, "%.*s/%s", (int)length, p, name) < (int)size && stat(ret, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(ret, X_OK) == 0)
			return true;
		p += length;
		p += *p == ':';
	}
	return false;
}

int64_t process_start_ticks(pid_t pid)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read("", path, text, sizeof(text), NULL) < 0)
		return -1;
	/* The name in parentheses may hold anything; fields are counted from the last ')': state is 3, start time 22. */
	char *p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p ? strtoll(p, NULL, 10) : -1;
}

/* The descriptor first, then the look: the number cannot pass to another process unnoticed between the two. */
int process_open(pid_t pid, int64_t start_ticks)
{
	_cleanup_close_ int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (pidfd < 0)
		return pid > 0 ? -errno : -ESRCH;
	return start_ticks >= 0 && process_start_ticks(pid) == start_ticks ? take_fd(&pidfd) : -ESRCH;
}
