/* Ratio of two sets of durations that were measured in the same blocks.
 *
 * Paired: what a block did to both cancels. On the log scale, so that a/b and b/a are each other's inverse (Fleming and Wallace, "How Not to Lie
 * with Statistics", 1986, on why ratios are not averaged as they are). */
#pragma once

#include "bootstrap.h"
#include "pair.h"

/* exp of the median, over the blocks that hold both, of log(a) - log(b); a block with several values enters with their median. Its interval is
 * bootstrap_median()'s. Less than the clock's 1 ns counts as 1 ns. A censored a is an infinite ratio, a censored b a zero one: both take part by rank;
 * a block with both censored says nothing and takes none. NAN without a common block. -ENOMEM leaves the results alone. */
int ratio_by_block(const struct pair_side *a, const struct pair_side *b, uint64_t seed, size_t resamples, double *ret_value,
		   struct interval *ret_interval);
