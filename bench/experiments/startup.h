/* The experiment "startup": how long does an instance take from the request to its first useful answer? */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

struct startup_options {
	struct run_plan plan;              /* CPU sets are chosen here when empty */
	const struct driver_spec *drivers; /* the null driver is added when it is not among them */
	size_t n_drivers;
	bool may_leave_out; /* a driver that cannot be opened is left out with a note instead of ending the run */
	const char *agent_path;
	const char *journal_path; /* samples are written there as they come; removed by the caller once the result is safe */
	const char *command_line;
};

struct startup_observer {
	void *arg;
	void (*note)(void *arg, const char *label, const char *text);
	void (*progress)(void *arg, const char *label, uint32_t done, uint32_t total);
};

/* Runs it into `ret` (result_free() by the caller, also after a failure that happened past the beginning: check n_samples).
 * 0; -EINTR with what was measured in `ret`; another -errno with the reason, and what was measured in `ret` too. */
int startup_run(const struct startup_options *options, const struct startup_observer *observer, struct result *ret, struct error *err);
