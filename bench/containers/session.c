#include "session.h"

#include "deliver.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FD_SIGNAL, FD_PROCESS, FD_RELAY, FDS = FD_RELAY + RELAY_CHANNELS_MAX, INSISTS_MAX = 3 };

/* ---- opening and closing ---- */

/* TSTP and CONT only while we hold the terminal in raw mode: it must be given back before we stop. */
static int take_signals(struct session *session, struct error *err)
{
	static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		sigaddset(&set, forwarded[i]);
	if (session->options.terminal) {
		sigaddset(&set, SIGTSTP);
		sigaddset(&set, SIGCONT);
	}
	sigprocmask(SIG_BLOCK, &set, &session->before);
	session->pipe_before = signal(SIGPIPE, SIG_IGN);
	session->masked = true;
	session->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return session->signal_fd < 0 ? error_errno(err, "signalfd") : 0;
}

/* Our end does not block; theirs is as programs expect it. */
static int make_pipe(struct session *session, int stream, struct error *err)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "pipe for standard stream %d", stream);
	session->theirs[stream] = pair[stream == 0 ? 0 : 1];
	session->ours[stream] = pair[stream == 0 ? 1 : 0];
	/* Whoever the program is inside may open /dev/stdout anew. None but those who hold an end can name it. */
	if (fchmod(pair[0], 0666) < 0)
		return error_errno(err, "mode of the pipe for standard stream %d", stream);
	if (fcntl(session->ours[stream], F_SETFL, O_NONBLOCK) < 0)
		return error_errno(err, "pipe for standard stream %d", stream);
	return 0;
}

int session_open(struct session *session, const struct session_options *options, struct error *err)
{
	int rc;

	*session = SESSION_NONE;
	session->options = *options;
	rc = options->log_folder ? log_file_open(options->log_folder, 0, &session->log, err) : 0;
	if (rc == 0)
		rc = take_signals(session, err);
	for (int stream = options->interactive ? 0 : 1; rc == 0 && !options->terminal && stream < 3; stream++)
		rc = make_pipe(session, stream, err);
	if (rc < 0)
		session_close(session);
	return rc;
}

const int *session_stdio(const struct session *session)
{
	return session->theirs;
}

static void close_pipes(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		cleanup_close(&fds[i]);
		fds[i] = -1;
	}
}

void session_close(struct session *session)
{
	tty_restore(&session->tty);
	relay_done(&session->relay);
	close_pipes(session->theirs);
	close_pipes(session->ours);
	cleanup_close(&session->terminal_fd);
	cleanup_close(&session->signal_fd);
	log_file_close(&session->log);
	if (session->masked) {
		signal(SIGPIPE, session->pipe_before);
		sigprocmask(SIG_SETMASK, &session->before, NULL);
	}
	*session = SESSION_NONE;
}

/* ---- attaching ---- */

static int attach_output(struct session *session, int from, int to, struct error *err)
{
	if (session->log.fd >= 0)
		return relay_add_log(&session->relay, from, &session->log, err);
	return relay_add(&session->relay, from, to, true, false, err);
}

/* Keys are taken one by one only where we have both: a terminal in front and one inside. */
static int attach_terminal(struct session *session, struct error *err)
{
	int to = fcntl(session->terminal_fd, F_DUPFD_CLOEXEC, 3), rc = 0;

	if (to < 0 || fcntl(session->terminal_fd, F_SETFL, O_NONBLOCK) < 0)
		rc = error_errno(err, "terminal");
	if (!session->options.log_folder)
		session->tty = tty_find();
	tty_copy_size(&session->tty, session->terminal_fd);
	session->relay.joined = true;
	if (rc == 0 && session->options.interactive)
		rc = relay_add(&session->relay, STDIN_FILENO, to, false, true, err);
	else
		cleanup_close(&to);
	if (rc == 0)
		rc = attach_output(session, take_fd(&session->terminal_fd), STDOUT_FILENO, err);
	if (rc == 0 && session->options.interactive && isatty(STDIN_FILENO))
		rc = tty_raw(&session->tty, err);
	return rc;
}

int session_attach(struct session *session, int terminal_fd, struct error *err)
{
	int rc = 0;

	close_pipes(session->theirs);
	session->terminal_fd = terminal_fd;
	if (session->options.terminal)
		return terminal_fd < 0 ? error_set(err, ENOTTY, "the container came without its terminal") : attach_terminal(session, err);
	if (session->ours[0] >= 0)
		rc = relay_add(&session->relay, STDIN_FILENO, take_fd(&session->ours[0]), false, true, err);
	for (int stream = 1; rc == 0 && stream < 3; stream++)
		rc = attach_output(session, take_fd(&session->ours[stream]), stream, err);
	return rc;
}

