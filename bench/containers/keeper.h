/* The keeper: a small process beside a container's monitor that outlives it just long enough to undo the container, should the monitor be killed.
 * The parent death signal alone would not do: a program that changes its user loses it, and it removes no cgroup.
 *
 *   monitor ──fork──► keeper      waits for the end of a pipe that the monitor alone holds
 *      └─► container               keeper: word of a proper end → goes; pipe closed without it → undoes the journal, removes the folder */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <sys/types.h>

struct keeper {
	pid_t pid; /* 0: none */
	int fd;
};
#define KEEPER_NONE ((struct keeper){.fd = -1})

/* `keep`: the folder stays, as that of a container that died. Call it before anything is made. `lock_fd`: the folder's lock, which it holds on
 * to while it undoes. */
int keeper_start(const char *folder, int lock_fd, bool keep, struct keeper *ret, struct error *err);

/* A proper end: nothing is undone. Reaps it. Idempotent. */
void keeper_dismiss(struct keeper *keeper);
