/* Who uses a bridge: one lock file a bridge and network namespace in /run/bench/network (below BENCH_RUN_DIR when that is set), held shared by every
 * user. The kernel drops the lock of a process that dies, so what is counted is who lives. Opening, closing and undoing are done one at a time, under a
 * lock on the folder (the gate). Folder and files go with the last user. */
#pragma once

#include <bench/error.h>

#include <net/if.h>
#include <stdbool.h>

struct share {
	int gate_fd; /* the folder, locked; -1 after share_leave_gate() */
	int lock_fd;
	char name[IFNAMSIZ + 24];
};
#define SHARE_NONE ((struct share){.gate_fd = -1, .lock_fd = -1})

/* Passes the gate and opens the lock of a bridge; makes folder and file where needed. `ret_alone`: nobody else uses the bridge; then the lock is held
 * exclusively until share_hold(). */
int share_enter(const char *bridge, struct share *ret, bool *ret_alone, struct error *err);

/* Becomes a user of the bridge, and leaves the gate. */
int share_hold(struct share *share, struct error *err);

/* For a user: passes the gate again and says whether nobody else uses the bridge (then the lock is held exclusively). */
int share_reenter(struct share *share, bool *ret_alone, struct error *err);

/* Stops to be a user. `alone`, as said by enter or reenter: removes the file, those that
 * processes which were killed left behind, and the folder if it is empty. */
void share_leave(struct share *share, bool alone);
