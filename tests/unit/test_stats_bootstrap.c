/* The block bootstrap: coverage of the truth, determinism, blocks as units, and its shortcut against plain resampling. */
#include <stats/bootstrap.h>
#include <stats/quantile.h>

#include <criterion/criterion.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>

static gsl_rng *generator(unsigned long seed)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);

	gsl_rng_set(rng, seed);
	return rng;
}

static struct interval interval_of(const double *values, const uint32_t *blocks, size_t n, uint64_t seed)
{
	struct interval interval;

	cr_assert_eq(bootstrap_median(values, blocks, n, seed, BOOTSTRAP_RESAMPLES, &interval), 0);
	return interval;
}

/* 500 data sets of a known median. A correct 95 % interval covers it 475 times, give or take 3 x 4.9 of chance; the percentile method of a median is
 * known to be a little wide or narrow at such n, so 92 % to 98.5 % pass. */
static void check_coverage(size_t n_blocks, size_t per_block)
{
	gsl_rng *rng = generator(7);
	size_t n = n_blocks * per_block, covered = 0;
	double *values = calloc(n, sizeof(*values));
	uint32_t *blocks = calloc(n, sizeof(*blocks));

	for (int set = 0; set < 500; set++) {
		struct interval interval;

		for (size_t i = 0; i < n; i++) {
			values[i] = gsl_ran_lognormal(rng, log(2e6), 0.5);
			blocks[i] = (uint32_t)(i / per_block);
		}
		interval = interval_of(values, blocks, n, (uint64_t)set + 1);
		covered += interval.low <= 2e6 && 2e6 <= interval.high;
	}
	cr_assert(covered >= 460 && covered <= 493, "%zu of 500 intervals cover the median", covered);
	gsl_rng_free(rng);
	free(values);
	free(blocks);
}

Test(stats_bootstrap, covers_the_median_odd_n)
{
	check_coverage(41, 1);
}

Test(stats_bootstrap, covers_the_median_even_n)
{
	check_coverage(100, 1);
}

Test(stats_bootstrap, covers_the_median_with_blocks_of_three)
{
	check_coverage(40, 3);
}

Test(stats_bootstrap, same_input_same_bits)
{
	double values[101];
	uint32_t blocks[101];
	struct interval first, again, other;

	for (int i = 0; i < 101; i++) {
		values[i] = (double)((i * 7919) % 1009);
		blocks[i] = (uint32_t)i;
	}
	first = interval_of(values, blocks, 101, 42);
	again = interval_of(values, blocks, 101, 42);
	other = interval_of(values, blocks, 101, UINT64_C(1) << 32 | 42);
	cr_assert_eq(memcmp(&first, &again, sizeof(first)), 0);
	cr_assert_neq(memcmp(&first, &other, sizeof(first)), 0, "the upper half of the seed counts, too");
}

Test(stats_bootstrap, order_of_the_input_is_no_matter)
{
	double values[60], turned[60];
	uint32_t blocks[60], turned_blocks[60];
	struct interval a, b;

	for (int i = 0; i < 60; i++) {
		values[i] = turned[59 - i] = (double)((i * 31) % 17); /* with ties */
		blocks[i] = turned_blocks[59 - i] = (uint32_t)i / 2;
	}
	a = interval_of(values, blocks, 60, 1);
	b = interval_of(turned, turned_blocks, 60, 1);
	cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0);
}

/* The shortcut draws order statistics; plain resampling of the same values must give the same interval but for the noise of 20,000 resamples. */
static void compare_with_plain(size_t n)
{
	enum { RESAMPLES = 20000 };
	gsl_rng *rng = generator(3);
	double *values = calloc(n, sizeof(*values)), *drawn = calloc(n, sizeof(*drawn)), *medians = calloc(RESAMPLES, sizeof(*medians));
	uint32_t *blocks = calloc(n, sizeof(*blocks));
	struct interval interval;

	for (size_t i = 0; i < n; i++) {
		values[i] = gsl_ran_gaussian(rng, 1.0);
		blocks[i] = (uint32_t)i;
	}
	for (size_t r = 0; r < RESAMPLES; r++) {
		for (size_t i = 0; i < n; i++)
			drawn[i] = values[gsl_rng_uniform_int(rng, n)];
		quantile_sort(drawn, n);
		medians[r] = quantile_of_sorted(drawn, n, 0.5);
	}
	quantile_sort(medians, RESAMPLES);
	cr_assert_eq(bootstrap_median(values, blocks, n, 5, RESAMPLES, &interval), 0);
	cr_assert_float_eq(interval.low, quantile_of_sorted(medians, RESAMPLES, 0.025), 0.03);
	cr_assert_float_eq(interval.high, quantile_of_sorted(medians, RESAMPLES, 0.975), 0.03);
	gsl_rng_free(rng);
	free(values);
	free(drawn);
	free(medians);
	free(blocks);
}

Test(stats_bootstrap, shortcut_equals_plain_resampling)
{
	compare_with_plain(51);
	compare_with_plain(64);
}

/* Ten blocks of ten equal values hold ten observations, not a hundred. */
Test(stats_bootstrap, block_is_the_unit)
{
	double values[100];
	uint32_t blocks[100], alone[100];
	struct interval by_block, by_value;

	for (int i = 0; i < 100; i++) {
		values[i] = i / 10;
		blocks[i] = (uint32_t)i / 10;
		alone[i] = (uint32_t)i;
	}
	by_block = interval_of(values, blocks, 100, 1);
	by_value = interval_of(values, alone, 100, 1);
	cr_assert_geq(by_block.high - by_block.low, 4);
	cr_assert_leq(by_value.high - by_value.low, 3);
}

Test(stats_bootstrap, too_few_blocks_give_no_interval)
{
	double values[] = {1, 2, 3, 4, 5, 6};
	uint32_t blocks[] = {0, 1, 2, 3, 4, 5}, five[] = {0, 1, 2, 3, 4, 4};

	cr_assert(isnan(interval_of(values, blocks, 0, 1).low));
	cr_assert(isnan(interval_of(values, blocks, 1, 1).low));
	cr_assert(isnan(interval_of(values, blocks, 5, 1).high));
	cr_assert(isnan(interval_of(values, five, 6, 1).high));
	cr_assert_float_eq(interval_of(values, blocks, 6, 1).low, 1.5, 1.0);
}

Test(stats_bootstrap, censored_values)
{
	double values[40];
	uint32_t blocks[40], pairs[40];
	struct interval few, many, all;

	for (int i = 0; i < 40; i++) {
		values[i] = i < 38 ? i : INFINITY;
		blocks[i] = (uint32_t)i;
		pairs[i] = (uint32_t)i / 2;
	}
	few = interval_of(values, blocks, 40, 1);
	cr_assert(isfinite(few.low) && isfinite(few.high));
	for (int i = 22; i < 40; i++)
		values[i] = INFINITY;
	many = interval_of(values, blocks, 40, 1);
	cr_assert(isfinite(many.low) && isnan(many.high), "the upper end falls among censored values");
	many = interval_of(values, pairs, 40, 1);
	cr_assert(isfinite(many.low) && isnan(many.high));
	for (int i = 0; i < 40; i++)
		values[i] = INFINITY;
	all = interval_of(values, blocks, 40, 1);
	cr_assert(isnan(all.low) && isnan(all.high));
}
