/* The folders of a run, and what is undone from them after it.
 *
 *   run folder    /run/bench/<id> (root), $XDG_RUNTIME_DIR/bench/<id> or /tmp/bench-<uid>/<id>; BENCH_RUN_DIR=DIR: below DIR/bench.
 *                 Private (0700), holds one folder and one journal a worker and the lock file; gone after the run.
 *   cache folder  /var/cache/bench (root), $XDG_CACHE_HOME/bench or ~/.cache/bench; BENCH_CACHE_DIR moves it. Kept between runs.
 *
 * The lock is held by every process of the run through one inherited descriptor: a run folder whose lock is free belongs to a dead run. */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { RUN_WORKERS_MAX = 1024 }; /* of one run, those that took the place of dead ones included */

struct run_dir {
	char path[128]; /* short: sockets live below it */
	char id[16];
	char cache[PATH_MAX];
	int lock_fd;
};

/* Creates both and takes the lock. */
int run_dir_create(struct run_dir *ret, struct error *err);

/* The parent of all run folders of this user. */
int run_dir_parent(char *ret, size_t size, struct error *err);

/* The cache folder's path; when `make`, made, and refused (-EPERM) when it is another user's (root's is fine) or others may write to it. */
int cache_dir_path(char *ret, size_t size, bool make, struct error *err);

/* Removes the cache; refuses a folder that does not bear our tag. */
int cache_dir_remove(struct error *err);

/* Undoes the journal of one worker ("w<index>.journal"). Returns how many objects resisted, -errno when it cannot be read. */
int run_dir_undo_worker(const char *run_path, unsigned index, struct error *err);

/* Undoes all journals of a run, last worker first, and removes its folder (and the parent when that is empty). Returns how many objects resisted. */
int run_dir_undo(const char *run_path, struct error *err);

/* Calls `visit` for every run folder of this user; `alive` tells whether its lock is held. Returns how many there are or -errno. */
int run_dir_each(void (*visit)(const char *run_path, bool alive, void *arg), void *arg, struct error *err);

/* Counts (and visits) what the journals of a run still find on this host. */
int run_dir_leftovers(const char *run_path, void (*visit)(const char *kind, const char *argument, void *arg), void *arg);
