/* A person (or a pipe) in front of a process in a container: its standard streams, its terminal, signals both ways, and the wait for its end.
 * Shared by `run` and `exec`.
 *
 * Order: open (signals wait from here on), start the process with session_stdio(), attach, run, [stop the container], drain, close. Closing is
 * safe at any time, and gives the terminal back as it was. */
#pragma once

#include "log_file.h"
#include "relay.h"
#include "tty.h"

#include <bench/error.h>

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct session_options {
	bool interactive;       /* our standard input goes in; else it has an empty one */
	bool terminal;          /* it has a terminal of its own */
	const char *log_folder; /* output goes into the log there; NULL: to our standard streams */
};

struct session {
	struct session_options options;
	struct relay relay;
	struct tty tty;
	struct log_file log;
	int theirs[3], ours[3]; /* ends of the pipes; -1: none */
	int terminal_fd;
	int signal_fd;
	bool masked;
	sigset_t before;
	void (*pipe_before)(int);
	int instead_of;     /* the signal in whose place SIGKILL was sent (deliver.h); 0: none */
	unsigned n_insists; /* requests to end that it got */
};
#define SESSION_NONE                                                                                                                       \
	((struct session){.tty = {.fd = -1},                                                                                               \
			  .log = {.fd = -1, .lost_fd = -1},                                                                                \
			  .theirs = {-1, -1, -1},                                                                                          \
			  .ours = {-1, -1, -1},                                                                                            \
			  .terminal_fd = -1,                                                                                               \
			  .signal_fd = -1})

/* `session` is SESSION_NONE, or as close left it. */
int session_open(struct session *session, const struct session_options *options, struct error *err);

/* Descriptors for container_start(): valid until attach. */
const int *session_stdio(const struct session *session);

/* The process runs. `terminal_fd`: master of its terminal (taken over), or -1. */
int session_attach(struct session *session, int terminal_fd, struct error *err);

enum session_end { SESSION_ENDED, SESSION_TIMED_OUT };

/* Until the process of the pidfd has ended (it is not reaped), or the deadline (CLOCK_MONOTONIC; 0: none) has passed. The third request to end
 * becomes SIGKILL. Returns enum session_end or -errno. */
int session_run(struct session *session, pid_t pid, int pidfd, bool own_pids, int64_t deadline_ns, struct error *err);

/* Carries on what the container had written before its end, as long as somebody reads it; another request to end gives that up. */
void session_drain(struct session *session);

/* Idempotent. */
void session_close(struct session *session);
