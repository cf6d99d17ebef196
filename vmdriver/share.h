/* A folder of the host that a guest sees by virtiofs: one virtiofsd a machine, which it talks to through a socket.
 *
 * Made to leave the folder as it is. The daemon is started in a user and a mount namespace of its own, where its only user is the caller and the folder
 * is mounted read-only, without set-user-ID programs and devices; there it shuts itself up in that folder, as it does by itself (namespaces, pivot_root,
 * seccomp). What the guest asks for cannot be more than the caller could read.
 *
 * Order of calls, one thread at a time: share_plan_make() once; for each machine share_begin(), share_go(), then QEMU connects to share.socket;
 * share_end(). The caller may have threads. Every virtiofsd has a path below the plan's folder on its command line, by which a supervisor finds it. */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

struct share_plan {
	char program[PATH_MAX], version[64];
	char folder[PATH_MAX]; /* the host's */
	char place[PATH_MAX];  /* an empty folder, where the daemon has it mounted */
	cpu_set_t cpus;        /* of the daemon; none: not bound */
	bool has_read_only;    /* the daemon has an option for it, besides */
};

struct share {
	pid_t pid; /* of our child, 0: none. The one that serves is a child of this one, where it has a pid namespace */
	int pidfd; /* of our child */
	int go_fd; /* it waits for a byte here, and says here why it did not become the daemon */
	char socket[PATH_MAX], log[PATH_MAX];
	bool died; /* before QEMU did: who notices sets it */
	int watch; /* of libvirt's event loop, -1: none */
};

#define SHARE_NONE ((struct share){.pidfd = -1, .go_fd = -1, .watch = -1})

/* Where the daemon is; -ENOENT with the package. */
int share_find(char *ret, size_t size, struct error *err);

/* `dir`: a private folder of the caller's; `cpuset`: in list format, empty: not bound. Asks the daemon for its version. */
int share_plan_make(const char *folder, const char *dir, const char *cpuset, struct share_plan *ret, struct error *err);

/* Listens at `socket` and forks; the child waits for share_go(), so that it can be put into a control group before it costs anything. */
int share_begin(const struct share_plan *plan, const char *socket, struct share *ret, struct error *err);
int share_go(struct share *share, struct error *err);

/* Those of its processes that live, the one of share.pid first. Returns how many. */
size_t share_pids(const struct share *share, pid_t *ret, size_t max);

/* It has ended, and not because QEMU had. False does not say that it lives: of a killed one the process that waited for it ends as if all were well. */
bool share_failed(const struct share *share);

/* Why it ended, in one line. */
int share_tell_end(const struct share *share, struct error *err);

/* Ends it, and removes socket and log. What was never begun is fine. */
void share_end(struct share *share);
