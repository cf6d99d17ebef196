/* Which values stand out? By modified z-score (Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993): 0.6745 (x - median) / MAD, and
 * where the MAD is 0, (x - median) / (1.253314 mean absolute deviation). Labels only: nothing is ever dropped for it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define OUTLIER_LIMIT 3.5

/* Sets ret[i] where the score of values[i] is beyond the limit; returns how many. Median and deviations are those of the finite values; an infinite
 * one (censored) bears a label of its own and is none. `work` has room for 2 n. */
size_t outlier_label(const double *values, size_t n, double *work, bool *ret);
