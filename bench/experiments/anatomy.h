/* The experiment "anatomy": where does the time of a start go? Step by step, and what each feature really costs: the whole against variants that
 * lack one feature, or have one more, in the same blocks. */
#pragma once

#include "experiment.h"

/* A variant that the person asks for, beside those of the driver's own table (anatomy_variants.h). */
struct anatomy_wish {
	enum variant_role role; /* VARIANT_WITHOUT, VARIANT_WITH */
	const char *text;       /* "FEATURE:key=value,key=value" */
};

/* As experiment_run(). The first driver of the options is the subject (the whole); others run beside it in every block. Of a subject without any variant
 * there are still the steps. A variant that cannot run here is left out with the reason. */
int anatomy_run(const struct experiment_options *options, const struct anatomy_wish *wishes, size_t n_wishes,
		const struct experiment_observer *observer, struct result *ret, struct error *err);
