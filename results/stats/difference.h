/* By how much do two sets of durations differ that were measured in the same blocks? The counterpart of ratio.h for what is added: the cost of a part. */
#pragma once

#include "bootstrap.h"
#include "pair.h"

#include <stdbool.h>

/* Median, over the blocks that hold both, of a - b in nanoseconds; its interval is bootstrap_median()'s. A censored a is an infinite difference, a
 * censored b a minus infinite one: both take part by rank. NAN without a common block. -ENOMEM leaves the results alone. */
int difference_by_block(const struct pair_side *a, const struct pair_side *b, uint64_t seed, size_t resamples, double *ret_value,
			struct interval *ret_interval);

/* Is a difference one? `noise` is how far from zero two runs of the same thing may lie (the farther end of the A/A comparison's interval). It is
 * one only when its interval excludes zero and it is larger than that; an unknown interval or noise (NAN) decides nothing. */
enum difference_verdict { DIFFERENCE_NONE, DIFFERENCE_MORE, DIFFERENCE_LESS };
enum difference_verdict difference_verdict(double value, struct interval interval, double noise);
