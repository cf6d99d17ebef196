/* The supervisor: the process between bench and its workers. Theory of operation:
 *
 *   bench (command line, plan, journal of samples, statistics)
 *     └─ supervisor        subreaper, in a session of its own; makes the run folder, outlives bench just long enough to undo it
 *          ├─ worker 0     one driver each; killed with the supervisor (parent death signal)
 *          └─ worker 1     what a worker leaves behind (a QEMU, a container's init) becomes the supervisor's child
 *
 * bench and supervisor share one socket pair. bench sends a spawn request for each worker, with the worker's end of their own socket pair;
 * the supervisor answers with a notice when a worker has ended and what it left is undone. Each notices the other's death by the closed pair:
 * without bench, the supervisor kills all its descendants, undoes the journals, removes the run folder and ends; without the supervisor, bench
 * (a subreaper too) does the same. */
#pragma once

#include "messages.h"
#include "run_dir.h"

#include <sys/types.h>

struct supervisor {
	pid_t pid;
	int socket_fd;
	struct run_dir run_dir;
};

/* Forks the supervisor; it makes the run folder. Call it before the program grows and before it has threads. */
int supervisor_start(struct supervisor *ret, struct error *err);

/* Asks for a worker; returns bench's end of the socket pair in ret_fd. `request` needs index, spec, agent, CPUs and limits; the rest is filled in. */
int supervisor_spawn(struct supervisor *supervisor, struct spawn_request *request, int *ret_fd, struct error *err);

/* Takes the next exit notice. 1: got one; 0: the supervisor is gone; -EAGAIN: none. */
int supervisor_notice(struct supervisor *supervisor, struct exit_notice *ret);

/* Ends the run: all instances and workers go, the journals are undone, the run folder is removed. Waits for it. `err` names what resisted. */
int supervisor_end(struct supervisor *supervisor, struct error *err);
