/* One sample: an instance climbs the ladder from T0 to T7 under one driver. Runs in a worker, alone. */
#pragma once

#include <bench/driver.h>
#include <bench/result.h>

/* Starts, questions, weighs and stops one instance. Fills marks, footprint, status and reason of the sample; `err` says more when it is not ok
 * (a sample that failed is still a sample: the return value is 0 unless the instance could not be removed). `steps` (may be NULL, else it is empty)
 * receives the times of the steps that the driver declared. */
int ladder_climb(const struct driver *driver, void *state, const char *id, int64_t timeout_ns, struct sample *ret, struct step_times *steps,
		 struct error *err);

/* Do the phases between consecutive marks up to T6 add up to the total, within 1 % or 20 us? They do not when a mark lies out of order. */
bool ladder_phases_agree(const struct timeline *timeline);
