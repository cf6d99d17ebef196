/* What all experiments share: drivers are opened, blocks run, and everything that comes is put into a result and its journal at once.
 *
 * An experiment says who takes part (entrants) and calls experiment_run(); startup.c is the plainest. */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

#include <stdbool.h>
#include <stddef.h>

/* What the person asked for, the same for every experiment. */
struct experiment_options {
	struct run_plan plan;              /* CPU sets are chosen here when empty */
	const struct driver_spec *drivers; /* as given, or the experiment's own when nobody asked for any */
	size_t n_drivers;
	bool may_leave_out; /* a driver that cannot be opened is left out with a note instead of ending the run */
	const char *agent_path;
	const char *journal_path; /* samples are written there as they come; removed by the caller once the result is safe */
	const char *command_line;
};

struct experiment_observer {
	void *arg;
	void (*note)(void *arg, const char *label, const char *text);
	void (*progress)(void *arg, const char *label, uint32_t done, uint32_t total);
};

/* A driver that takes part. */
struct entrant {
	struct driver_spec spec;
	struct variant variant;
	bool may_leave_out;  /* when it cannot be opened or started: the result says so, the run goes on */
	char differs_in[32]; /* fact (driver_info) in which it must differ from the whole, or there is nothing to compare; empty: none */
};

struct experiment {
	const char *name;
	bool record_steps;
	const struct entrant *entrants; /* the null driver is put in front when it is not among them; at most RESULT_DRIVERS_MAX with it */
	size_t n_entrants;
	const struct left_out *left_out; /* what was found impossible before anything was opened */
	size_t n_left_out;
};

/* Runs it into `ret` (result_free() by the caller, also after a failure that happened past the beginning: check n_samples).
 * 0; -EINTR with what was measured in `ret`; another -errno with the reason, and what was measured in `ret` too. */
int experiment_run(const struct experiment *experiment, const struct experiment_options *options,
		   const struct experiment_observer *observer, struct result *ret, struct error *err);
