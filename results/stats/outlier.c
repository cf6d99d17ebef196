/* Outlier labels by modified z-score. */
#include "outlier.h"

#include "quantile.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>

/* What one unit of the score is; 0 when all values are equal. */
static double unit(const double *sorted, size_t n, double median, double *work)
{
	double mad = quantile_mad(sorted, n, work);

	if (mad > 0.0)
		return mad / 0.6745;
	return 1.253314 * gsl_stats_absdev_m(sorted, 1, n, median);
}

size_t outlier_label(const double *values, size_t n, double *work, bool *ret)
{
	size_t finite = 0, found = 0;
	double median, scale;

	for (size_t i = 0; i < n; i++)
		if (isfinite(values[i]))
			work[finite++] = values[i];
	quantile_sort(work, finite);
	median = quantile_of_sorted(work, finite, 0.5);
	scale = finite ? unit(work, finite, median, work + n) : 0.0;
	for (size_t i = 0; i < n; i++) {
		ret[i] = scale > 0.0 && isfinite(values[i]) && fabs(values[i] - median) / scale > OUTLIER_LIMIT;
		found += ret[i];
	}
	return found;
}
