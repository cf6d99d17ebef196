#include "user.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <base/files.h>
#include <base/journal.h>
#include <base/process.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_FD = 3, EXIT_FD = 4, TIMEOUT_MS = 5000, END_MS = 1000, ARGUMENTS = 24 };

struct network_user {
	pid_t pid;
	int pidfd;
	int exit_fd; /* slirp4netns ends when it is closed, also by our death */
	char program[16];
};

/* Both programs open it as the user who runs them. */
#define TUN_DEVICE "/dev/net/tun"

static const char *const programs[] = {"pasta", "slirp4netns"};

int network_user_support(const char *program, char *ret_path, size_t size, struct error *err)
{
	if (geteuid() != 0 && access(TUN_DEVICE, R_OK | W_OK) < 0) {
		error_errno(err, "no network for an ordinary user: " TUN_DEVICE);
		return error_hint(err, "as root: chmod 666 " TUN_DEVICE " (udev does it on most hosts), or run without a network");
	}
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if ((!program || strcmp(program, programs[i]) == 0) && process_find(programs[i], ret_path, size))
			return 0;
	error_set(err, ENOENT, "no network for an ordinary user: there is no %s", program ? program : "pasta and no slirp4netns");
	return error_hint(err, "install the package passt or slirp4netns, or run without a network");
}

/* What a start needs, on the stack of network_user_start(). */
struct start {
	const struct network_user_options *options;
	const char *link;
	char path[PATH_MAX], pid[16];
	bool is_pasta;
	int ready_read, ready_write, exit_read, exit_write, go_read, go_write, log_fd;
	int64_t deadline_ns;
};

static void start_done(struct start *start)
{
	int *const fds[] = {&start->ready_read, &start->ready_write, &start->exit_read, &start->exit_write,
			    &start->go_read,    &start->go_write,    &start->log_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		cleanup_close(fds[i]);
}

static int make_pipe(int *ret_read, int *ret_write, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "pipe");
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

/* No port is forwarded in either direction, and the gateway's address does not stand for the host's loopback. */
static void pasta_arguments(const struct start *start, const char **ret)
{
	const char *const arguments[] = {start->path, "--foreground", "--quiet",   "--config-net", "--no-map-gw", "-t",
					 "none",      "-u",           "none",      "-T",           "none",        "-U",
					 "none",      "--ns-ifname",  start->link, start->pid,     NULL};

	memcpy(ret, arguments, sizeof(arguments));
}

static void slirp_arguments(const struct start *start, const char **ret)
{
	const char *const arguments[] = {
		start->path, "--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=3", "--exit-fd=4",
		start->pid,  start->link,   NULL};

	memcpy(ret, arguments, sizeof(arguments));
}

/* In the child. The pipes may have any number, also each other's: first out of the way, then into place. */
static void run_child(const struct start *start, const char *const argv[])
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC), ready = fcntl(start->ready_write, F_DUPFD_CLOEXEC, 16);
	int exit_fd = fcntl(start->exit_read, F_DUPFD_CLOEXEC, 16), log = fcntl(start->log_fd, F_DUPFD_CLOEXEC, 16);
	int go = fcntl(start->go_read, F_DUPFD_CLOEXEC, 16);
	sigset_t none;
	char byte;

	close(start->go_write);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null_fd, 0);
	dup2(log, 1);
	dup2(log, 2);
	if (!start->is_pasta) {
		dup2(ready, READY_FD);
		dup2(exit_fd, EXIT_FD);
	}
	/* Not before our name is in the journal; never, if our parent dies now. */
	if (read(go, &byte, 1) == 1)
		execv(argv[0], (char *const *)argv);
	dprintf(2, "exec: %s\n", strerror(errno));
	_exit(127);
}

static int name_in_journal(const struct start *start, pid_t pid, struct error *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %lld", (int)pid, (long long)process_start_ticks(pid));
	return journal_add(start->options->journal, JOURNAL_PROCESS, text, err);
}

static int launch(struct start *start, struct network_user *ret, struct error *err)
{
	const char *argv[ARGUMENTS] = {0};

	if (start->is_pasta)
		pasta_arguments(start, argv);
	else
		slirp_arguments(start, argv);
	ret->pid = fork();
	if (ret->pid < 0)
		return error_errno(err, "fork for %s", start->path);
	if (ret->pid == 0)
		run_child(start, argv);
	ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
	int rc = ret->pidfd < 0 ? error_errno(err, "pidfd of %s", start->path) : name_in_journal(start, ret->pid, err);
	if (rc == 0 && write(start->go_write, "x", 1) != 1)
		rc = error_errno(err, "start %s", start->path);
	/* Without our copies the ends of the pipes tell of the helper's death. */
	close(take_fd(&start->go_write));
	close(take_fd(&start->ready_write));
	close(take_fd(&start->exit_read));
	return rc;
}

/* ---- ready? ---- */

static bool text_has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *hit = text; (hit = strstr(hit, word)); hit += length)
		if ((hit == text || strchr(" \n", hit[-1])) && strchr(" \t:\n", hit[length]))
			return true;
	return false;
}

