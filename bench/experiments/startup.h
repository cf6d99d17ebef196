/* The experiment "startup": how long does an instance take from the request to its first useful answer? */
#pragma once

#include "experiment.h"

/* As experiment_run(): every driver of the options takes part. */
int startup_run(const struct experiment_options *options, const struct experiment_observer *observer, struct result *ret,
		struct error *err);
