/* What run.c (processes) and run_blocks.c (blocks) share of a run; private to this folder. */
#pragma once

#include "run.h"
#include "supervisor.h"

#include <sched.h>
#include <stdbool.h>

enum { SPIN_HISTORY = 31 };

struct slot {
	struct driver_spec spec;
	struct driver_info info; /* of its first worker */
	int fd;                  /* to its worker; -1: none */
	unsigned worker;         /* index of that worker among all of the run */
	uint32_t sequence;
	uint32_t failed_in_a_row;   /* starts that failed */
	uint32_t censored_at_first; /* starts that were too late, before any was in time */
	bool has_started;           /* one start was ok */
	bool may_drop;              /* when it cannot start */
	bool dropped;               /* takes no part any more */
};

struct run {
	struct run_setup setup;
	struct supervisor supervisor;
	int signal_fd;
	struct slot slots[RESULT_DRIVERS_MAX];
	size_t n_slots;
	unsigned next_worker;
	uint32_t n_blocks, done;
	cpu_set_t cpus;              /* of instances and measuring process; empty: not bound */
	int64_t spins[SPIN_HISTORY]; /* of the last blocks, for the usual value */
	size_t n_spins;
};

/* Sends a request to the worker of a slot and waits for its answer, at most patience_ns; notes on the way go to the observer. -EINTR, -ETIMEDOUT,
 * -ECHILD (the worker died; the supervisor has undone what it left), -EOWNERDEAD (so did the supervisor). */
int run_ask(struct run *run, size_t index, const struct worker_request *request, int64_t patience_ns, struct worker_reply *ret,
	    struct error *err);

/* Gives a slot a worker and opens the driver there. */
int run_open_slot(struct run *run, size_t index, struct driver_info *ret_info, struct error *err);
