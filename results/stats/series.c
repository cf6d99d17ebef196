/* Drift and autocorrelation of a series, by GSL; the p value is ours. */
#include "series.h"

#include "quantile.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static bool all_equal(const double *values, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (values[i] < values[0] || values[i] > values[0])
			return false;
	return true;
}

void series_drift(const double *blocks, const double *values, size_t n, double *work, double *ret_rho, double *ret_p)
{
	double rho = NAN, p = NAN;

	/* Equal ranks leave 0/0, which rounding may turn into any number. */
	if (n >= 3 && !all_equal(values, n) && !all_equal(blocks, n))
		rho = gsl_stats_spearman(blocks, 1, values, 1, n, work);
	if (!isnan(rho) && n >= SERIES_P_MIN)
		p = 2.0 * gsl_cdf_ugaussian_Q(fabs(rho) * sqrt((double)(n - 1)));
	*ret_rho = rho;
	*ret_p = p;
}

double series_lag1(const double *values, size_t n)
{
	if (n < 3 || all_equal(values, n))
		return NAN;
	return gsl_stats_lag1_autocorrelation(values, 1, n);
}

static double median(const double *values, size_t n, double *work)
{
	memcpy(work, values, n * sizeof(*work));
	quantile_sort(work, n);
	return quantile_of_sorted(work, n, 0.5);
}

void series_halves(const double *values, size_t n, double *work, double *ret_first, double *ret_second)
{
	size_t half = n / 2;

	*ret_first = median(values, half, work);
	*ret_second = median(values + (n - half), half, work);
}
