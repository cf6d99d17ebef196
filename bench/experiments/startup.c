#include "startup.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <stdlib.h>

int startup_run(const struct experiment_options *options, const struct experiment_observer *observer, struct result *ret, struct error *err)
{
	_cleanup_free_ struct entrant *entrants = calloc(options->n_drivers + 1, sizeof(*entrants));
	struct experiment experiment = {.name = "startup", .entrants = entrants, .n_entrants = options->n_drivers};

	if (!entrants)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < options->n_drivers; i++)
		entrants[i] = (struct entrant){.spec = options->drivers[i], .may_leave_out = options->may_leave_out};
	return experiment_run(&experiment, options, observer, ret, err);
}
