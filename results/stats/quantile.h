/* Order statistics of durations, censored ones included.
 *
 * A censored duration is INFINITY: larger than anything observed, its value unknown. It takes part by rank, and a figure that depends on the
 * value of one is NAN, never a guess. Pure functions; called by results/summary and the other modules here. NAN must not be among the input. */
#pragma once

#include <stddef.h>

/* Sorts ascending, in place. */
void quantile_sort(double *values, size_t n);

/* Quantile p (0…1) of values in ascending order, by Hyndman and Fan's definition 7 ("Sample Quantiles in Statistical Packages", 1996), which is
 * GSL's and the default of R and numpy: linear between the order statistics around (n - 1) p. NAN when n is 0 or an infinite value is needed. */
double quantile_of_sorted(const double *sorted, size_t n, double p);

/* As quantile_of_sorted(), but NAN as long as fewer than 1 / (1 - p) values are there to tell p from the maximum (p90: 10, p99: 100). */
double quantile_upper(const double *sorted, size_t n, double p);

/* Median absolute deviation from the median, unscaled (Hampel 1974), of values in ascending order. `work` has room for n. */
double quantile_mad(const double *sorted, size_t n, double *work);
