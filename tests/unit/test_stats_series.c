/* Drift, autocorrelation, halves and outlier labels against values worked out by hand. */
#include <stats/outlier.h>
#include <stats/series.h>

#include <criterion/criterion.h>
#include <math.h>

/* Ranks of y: 2 1 4 3 5; sum of squared rank differences 4; rho = 1 - 6 * 4 / (5 * 24) = 0.8. */
Test(stats_series, spearman_by_hand)
{
	double x[] = {1, 2, 3, 4, 5}, y[] = {20, 10, 40, 30, 1000}, work[10], rho, p;

	series_drift(x, y, 5, work, &rho, &p);
	cr_assert_float_eq(rho, 0.8, 1e-12);
	cr_assert(isnan(p), "five values are too few for a normal approximation");
}

/* rho = 1 at n = 10: z = 3, two-sided p = 0.002699796. */
Test(stats_series, p_of_a_perfect_drift)
{
	double x[10], y[10], work[20], rho, p;

	for (int i = 0; i < 10; i++) {
		x[i] = i;
		y[i] = exp(i);
	}
	series_drift(x, y, 10, work, &rho, &p);
	cr_assert_float_eq(rho, 1.0, 1e-12);
	cr_assert_float_eq(p, 0.002699796, 1e-8);
	y[9] = INFINITY; /* censored: still the last */
	series_drift(x, y, 10, work, &rho, &p);
	cr_assert_float_eq(rho, 1.0, 1e-12);
}

/* Ranks of y with ties: 1.5 1.5 3.5 3.5 against 1 2 3 4: Pearson's r of these is 4 / sqrt(5 * 4). */
Test(stats_series, spearman_with_ties)
{
	double x[] = {1, 2, 3, 4}, y[] = {7, 7, 9, 9}, work[8], rho, p;

	series_drift(x, y, 4, work, &rho, &p);
	cr_assert_float_eq(rho, 4.0 / sqrt(20.0), 1e-12);
}

Test(stats_series, nothing_to_tell)
{
	double x[] = {1, 2, 3, 4}, same[] = {5, 5, 5, 5}, work[8], rho, p;

	series_drift(x, same, 4, work, &rho, &p);
	cr_assert(isnan(rho) && isnan(p));
	series_drift(same, x, 4, work, &rho, &p);
	cr_assert(isnan(rho));
	series_drift(x, x, 2, work, &rho, &p);
	cr_assert(isnan(rho));
	cr_assert(isnan(series_lag1(same, 4)));
	cr_assert(isnan(series_lag1(x, 2)));
	cr_assert(isnan(series_lag1(x, 0)));
}

/* Mean 3; products of neighbouring deviations 2 + 0 + 0 + 2 = 4 over squares 4 + 1 + 0 + 1 + 4 = 10. */
Test(stats_series, lag1_by_hand)
{
	double rising[] = {1, 2, 3, 4, 5}, alternating[] = {1, -1, 1, -1, 1, -1};

	cr_assert_float_eq(series_lag1(rising, 5), 0.4, 1e-12);
	cr_assert_float_eq(series_lag1(alternating, 6), -5.0 / 6.0, 1e-12);
}

Test(stats_series, halves)
{
	double x[] = {3, 1, 2, 100, 8, 9, 7}, work[7], first, second;

	series_halves(x, 7, work, &first, &second); /* 3 1 2 | 100 | 8 9 7 */
	cr_assert_float_eq(first, 2, 0);
	cr_assert_float_eq(second, 8, 0);
	series_halves(x, 1, work, &first, &second);
	cr_assert(isnan(first) && isnan(second));
}

/* Median 3, MAD 1: the score of 8.2 is 0.6745 * 5.2 = 3.507, of 8.1 3.44. */
Test(stats_series, outlier_limit)
{
	double x[] = {1, 2, 3, 4, 8.2}, inside[] = {1, 2, 3, 4, 8.1}, work[10];
	bool flags[5];

	cr_assert_eq(outlier_label(x, 5, work, flags), 1);
	cr_assert(flags[4] && !flags[0] && !flags[3]);
	cr_assert_eq(outlier_label(inside, 5, work, flags), 0);
}

/* MAD 0: mean absolute deviation 10 / 10 = 1, score 10 / 1.253314 = 7.98. */
Test(stats_series, outlier_where_mad_is_zero)
{
	double x[] = {5, 5, 5, 5, 15, 5, 5, 5, 5, 5}, same[] = {5, 5, 5}, work[20];
	bool flags[10];

	cr_assert_eq(outlier_label(x, 10, work, flags), 1);
	cr_assert(flags[4]);
	cr_assert_eq(outlier_label(same, 3, work, flags), 0);
	cr_assert_eq(outlier_label(same, 0, work, flags), 0);
}

Test(stats_series, censored_values_are_no_outliers)
{
	double x[] = {1, INFINITY, 2, 3, 50, 2, INFINITY}, all[] = {INFINITY, INFINITY}, work[14];
	bool flags[7];

	cr_assert_eq(outlier_label(x, 7, work, flags), 1);
	cr_assert(flags[4] && !flags[1] && !flags[6]);
	cr_assert_eq(outlier_label(all, 2, work, flags), 0);
}
