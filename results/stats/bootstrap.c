/* Block bootstrap of a median.
 *
 * Runs of complete blocks have one value a block and driver, so resampling blocks is resampling values, and the resampled median need not be found
 * by resampling at all: n draws x[floor(n U)] from the sorted values, U uniform, have their order statistics at those of U. The middle ones of n
 * uniforms are drawn directly (Beta distributed; the next one above is the smallest of the remaining uniforms; David and Nagaraja, "Order
 * Statistics", 2003, sections 2.1 and 2.5). Same distribution, O(1) a resample instead of O(n): 100,000 samples cost no more than 100. */
#include "bootstrap.h"

#include "quantile.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>

enum { STEPS_MAX = 100000000, RESAMPLES_MIN = 200 };

struct item {
	double value;
	uint32_t block;
};

static int by_block(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return (x->block > y->block) - (x->block < y->block);
}

static int by_value(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->value < y->value || x->value > y->value)
		return x->value < y->value ? -1 : 1;
	return by_block(a, b); /* a total order: qsort() is free to permute equals */
}

/* Middle of two order statistics, of which any may be infinite. */
static double middle(double low, double high)
{
	if (isinf(low) && isinf(high))
		return high;
	return 0.5 * (low + high);
}

static double draw_at(const double *sorted, size_t n, double u)
{
	size_t i = (size_t)(u * (double)n);

	return sorted[i < n ? i : n - 1];
}

/* One resampled median of n values, one a block. */
static double draw_median(const gsl_rng *rng, const double *sorted, size_t n)
{
	size_t k = (n + 1) / 2;
	double u = gsl_ran_beta(rng, (double)k, (double)(n + 1 - k)), rest;

	if (n % 2)
		return draw_at(sorted, n, u);
	/* 1 - V^(1/m): the smallest of m uniforms. */
	rest = -expm1(log(gsl_rng_uniform_pos(rng)) / (double)(n - k));
	return middle(draw_at(sorted, n, u), draw_at(sorted, n, u + (1.0 - u) * rest));
}

/* Value of rank `rank` (from 0) when item i counts times[block of i] times. */
static double weighted_rank(const struct item *items, const uint32_t *times, size_t rank)
{
	size_t seen = 0, i = 0;

	while ((seen += times[items[i].block]) <= rank)
		i++;
	return items[i].value;
}

/* One resampled median of blocks of any size. `sizes` and `times` have one entry a block. */
static double draw_block_median(const gsl_rng *rng, const struct item *items, const uint32_t *sizes, uint32_t *times, size_t n_blocks)
{
	size_t total = 0;

	for (size_t b = 0; b < n_blocks; b++)
		times[b] = 0;
	for (size_t b = 0; b < n_blocks; b++) {
		size_t drawn = gsl_rng_uniform_int(rng, n_blocks);

		times[drawn]++;
		total += sizes[drawn];
	}
	return middle(weighted_rank(items, times, (total - 1) / 2), weighted_rank(items, times, total / 2));
}

/* Numbers the blocks 0, 1, … without gaps. Returns how many there are. */
static size_t number_blocks(struct item *items, size_t n)
{
	size_t number = 0;
	uint32_t block;

	if (n == 0)
		return 0;
	qsort(items, n, sizeof(*items), by_block);
	block = items[0].block;
	for (size_t i = 0; i < n; i++) {
		number += items[i].block != block;
		block = items[i].block;
		items[i].block = (uint32_t)number;
	}
	return number + 1;
}

static int resample_values(const gsl_rng *rng, const struct item *items, size_t n, double *medians, size_t resamples)
{
	_cleanup_free_ double *sorted = malloc(n * sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = items[i].value;
	for (size_t i = 0; i < resamples; i++)
		medians[i] = draw_median(rng, sorted, n);
	return 0;
}

static int resample_blocks(const gsl_rng *rng, const struct item *items, size_t n, size_t n_blocks, double *medians, size_t resamples)
{
	_cleanup_free_ uint32_t *sizes = calloc(n_blocks, sizeof(*sizes)), *times = malloc(n_blocks * sizeof(*times));

	if (!sizes || !times)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sizes[items[i].block]++;
	for (size_t i = 0; i < resamples; i++)
		medians[i] = draw_block_median(rng, items, sizes, times, n_blocks);
	return 0;
}

/* The Mersenne Twister takes 32 bits of seed: fold, so that every bit counts. */
static unsigned long fold_seed(uint64_t seed)
{
	return (unsigned long)((seed ^ (seed >> 32)) & UINT32_MAX);
}

int bootstrap_median(const double *values, const uint32_t *blocks, size_t n, uint64_t seed, size_t resamples, struct interval *ret)
{
	_cleanup_free_ struct item *items = malloc((n ? n : 1) * sizeof(*items));
	_cleanup_free_ double *medians = malloc(resamples * sizeof(*medians));
	/* The state is ours: gsl_rng_alloc() would end the program when there is no memory. */
	_cleanup_free_ void *state = calloc(1, gsl_rng_mt19937->size);
	gsl_rng rng = {gsl_rng_mt19937, state};
	size_t n_blocks;
	int r;

	if (!items || !medians || !state)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		items[i] = (struct item){values[i], blocks[i]};
	n_blocks = number_blocks(items, n);
	if (n_blocks < BOOTSTRAP_BLOCKS_MIN) {
		*ret = (struct interval){NAN, NAN};
		return 0;
	}
	qsort(items, n, sizeof(*items), by_value);
	gsl_rng_set(&rng, fold_seed(seed));
	if (n_blocks == n) {
		r = resample_values(&rng, items, n, medians, resamples);
	} else {
		if (resamples > RESAMPLES_MIN && resamples > STEPS_MAX / n)
			resamples = STEPS_MAX / n > RESAMPLES_MIN ? STEPS_MAX / n : RESAMPLES_MIN;
		r = resample_blocks(&rng, items, n, n_blocks, medians, resamples);
	}
	if (r < 0)
		return r;
	quantile_sort(medians, resamples);
	*ret = (struct interval){quantile_of_sorted(medians, resamples, 0.025), quantile_of_sorted(medians, resamples, 0.975)};
	return 0;
}
