/* Paired ratios on the log scale. */
#include "ratio.h"

#include "quantile.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static double log_duration(double ns)
{
	return log(ns < 1.0 ? 1.0 : ns);
}

int ratio_by_block(const struct pair_side *a, const struct pair_side *b, uint64_t seed, size_t resamples, double *ret_value,
		   struct interval *ret_interval)
{
	size_t most = a->n > b->n ? a->n : b->n, room = most ? most : 1, n;
	_cleanup_free_ double *work = malloc(room * sizeof(*work)), *logs = malloc(room * sizeof(*logs)),
			      *others = malloc(room * sizeof(*others));
	_cleanup_free_ uint32_t *blocks = malloc(room * sizeof(*blocks));
	struct interval interval;
	int r;

	if (!logs || !others || !work || !blocks)
		return -ENOMEM;
	n = pair_by_block(a, b, work, logs, others, blocks);
	for (size_t i = 0; i < n; i++)
		logs[i] = log_duration(logs[i]) - log_duration(others[i]);
	r = bootstrap_median(logs, blocks, n, seed, resamples, &interval);
	if (r < 0)
		return r;
	quantile_sort(logs, n);
	*ret_value = exp(quantile_of_sorted(logs, n, 0.5));
	*ret_interval = (struct interval){exp(interval.low), exp(interval.high)};
	return 0;
}
