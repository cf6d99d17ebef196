/* Namespaces of processes as /proc tells them: which ones, who shares each, and the mapping of users. Reads below a root prefix ("" on a live
 * host) and changes nothing. What the caller may not see is counted, never guessed: without privilege the links of other users' processes are
 * closed (ptrace access mode), and a mount of /proc with hidepid hides the processes themselves. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The links of /proc/PID/ns, in their order there. */
enum namespace_kind {
	NAMESPACE_CGROUP,
	NAMESPACE_IPC,
	NAMESPACE_MOUNT,
	NAMESPACE_NET,
	NAMESPACE_PID,
	NAMESPACE_PID_CHILDREN, /* that of children to come: differs after unshare() or setns() alone */
	NAMESPACE_TIME,
	NAMESPACE_TIME_CHILDREN,
	NAMESPACE_USER,
	NAMESPACE_UTS,
	NAMESPACE_KIND_COUNT
};
extern const char *const namespace_kind_names[NAMESPACE_KIND_COUNT]; /* as in /proc: "mnt", "pid_for_children" */

/* Is it a namespace that the process itself is in? */
bool namespace_kind_is_own(enum namespace_kind kind);

enum { NAMESPACE_MAP_MAX = 16 };

/* `count` ids from `inside` on are those from `outside` on, in the reader's user namespace. */
struct namespace_map {
	uint32_t inside, outside, count;
};

struct namespaces {
	pid_t pid;
	char command[64];                      /* comm, "" when unknown */
	uint64_t inodes[NAMESPACE_KIND_COUNT]; /* 0: this kernel has none of the kind, or it may not be seen */
	bool hidden;                           /* at least one may not be seen */
	struct namespace_map uids[NAMESPACE_MAP_MAX], gids[NAMESPACE_MAP_MAX];
	size_t n_uids, n_gids; /* lines of the maps, cut at NAMESPACE_MAP_MAX */
};

/* -ESRCH with the process id in the message when there is no such process. */
int namespaces_read(const char *root, pid_t pid, struct namespaces *ret, struct error *err);

struct namespace_use {
	enum namespace_kind kind;
	uint64_t inode;
	size_t n_processes;
	pid_t first; /* lowest process id in it */
	char command[64];
};

/* Every namespace that a process is in, sorted by kind, then by its first process. */
struct namespace_table {
	struct namespace_use *uses; /* heap */
	size_t n_uses;
	size_t n_processes, n_hidden; /* seen at all; of them, those whose links are closed to the caller */
};

int namespace_table_read(const char *root, struct namespace_table *ret, struct error *err);
void namespace_table_done(struct namespace_table *table);

/* The line of one namespace, or NULL. */
const struct namespace_use *namespace_table_find(const struct namespace_table *table, enum namespace_kind kind, uint64_t inode);