/* ---- the loop ---- */

static int terminal_of(const struct session *session)
{
	size_t last = session->relay.n - 1; /* output comes last */

	return session->options.terminal && session->relay.n > 0 ? session->relay.channels[last].from : -1;
}

static void resume_terminal(struct session *session, bool was_raw)
{
	int inside = terminal_of(session);

	if (was_raw)
		tty_raw(&session->tty, NULL);
	if (inside >= 0)
		tty_copy_size(&session->tty, inside);
}

/* Ctrl-Z goes inside as a key; this is the signal, sent by somebody else. */
static void stop_ourselves(struct session *session)
{
	bool was_raw = session->tty.raw;

	tty_restore(&session->tty);
	raise(SIGSTOP);
	resume_terminal(session, was_raw);
}

static int forward(struct session *session, pid_t pid, int pidfd, bool own_pids, int number, struct error *err)
{
	bool insists = number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGQUIT;

	session->n_insists += insists;
	if (insists && session->n_insists >= INSISTS_MAX && session->instead_of == 0) {
		session->instead_of = number;
		number = SIGKILL;
	}
	int rc = deliver_signal(pid, pidfd, own_pids, number, err);
	if (rc > 0 && session->instead_of == 0)
		session->instead_of = number;
	return rc == -ESRCH ? 0 : rc < 0 ? rc : 0;
}

static int handle_signals(struct session *session, pid_t pid, int pidfd, bool own_pids, struct error *err)
{
	struct signalfd_siginfo info;
	int rc = 0;

	while (rc == 0 && read(session->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGWINCH && session->options.terminal)
			resume_terminal(session, false);
		else if (number == SIGCONT)
			resume_terminal(session, session->tty.raw);
		else if (number == SIGTSTP)
			stop_ourselves(session);
		else
			rc = forward(session, pid, pidfd, own_pids, number, err);
	}
	return rc;
}

/* Milliseconds for poll(); -1: no end. */
static int time_left_ms(int64_t deadline_ns)
{
	int64_t left_ms;

	if (deadline_ns == 0)
		return -1;
	left_ms = (deadline_ns - clock_now_ns() + 999999) / 1000000;
	return left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

int session_run(struct session *session, pid_t pid, int pidfd, bool own_pids, int64_t deadline_ns, struct error *err)
{
	struct pollfd fds[FDS] = {
		[FD_SIGNAL] = {.fd = session->signal_fd, .events = POLLIN}, [FD_PROCESS] = {.fd = pidfd, .events = POLLIN}};
	int rc = 0;

	while (rc == 0) {
		relay_wish(&session->relay, fds + FD_RELAY); /* nothing is draining yet */
		int n = poll(fds, FD_RELAY + session->relay.n, time_left_ms(deadline_ns));

		if (n < 0 && errno != EINTR)
			return error_errno(err, "poll");
		if (n == 0)
			return SESSION_TIMED_OUT;
		if (n < 0)
			continue;
		if (fds[FD_SIGNAL].revents)
			rc = handle_signals(session, pid, pidfd, own_pids, err);
		if (fds[FD_PROCESS].revents)
			return SESSION_ENDED;
		relay_work(&session->relay, fds + FD_RELAY);
	}
	return rc;
}

void session_drain(struct session *session)
{
	struct pollfd fds[FDS] = {[FD_SIGNAL] = {.fd = session->signal_fd, .events = POLLIN}, [FD_PROCESS] = {.fd = -1}};
	struct signalfd_siginfo info;
	size_t input = session->options.interactive ? 0 : RELAY_CHANNELS_MAX;

	relay_end(&session->relay, input);
	session->relay.draining = true;
	while (!relay_is_done(&session->relay)) {
		int timeout_ms = relay_wish(&session->relay, fds + FD_RELAY);

		if (poll(fds, FD_RELAY + session->relay.n, timeout_ms) < 0 && errno != EINTR)
			break;
		relay_work(&session->relay, fds + FD_RELAY);
		while (read(session->signal_fd, &info, sizeof(info)) == sizeof(info))
			if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT && info.ssi_signo != SIGTSTP)
				relay_done(&session->relay);
	}
}
