/* Paired differences and what they decide. */
#include <stats/difference.h>

#include <criterion/criterion.h>
#include <math.h>

static const uint32_t blocks[] = {0, 1, 2, 3, 4, 5, 6, 7};

static struct pair_side side(const double *values, size_t n)
{
	return (struct pair_side){values, blocks, n};
}

/* What a block does to both (here: it grows by 1000 a block) leaves no trace. */
Test(difference, what_blocks_do_to_both_cancels)
{
	double a[8], b[8], value;
	struct interval interval;

	for (int i = 0; i < 8; i++) {
		b[i] = 1000 * i;
		a[i] = b[i] + 50;
	}
	struct pair_side x = side(a, 8), y = side(b, 8);

	cr_assert_eq(difference_by_block(&x, &y, 1, 2000, &value, &interval), 0);
	cr_expect(value >= 50 && value <= 50);
	cr_expect(interval.low >= 50 && interval.high <= 50);
	cr_assert_eq(difference_by_block(&y, &x, 1, 2000, &value, &interval), 0);
	cr_expect(value >= -50 && value <= -50);
}

/* Only common blocks count; the same seed gives the same interval; its mirror image is that of b - a. */
Test(difference, common_blocks_and_symmetry)
{
	const double a[] = {10, 30, 50, 20, 90, 40, 70}, b[] = {1, 2, 3, 4, 5, 6, 7};
	const uint32_t of_a[] = {0, 1, 2, 3, 4, 5, 6}, of_b[] = {1, 2, 3, 4, 5, 6, 9};
	struct pair_side x = {a, of_a, 7}, y = {b, of_b, 7};
	struct interval first, second;
	double value;

	/* 30-1, 50-2, 20-3, 90-4, 40-5, 70-6: 17 29 35 48 64 86 */
	cr_assert_eq(difference_by_block(&x, &y, 7, 2000, &value, &first), 0);
	cr_expect_float_eq(value, (35.0 + 48.0) / 2, 1e-9);
	cr_assert_eq(difference_by_block(&x, &y, 7, 2000, &value, &second), 0);
	cr_expect(first.low >= second.low && first.low <= second.low && first.high >= second.high && first.high <= second.high);
	cr_expect(first.low >= 17 && first.low < value && first.high <= 86 && first.high > value);
}

Test(difference, censored_values_take_part_by_rank)
{
	const double a[] = {5, 6, 7, 8, INFINITY, INFINITY, 9, 10}, b[] = {1, 1, 1, 1, 1, INFINITY, 1, INFINITY};
	struct pair_side x = side(a, 8), y = side(b, 8);
	struct interval interval;
	double value;

	/* 4 5 6 7 inf (both: none) 8 -inf: of seven the middle one */
	cr_assert_eq(difference_by_block(&x, &y, 1, 2000, &value, &interval), 0);
	cr_expect_float_eq(value, 6, 0);
	struct pair_side none = side(a, 0);
	cr_assert_eq(difference_by_block(&none, &y, 1, 2000, &value, &interval), 0);
	cr_expect(isnan(value) && isnan(interval.low) && isnan(interval.high));
}

/* One needs both: an interval without zero, and more than noise. */
Test(difference, verdicts)
{
	const struct interval above = {40, 60}, across = {-1, 60}, below = {-60, -40}, unknown = {NAN, NAN};

	cr_expect_eq(difference_verdict(50, above, 10), DIFFERENCE_MORE);
	cr_expect_eq(difference_verdict(50, above, 50), DIFFERENCE_NONE);
	cr_expect_eq(difference_verdict(50, above, 49.9), DIFFERENCE_MORE);
	cr_expect_eq(difference_verdict(50, across, 10), DIFFERENCE_NONE);
	cr_expect_eq(difference_verdict(-50, below, 10), DIFFERENCE_LESS);
	cr_expect_eq(difference_verdict(-50, below, 51), DIFFERENCE_NONE);
	cr_expect_eq(difference_verdict(50, unknown, 0), DIFFERENCE_NONE);
	cr_expect_eq(difference_verdict(50, above, NAN), DIFFERENCE_NONE);
	cr_expect_eq(difference_verdict(NAN, unknown, 0), DIFFERENCE_NONE);
}
