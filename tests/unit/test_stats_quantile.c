/* Order statistics: known values, censored values, the limits of small samples. */
#include <stats/quantile.h>

#include <criterion/criterion.h>
#include <math.h>

static void near(double got, double expected)
{
	cr_assert(fabs(got - expected) <= 1e-9 * (1.0 + fabs(expected)), "got %.12g, expected %.12g", got, expected);
}

/* Expected values by hand: place (n - 1) p = 9 p, between x[floor] and x[floor + 1]. */
Test(stats_quantile, definition_7)
{
	double x[] = {15, 20, 35, 40, 50, 1, 2, 3, 100, 7};

	quantile_sort(x, 10); /* 1 2 3 7 15 20 35 40 50 100 */
	near(quantile_of_sorted(x, 10, 0.0), 1);
	near(quantile_of_sorted(x, 10, 0.25), 3 + 0.25 * 4);
	near(quantile_of_sorted(x, 10, 0.5), 17.5);
	near(quantile_of_sorted(x, 10, 0.9), 50 + 0.1 * 50);
	near(quantile_of_sorted(x, 10, 1.0), 100);
}

Test(stats_quantile, one_value_and_none)
{
	double x = 3;

	near(quantile_of_sorted(&x, 1, 0.5), 3);
	near(quantile_of_sorted(&x, 1, 0.99), 3);
	cr_assert(isnan(quantile_of_sorted(&x, 0, 0.5)));
}

Test(stats_quantile, censored_values_rank_last)
{
	double x[] = {INFINITY, 3, 1, INFINITY, 2};

	quantile_sort(x, 5);
	near(quantile_of_sorted(x, 5, 0.5), 3); /* on the spot: the infinite neighbour has no part */
	near(quantile_of_sorted(x, 5, 0.25), 2);
	cr_assert(isnan(quantile_of_sorted(x, 5, 0.51)));
	cr_assert(isnan(quantile_of_sorted(x, 5, 0.75)));
	cr_assert(isnan(quantile_of_sorted(x, 5, 1.0)));
}

Test(stats_quantile, upper_quantiles_need_values)
{
	double x[200];

	for (int i = 0; i < 200; i++)
		x[i] = i;
	cr_assert(isnan(quantile_upper(x, 99, 0.99)));
	near(quantile_upper(x, 100, 0.99), 98.01);
	cr_assert(isnan(quantile_upper(x, 9, 0.9)));
	near(quantile_upper(x, 10, 0.9), 8.1);
}

/* Median 3; deviations 2 1 0 1 97, their median 1. */
Test(stats_quantile, mad)
{
	double x[] = {1, 2, 3, 4, 100}, even[] = {1, 2, 4, 8}, censored[] = {1, 2, 3, INFINITY}, lost[] = {1, INFINITY, INFINITY}, work[5];

	near(quantile_mad(x, 5, work), 1);
	near(quantile_mad(even, 4, work), 1.5);     /* median 3; deviations 2 1 1 5 */
	near(quantile_mad(censored, 4, work), 1.0); /* median 2.5; deviations 1.5 0.5 0.5 inf */
	cr_assert(isnan(quantile_mad(lost, 3, work)));
}
