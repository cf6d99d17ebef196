/* The journal of kernel objects: what a run is about to make is named here first, so that whoever survives can undo it.
 *
 * One append-only text file a worker, one line an object: "<kind> <argument>". Undone in reverse order by journal_undo(): by the supervisor when
 * a worker or bench dies, by `bench clean` after that. Undoing what is not there is success, so names are never struck out. */
#pragma once

#include <bench/error.h>

#include <stddef.h>
#include <stdint.h>

enum journal_kind {
	JOURNAL_CGROUP,  /* absolute directory of a cgroup: its processes are killed, then it is removed */
	JOURNAL_MOUNT,   /* mount point, unmounted lazily */
	JOURNAL_PATH,    /* file or tree, removed; must lie below a run directory */
	JOURNAL_PROCESS, /* "<pid> <start ticks>": killed if it is still the same process */
	JOURNAL_PROCESSES, /* "<program prefix> <directory of the run>": every such program whose command line names a path below it is killed */
	JOURNAL_DOMAIN, /* "<mark> <pool> <URI>": what bears that mark at a libvirt daemon, ended by the handler given to journal_undo() */
	JOURNAL_LINK,   /* name of a network link, deleted by the handler given to journal_undo() */
	JOURNAL_KIND_COUNT
};

struct journal;

/* Opens (creates, 0600) the file for appending. */
int journal_open(const char *path, struct journal **ret, struct error *err);
void journal_close(struct journal *journal);

/* Its descriptor, for who closes all others (-1: NULL). */
int journal_fd(const struct journal *journal);

/* Appends one object; on disk for other processes when it returns (one write(2), ~1 us on tmpfs). A NULL journal accepts everything. */
int journal_add(struct journal *journal, enum journal_kind kind, const char *argument, struct error *err);

/* What undoes a kind that base/ cannot (libvirt domains, links); returns 0 when the object is gone. */
typedef int (*journal_handler)(enum journal_kind kind, const char *argument, void *arg, struct error *err);

/* Undoes all of a journal file in reverse order; goes on after a failure and returns the number of objects that resisted (err: the last one). */
int journal_undo(const char *path, journal_handler handler, void *arg, struct error *err);

/* Calls `visit` for each object of a journal file that still exists on this host. Returns how many there are. */
int journal_leftovers(const char *path, void (*visit)(enum journal_kind kind, const char *argument, void *arg), void *arg);

extern const char *const journal_kind_names[JOURNAL_KIND_COUNT];
