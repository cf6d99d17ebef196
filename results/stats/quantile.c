/* Order statistics with censored values. GSL does the arithmetic; what it lacks is the notion of a value that is only known to be large. */
#include "quantile.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

void quantile_sort(double *values, size_t n)
{
	gsl_sort(values, 1, n);
}

double quantile_of_sorted(const double *sorted, size_t n, double p)
{
	double place, below;
	size_t lower;

	if (n == 0)
		return NAN;
	place = p * (double)(n - 1);
	below = floor(place);
	lower = (size_t)below;
	if (!isfinite(sorted[lower]))
		return NAN;
	/* On the spot, the neighbour has no part in it: GSL would multiply it by zero, which an infinite one turns into NAN. */
	if (place <= below || lower + 1 >= n)
		return sorted[lower];
	if (!isfinite(sorted[lower + 1]))
		return NAN;
	return gsl_stats_quantile_from_sorted_data(sorted, 1, n, p);
}

double quantile_upper(const double *sorted, size_t n, double p)
{
	/* Rounded: 1 / (1 - 0.99) is a little more than 100 in binary. */
	if ((double)n < round(1.0 / (1.0 - p)))
		return NAN;
	return quantile_of_sorted(sorted, n, p);
}

double quantile_mad(const double *sorted, size_t n, double *work)
{
	double mad;

	if (isnan(quantile_of_sorted(sorted, n, 0.5)))
		return NAN;
	mad = gsl_stats_mad0(sorted, 1, n, work);
	return isfinite(mad) ? mad : NAN;
}
