/* State folders: one a container, <run base>/containers/<id>/, private to its user (0700).
 *
 *   lock        held by the container's monitor (and its keeper) as long as it lives: a folder whose lock is free has no monitor any more
 *   journal     what was made for it (base/journal.h), so that others can undo it
 *   state.json  the state (state.h)
 *   log, log.1  output of a container that runs in the background (log_file.h)
 *
 * The run base is the caller's to choose and to pass ("/run/bench"); folders of other things in it are never looked at. */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { FOLDER_ID_HEX = 12, FOLDER_PATH_MAX = 160 };

struct folder {
	char id[FOLDER_ID_HEX + 1];
	char path[FOLDER_PATH_MAX]; /* short: names of cgroups and sockets come from it */
	int lock_fd;                /* -1: none */
};
#define FOLDER_NONE ((struct folder){.lock_fd = -1})

/* Makes one with a random id and takes its lock. A `name` (may be NULL) that another container bears is -EEXIST; it is written to the file
 * "name" under the same lock, so that two at once cannot both have it. */
int folder_create(const char *base, const char *name, struct folder *ret, struct error *err);

/* Removes the folder, and its parents when they are empty; closes the lock. Idempotent. */
int folder_remove(struct folder *folder, struct error *err);

/* <path>/<file> */
int folder_file(const char *path, const char *file, char *ret, size_t size, struct error *err);

/* Calls `visit` for each; `held`: its lock is taken, so it lives. Returns how many, or -errno. A base without containers has none. */
int folder_each(const char *base, void (*visit)(const char *path, const char *id, bool held, void *arg), void *arg, struct error *err);

bool folder_is_held(const char *path);

/* Waits until the lock is free or the folder gone; -ETIMEDOUT. */
int folder_wait_free(const char *path, int timeout_ms, struct error *err);

/* The folder of an id, of an unambiguous beginning of one, or of a name. -ENOENT, -ENOTUNIQ with what fits and what to do. */
int folder_find(const char *base, const char *word, char ret_path[FOLDER_PATH_MAX], struct error *err);

/* Undoes the journal of a container without monitor: processes, cgroups, mounts, links. Returns how many objects resisted, or -errno. */
int folder_undo(const char *path, struct error *err);

/* What the journal still finds on this host: calls `visit` (may be NULL) for each, returns how many. */
int folder_leftovers(const char *path, void (*visit)(const char *kind, const char *argument, void *arg), void *arg);
