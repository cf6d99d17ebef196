/* Interval of a median by block bootstrap, which GSL lacks.
 *
 * The block is the unit of inference: whole blocks are drawn with replacement, because samples of one block share what the host did meanwhile.
 * Percentile method (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13). Seeded: equal input, equal interval. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	BOOTSTRAP_RESAMPLES = 2000,
	/* Below six blocks even the whole range covers the median with less than 95 % (1 - 2 / 2^n): no interval is given. */
	BOOTSTRAP_BLOCKS_MIN = 6,
};

struct interval {
	double low, high; /* 95 %; NAN: not known, or among censored values */
};

/* blocks[i] is the block that values[i] belongs to, in any order; values may be infinite on either side (censored), not NAN. A block may hold any
 * number of values. Cost: a sort, and one draw a resample when each block holds one value; else n steps a resample, and fewer resamples (at least
 * 200) above 50,000 values. -ENOMEM leaves *ret alone. */
int bootstrap_median(const double *values, const uint32_t *blocks, size_t n, uint64_t seed, size_t resamples, struct interval *ret);
