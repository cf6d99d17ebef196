/* Paired ratios: known lognormal data, pairing, inverse, censored and missing values. */
#include <stats/quantile.h>
#include <stats/ratio.h>

#include <criterion/criterion.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>

enum { N = 60 };

struct data {
	double a[N], b[N];
	uint32_t blocks[N];
};

static double ratio(const double *a, const double *b, const uint32_t *blocks, size_t n, struct interval *ret)
{
	struct pair_side x = {a, blocks, n}, y = {b, blocks, n};
	double value;

	cr_assert_eq(ratio_by_block(&x, &y, 42, BOOTSTRAP_RESAMPLES, &value, ret), 0);
	return value;
}

/* b is what the block does to both; a is three times that, with 5 % of its own noise. */
static void make(struct data *data, gsl_rng *rng)
{
	for (uint32_t i = 0; i < N; i++) {
		data->blocks[i] = i;
		data->b[i] = gsl_ran_lognormal(rng, log(1e6), 1.0);
		data->a[i] = 3.0 * data->b[i] * gsl_ran_lognormal(rng, 0.0, 0.05);
	}
}

/* The interval covers the true 3 in about 95 of 100 sets of 300, and pairing keeps it narrow although b itself spreads over orders of magnitude. */
Test(stats_ratio, known_lognormal_data)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
	int covered = 0;

	gsl_rng_set(rng, 11);
	for (int set = 0; set < 300; set++) {
		struct interval interval;
		struct data data;
		double value;

		make(&data, rng);
		value = ratio(data.a, data.b, data.blocks, N, &interval);
		cr_assert_float_eq(value, 3.0, 0.15);
		cr_assert(interval.low <= value && value <= interval.high && interval.high - interval.low < 0.25);
		covered += interval.low <= 3.0 && 3.0 <= interval.high;
	}
	cr_assert(covered >= 273 && covered <= 297, "%d of 300 intervals cover the ratio", covered);
	gsl_rng_free(rng);
}

Test(stats_ratio, by_hand)
{
	double a[] = {10, 40, 90}, b[] = {5, 10, 30};
	uint32_t blocks[] = {0, 1, 2};
	struct interval interval;

	/* 2, 4, 3 */
	cr_assert_float_eq(ratio(a, b, blocks, 3, &interval), 3.0, 1e-12);
	cr_assert(isnan(interval.low) && isnan(interval.high));
	/* Even: the geometric mean of 2 and 4. */
	cr_assert_float_eq(ratio(a, b, blocks, 2, &interval), sqrt(8.0), 1e-12);
}

Test(stats_ratio, inverse_is_the_inverse)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
	struct interval forth, back;
	struct data data;

	make(&data, rng);
	cr_assert_float_eq(ratio(data.a, data.b, data.blocks, N, &forth) * ratio(data.b, data.a, data.blocks, N, &back), 1.0, 1e-12);
	cr_assert_float_eq(forth.low * back.high, 1.0, 0.02);
	gsl_rng_free(rng);
}

Test(stats_ratio, itself_is_one)
{
	double a[N];
	uint32_t blocks[N];
	struct interval interval;

	for (uint32_t i = 0; i < N; i++) {
		a[i] = 100.0 + i;
		blocks[i] = i;
	}
	cr_assert_float_eq(ratio(a, a, blocks, N, &interval), 1.0, 0.0);
	cr_assert_float_eq(interval.low, 1.0, 0.0);
	cr_assert_float_eq(interval.high, 1.0, 0.0);
}

Test(stats_ratio, only_common_blocks_pair_and_repeats_enter_once)
{
	double a[] = {8, 20, 22, 30}, b[] = {7, 7, 10, 1000};
	uint32_t a_blocks[] = {1, 2, 2, 5}, b_blocks[] = {0, 2, 3, 9};
	struct pair_side x = {a, a_blocks, 4}, y = {b, b_blocks, 4};
	struct interval interval;
	double value;

	cr_assert_eq(ratio_by_block(&x, &y, 1, 100, &value, &interval), 0);
	cr_assert_float_eq(value, 3.0, 1e-12); /* median(20, 22) / 7 */
	y.n = 1;
	cr_assert_eq(ratio_by_block(&x, &y, 1, 100, &value, &interval), 0);
	cr_assert(isnan(value));
	y.n = 0;
	cr_assert_eq(ratio_by_block(&x, &y, 1, 100, &value, &interval), 0);
	cr_assert(isnan(value) && isnan(interval.low));
}

Test(stats_ratio, censored)
{
	double a[] = {10, INFINITY, 30, INFINITY, 50}, b[] = {10, 10, INFINITY, INFINITY, 10};
	uint32_t blocks[] = {0, 1, 2, 3, 4};
	struct interval interval;

	/* 1, infinite, zero, nothing, 5: between 1 and 5, the geometric mean. */
	cr_assert_float_eq(ratio(a, b, blocks, 5, &interval), sqrt(5.0), 1e-12);
	b[0] = INFINITY;
	b[4] = INFINITY;
	cr_assert(isnan(ratio(a, b, blocks, 5, &interval)), "the median falls among censored values");
}

Test(stats_ratio, zero_counts_as_one_nanosecond)
{
	double a[] = {0, 0, 0}, b[] = {1000, 1000, 0};
	uint32_t blocks[] = {0, 1, 2};
	struct interval interval;

	cr_assert_float_eq(ratio(a, b, blocks, 3, &interval), 0.001, 1e-15);
	cr_assert_float_eq(ratio(b, a, blocks, 3, &interval), 1000.0, 1e-9);
}
