#include "supervisor.h"

#include "worker.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <base/files.h>
#include <drivers/spawn.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { KILL_TIMEOUT_S = 10 };

struct guard {
	int socket_fd, signal_fd;
	struct run_dir run_dir;
	pid_t workers[RUN_WORKERS_MAX]; /* 0: none */
};

/* ---- the end of everything below us: used by the supervisor, and by bench when the supervisor is dead ---- */

static void kill_children(void)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	char path[64], text[1024];

	for (struct dirent *entry; proc && (entry = readdir(proc));) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		if (pid <= 1 || file_read("", path, text, sizeof(text), NULL) < 0)
			continue;
		const char *name_end = strrchr(text, ')');
		if (name_end && strlen(name_end) > 4 && strtol(name_end + 4, NULL, 10) == getpid())
			kill(pid, SIGKILL);
	}
}

/* As a subreaper every descendant becomes our child once its parents are dead: kill and reap until there is none. */
static void kill_descendants(void)
{
	int64_t deadline_ns = clock_now_ns() + KILL_TIMEOUT_S * INT64_C(1000000000);

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if ((pid < 0 && errno == ECHILD) || clock_now_ns() > deadline_ns)
			return;
		if (pid != 0)
			continue;
		kill_children();
		nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	}
}

/* ---- supervisor ---- */

static void redirect_streams(const char *log_path)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log_fd = log_path ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	dup2(null_fd, 0);
	dup2(log_fd >= 0 ? log_fd : null_fd, 1);
	dup2(log_fd >= 0 ? log_fd : null_fd, 2);
	close(null_fd);
	if (log_fd >= 0)
		close(log_fd);
}

static void log_path_of(const struct guard *guard, unsigned index, char *ret, size_t size)
{
	snprintf(ret, size, "%s/w%u.log", guard->run_dir.path, index);
}

_Noreturn static void worker_child(const struct guard *guard, const struct spawn_request *request, int socket_fd, pid_t parent)
{
	char log_path[PATH_MAX];
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(guard->socket_fd);
	close(guard->signal_fd);
	log_path_of(guard, request->index, log_path, sizeof(log_path));
	redirect_streams(log_path);
	_exit(worker_main(request, socket_fd));
}

static void notify(const struct guard *guard, const struct exit_notice *notice)
{
	message_send(guard->socket_fd, notice, sizeof(*notice), -1);
}

static void spawn_worker(struct guard *guard, const struct spawn_request *request, int socket_fd)
{
	pid_t self = getpid(), pid = -1;

	spawn_bind(request->cpuset_measure); /* reaping is part of a guest's stop, and must not disturb an instance */
	if (request->index < RUN_WORKERS_MAX && socket_fd >= 0)
		pid = fork();
	if (pid == 0)
		worker_child(guard, request, socket_fd, self);
	if (pid > 0) {
		guard->workers[request->index] = pid;
		return;
	}
	struct exit_notice notice = {.index = request->index, .wait_status = 0xff00};
	error_errno(&notice.error, "fork a worker");
	notify(guard, &notice);
}

/* The last line that a worker that died wrote: a sanitizer's or libvirt's last words. */
static void last_words(const struct guard *guard, unsigned index, char *ret, size_t size)
{
	char path[PATH_MAX], text[8192];

	ret[0] = '\0';
	log_path_of(guard, index, path, sizeof(path));
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t length = fd < 0 ? 0 : pread(fd, text, sizeof(text) - 1, end > (off_t)sizeof(text) ? end - (off_t)sizeof(text) + 1 : 0);

	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '='))
		length--;
	if (length <= 0)
		return;
	text[length] = '\0';
	const char *summary = strstr(text, "ERROR: "), *line = summary ? summary : strrchr(text, '\n');
	snprintf(ret, size, "%.*s", (int)strcspn(line ? line + !summary : text, "\n"), line ? line + !summary : text);
}

static void worker_ended(struct guard *guard, unsigned index, int wait_status)
{
	struct exit_notice notice = {.index = index, .wait_status = wait_status};
	char words[200];

	guard->workers[index] = 0;
	if (WIFSIGNALED(wait_status))
		error_set(&notice.error, ECHILD, "its worker was killed by signal %d (%s)", WTERMSIG(wait_status),
			  strsignal(WTERMSIG(wait_status)));
	else if (WEXITSTATUS(wait_status) != 0)
		error_set(&notice.error, ECHILD, "its worker ended with status %d", WEXITSTATUS(wait_status));
	last_words(guard, index, words, sizeof(words));
	if (notice.error.code && words[0])
		error_hint(&notice.error, "its last words: %s", words);
	int rc = run_dir_undo_worker(guard->run_dir.path, index, notice.error.code ? NULL : &notice.error);
	notice.resisted = rc < 0 ? 1 : rc;
	notify(guard, &notice);
}

