/* Paired ratios on the log scale. */
#include "ratio.h"

#include "quantile.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Median of the values of the block that begins at *i, by rank when some are censored; moves *i behind the block. */
static double block_median(const struct ratio_side *side, size_t *i, double *work)
{
	uint32_t block = side->blocks[*i];
	size_t n = 0;

	while (*i < side->n && side->blocks[*i] == block)
		work[n++] = side->values[(*i)++];
	quantile_sort(work, n);
	return 0.5 * (work[(n - 1) / 2] + work[n / 2]);
}

static double log_duration(double ns)
{
	return log(ns < 1.0 ? 1.0 : ns);
}

/* One log ratio a common block. Returns how many. */
static size_t pair(const struct ratio_side *a, const struct ratio_side *b, double *work, double *ret_logs, uint32_t *ret_blocks)
{
	size_t i = 0, j = 0, n = 0;

	while (i < a->n && j < b->n) {
		uint32_t block = a->blocks[i];
		double x, y;

		if (block < b->blocks[j]) {
			i++;
		} else if (block > b->blocks[j]) {
			j++;
		} else {
			x = block_median(a, &i, work);
			y = block_median(b, &j, work);
			if (isinf(x) && isinf(y))
				continue;
			ret_logs[n] = log_duration(x) - log_duration(y);
			ret_blocks[n++] = block;
		}
	}
	return n;
}

int ratio_by_block(const struct ratio_side *a, const struct ratio_side *b, uint64_t seed, size_t resamples, double *ret_value,
		   struct interval *ret_interval)
{
	size_t room = a->n > b->n ? a->n : b->n, n;
	_cleanup_free_ double *logs = malloc((room ? room : 1) * sizeof(*logs)), *work = malloc((room ? room : 1) * sizeof(*work));
	_cleanup_free_ uint32_t *blocks = malloc((room ? room : 1) * sizeof(*blocks));
	struct interval interval;
	int r;

	if (!logs || !work || !blocks)
		return -ENOMEM;
	n = pair(a, b, work, logs, blocks);
	r = bootstrap_median(logs, blocks, n, seed, resamples, &interval);
	if (r < 0)
		return r;
	quantile_sort(logs, n);
	*ret_value = exp(quantile_of_sorted(logs, n, 0.5));
	*ret_interval = (struct interval){exp(interval.low), exp(interval.high)};
	return 0;
}