/* pasta has no descriptor to say so: it is ready when the default route goes by its link. */
static bool has_route(const struct start *start)
{
	char path[64], text[8192];

	snprintf(path, sizeof(path), "/proc/%s/net/route", start->pid);
	return file_read("", path, text, sizeof(text), NULL) > 0 && text_has_word(text, start->link);
}

/* Waits for at most `ms` for a word on the ready descriptor, or the end of the helper. Returns 1: ready, 0: not yet, -ECHILD: ended. */
static int wait_a_moment(const struct start *start, const struct network_user *user, int ms)
{
	struct pollfd fds[] = {{.fd = user->pidfd, .events = POLLIN}, {.fd = start->is_pasta ? -1 : start->ready_read, .events = POLLIN}};
	char byte;

	if (start->is_pasta && has_route(start))
		return 1;
	if (poll(fds, 2, ms) < 0)
		return 0;
	if (fds[1].revents & POLLIN && read(start->ready_read, &byte, 1) == 1)
		return 1;
	return fds[0].revents ? -ECHILD : 0;
}

/* The last line of what it said, for the message. */
static void last_words(const struct start *start, char *ret, size_t size)
{
	char text[2048];
	ssize_t length = pread(start->log_fd, text, sizeof(text) - 1, 0);

	while (length > 0 && strchr("\n ", text[length - 1]))
		length--;
	text[length > 0 ? length : 0] = '\0';
	const char *line = strrchr(text, '\n');
	snprintf(ret, size, "%s", line ? line + 1 : text);
}

static int wait_ready(const struct start *start, const struct network_user *user, struct error *err)
{
	char words[200];

	for (;;) {
		int64_t left_ms = (start->deadline_ns - clock_now_ns()) / 1000000;
		int rc = left_ms <= 0 ? -ETIMEDOUT : wait_a_moment(start, user, start->is_pasta ? 2 : (int)left_ms);

		if (rc == 1)
			return 0;
		if (rc == 0)
			continue;
		last_words(start, words, sizeof(words));
		return error_set(err, -rc, "%s %s%s%s", user->program, rc == -ECHILD ? "ended at once" : "was not ready in time",
				 words[0] ? ": " : "", words);
	}
}

/* ---- start, stop ---- */

static int prepare(struct start *start, struct network_user *user, struct error *err)
{
	int rc = network_user_support(start->options->program, start->path, sizeof(start->path), err);

	if (rc < 0)
		return rc;
	const char *name = strrchr(start->path, '/');
	snprintf(user->program, sizeof(user->program), "%s", name ? name + 1 : start->path);
	start->is_pasta = strcmp(user->program, programs[0]) == 0;
	start->link = start->options->link ? start->options->link : "tap0";
	snprintf(start->pid, sizeof(start->pid), "%d", (int)start->options->pid);
	int timeout_ms = start->options->timeout_ms > 0 ? start->options->timeout_ms : TIMEOUT_MS;
	start->deadline_ns = clock_now_ns() + (int64_t)timeout_ms * 1000000;
	start->log_fd = memfd_create("network-user", MFD_CLOEXEC);
	if (start->log_fd < 0)
		return error_errno(err, "log of %s", user->program);
	if ((rc = make_pipe(&start->ready_read, &start->ready_write, err)) < 0 ||
	    (rc = make_pipe(&start->exit_read, &start->exit_write, err)) < 0)
		return rc;
	return make_pipe(&start->go_read, &start->go_write, err);
}

int network_user_start(const struct network_user_options *options, struct network_user **ret, struct error *err)
{
	_cleanup_(start_done) struct start start = {options,          .ready_read = -1, .ready_write = -1, .exit_read = -1,
						    .exit_write = -1, .go_read = -1,    .go_write = -1,    .log_fd = -1};
	struct network_user *user = calloc(1, sizeof(*user));

	if (!user)
		return error_set(err, ENOMEM, "network of a user: out of memory");
	*user = (struct network_user){.pidfd = -1, .exit_fd = -1};
	int rc = prepare(&start, user, err);
	if (rc == 0)
		rc = launch(&start, user, err);
	user->exit_fd = take_fd(&start.exit_write);
	if (rc == 0)
		rc = wait_ready(&start, user, err);
	if (rc < 0) {
		network_user_stop(user);
		return rc;
	}
	*ret = user;
	return 0;
}

const char *network_user_program(const struct network_user *user)
{
	return user->program;
}

pid_t network_user_pid(const struct network_user *user)
{
	return user->pid;
}

int network_user_fd(const struct network_user *user)
{
	return user->pidfd;
}

static bool ends_within(const struct network_user *user, int ms)
{
	struct pollfd pfd = {.fd = user->pidfd, .events = POLLIN};
	int rc;

	do
		rc = poll(&pfd, 1, ms);
	while (rc < 0 && errno == EINTR);
	return rc > 0;
}

void network_user_stop(struct network_user *user)
{
	if (!user)
		return;
	if (user->exit_fd >= 0)
		close(user->exit_fd);
	if (user->pid > 0) {
		/* Not reaped yet, so the pid is its own. */
		kill(user->pid, SIGTERM);
		if (user->pidfd < 0 || !ends_within(user, END_MS))
			kill(user->pid, SIGKILL);
		while (waitpid(user->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (user->pidfd >= 0)
		close(user->pidfd);
	free(user);
}
