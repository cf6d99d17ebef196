/* A run as bench sees it: supervisor, one worker a driver, and the blocks of the plan. Used by experiments:
 *
 *   run_begin, run_open_driver for each driver, run_blocks, run_end (always, also after a failure)
 *
 * The observer hears of everything as it happens; it keeps samples and draws progress. SIGINT, SIGTERM and SIGHUP end a run early, with what was measured kept. */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

#include <stdbool.h>

struct run;

struct run_observer {
	void *arg;
	/* Long preparation has something to say; `label` is the driver's. */
	void (*note)(void *arg, const char *label, const char *text);
	/* About to start sample `done` of `total` (over all drivers and blocks). */
	void (*progress)(void *arg, const char *label, uint32_t done, uint32_t total);
	/* A sample is complete, with its steps (empty unless recorded); a block is complete. A failure here ends the run. */
	int (*sample)(void *arg, const struct sample *sample, const struct step_times *steps, struct error *err);
	int (*block)(void *arg, const struct block *block, struct error *err);
	/* A tainted block was run again: the index of the one that does not count. */
	void (*replaced)(void *arg, uint32_t block);
	/* A driver that could not start once takes no part any more (only one opened with may_drop). */
	void (*dropped)(void *arg, size_t driver, const char *reason);
};

struct run_setup {
	const struct run_plan *plan;
	const char *agent_path;
	const struct run_observer *observer;
	bool record_steps; /* ask drivers for the steps of each start */
};

/* Blocks the signals named above, forks the supervisor and makes the run folder. Call it before the program has threads. */
int run_begin(const struct run_setup *setup, struct run **ret, struct error *err);

/* Starts the worker of a driver and opens the driver. With may_drop it is left out when it cannot start, instead of ending the run. Returns its index among
 * the run's drivers; -errno with the driver's own reason; -EINTR when interrupted. */
int run_open_driver(struct run *run, const struct driver_spec *spec, bool may_drop, struct driver_info *ret_info, struct error *err);

/* Takes the driver that was opened last out of the run again, as if it had never been there. */
void run_close_driver(struct run *run);

/* Runs all blocks. 0 when the plan is done; -EINTR when interrupted; another -errno when a driver's first start failed, its first three were too late, it failed
 * five times in a row, or the observer failed. What was measured has been given to the observer in every case. */
int run_blocks(struct run *run, struct error *err);

/* Ends all, in order, and undoes what is left. NULL is fine. `err` names what resisted. */
int run_end(struct run *run, struct error *err);

/* Has a signal come that ends a run? They stay blocked after run_end() as well, so that what was measured can be written in peace; ask again after that. */
bool run_was_interrupted(void);
