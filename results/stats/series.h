/* What a series of durations in the order of its run says about the run itself: did the host drift, do neighbours resemble each other?
 * Values that do would make every interval too narrow. Pure functions. */
#pragma once

#include <stddef.h>

/* Below this many values the normal approximation of p says nothing. */
enum { SERIES_P_MIN = 10 };

/* Spearman's rank correlation (1904; ties share their mean rank) of values with their block numbers, and its two-sided p by the normal
 * approximation rho sqrt(n - 1) (Kendall and Gibbons, "Rank Correlation Methods", 1990). Censored values (INFINITY) rank last together. NAN below
 * 3 values and where all are equal. `work` has room for 2 n. */
void series_drift(const double *blocks, const double *values, size_t n, double *work, double *ret_rho, double *ret_p);

/* Lag-1 autocorrelation (GSL's definition: one mean for all) of finite values. NAN below 3 values and where all are equal. */
double series_lag1(const double *values, size_t n);

/* Medians of the first and of the last n / 2 values; NAN below 2 values or among censored ones. `work` has room for n. */
void series_halves(const double *values, size_t n, double *work, double *ret_first, double *ret_second);