static void reap(struct guard *guard)
{
	struct signalfd_siginfo info;
	int wait_status;

	if (read(guard->signal_fd, &info, sizeof(info)) < 0 && errno != EAGAIN)
		return;
	for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;)
		for (unsigned i = 0; i < RUN_WORKERS_MAX; i++)
			if (guard->workers[i] == pid)
				worker_ended(guard, i, wait_status);
}

static void guard_loop(struct guard *guard)
{
	for (;;) {
		struct pollfd pfd[] = {{.fd = guard->signal_fd, .events = POLLIN}, {.fd = guard->socket_fd, .events = POLLIN}};

		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return;
		if (pfd[0].revents)
			reap(guard);
		if (pfd[1].revents) {
			struct spawn_request request;
			int fd;

			if (message_receive(guard->socket_fd, &request, sizeof(request), &fd) != 1)
				return;
			spawn_worker(guard, &request, fd);
			if (fd >= 0)
				close(fd);
		}
	}
}

/* First message to bench: the run folder, or why there is none. */
struct start_notice {
	struct run_dir run_dir;
	struct error error;
};

_Noreturn static void supervisor_main(int socket_fd)
{
	struct guard guard = {.socket_fd = socket_fd};
	struct start_notice notice = {0};
	sigset_t child;

	setsid(); /* Ctrl-C at the terminal is bench's business */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NAME, "bench-super");
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	guard.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	redirect_streams(NULL);
	if (guard.signal_fd < 0)
		error_errno(&notice.error, "signalfd");
	else
		run_dir_create(&notice.run_dir, &notice.error);
	guard.run_dir = notice.run_dir;
	message_send(socket_fd, &notice, sizeof(notice), notice.error.code ? -1 : guard.run_dir.lock_fd);
	if (notice.error.code)
		_exit(1);
	guard_loop(&guard);
	kill_descendants();
	_exit(run_dir_undo(guard.run_dir.path, NULL) == 0 ? 0 : 2);
}

/* ---- bench's end ---- */

int supervisor_start(struct supervisor *ret, struct error *err)
{
	struct start_notice notice = {0};
	int pair[2], lock_fd, rc = message_pair(pair, err);

	if (rc < 0)
		return rc;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		supervisor_main(pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return error_errno(err, "fork the supervisor");
	}
	rc = message_receive(pair[0], &notice, sizeof(notice), &lock_fd);
	if (rc != 1)
		error_set(&notice.error, ECHILD, "the supervisor ended at its start");
	if (notice.error.code) {
		close(pair[0]);
		waitpid(pid, NULL, 0);
		if (err)
			*err = notice.error;
		return -notice.error.code;
	}
	*ret = (struct supervisor){.pid = pid, .socket_fd = pair[0], .run_dir = notice.run_dir};
	ret->run_dir.lock_fd = lock_fd;
	return 0;
}

int supervisor_spawn(struct supervisor *supervisor, struct spawn_request *request, int *ret_fd, struct error *err)
{
	int pair[2], rc = message_pair(pair, err);

	if (rc < 0)
		return rc;
	snprintf(request->run_path, sizeof(request->run_path), "%s", supervisor->run_dir.path);
	snprintf(request->cache_dir, sizeof(request->cache_dir), "%s", supervisor->run_dir.cache);
	rc = message_send(supervisor->socket_fd, request, sizeof(*request), pair[1]);
	close(pair[1]);
	if (rc < 0) {
		close(pair[0]);
		return error_set(err, -rc, "ask the supervisor for a worker: %s", strerror(-rc));
	}
	*ret_fd = pair[0];
	return 0;
}

int supervisor_notice(struct supervisor *supervisor, struct exit_notice *ret)
{
	struct pollfd pfd = {.fd = supervisor->socket_fd, .events = POLLIN};

	if (poll(&pfd, 1, 0) <= 0)
		return -EAGAIN;
	return message_receive(supervisor->socket_fd, ret, sizeof(*ret), NULL);
}

int supervisor_end(struct supervisor *supervisor, struct error *err)
{
	int wait_status = 0;
	pid_t pid;

	if (supervisor->socket_fd >= 0)
		close(take_fd(&supervisor->socket_fd));
	do
		pid = waitpid(supervisor->pid, &wait_status, 0);
	while (pid < 0 && errno == EINTR);
	int resisted = pid > 0 && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0 ? 0 : 1;
	if (resisted) {
		/* It was killed, or something resisted: what it could not do is ours to do. */
		kill_descendants();
		resisted = run_dir_undo(supervisor->run_dir.path, err);
	}
	close(supervisor->run_dir.lock_fd);
	if (resisted == 0)
		return 0;
	error_prefix(err, "%d objects of this run could not be removed", resisted);
	error_hint(err, "see 'bench clean --check'");
	return -EBUSY;
}
