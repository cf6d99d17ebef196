/* Paired differences. */
#include "difference.h"

#include "quantile.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>

int difference_by_block(const struct pair_side *a, const struct pair_side *b, uint64_t seed, size_t resamples, double *ret_value,
			struct interval *ret_interval)
{
	size_t most = a->n > b->n ? a->n : b->n, room = most ? most : 1, n;
	_cleanup_free_ double *work = malloc(room * sizeof(*work)), *differences = malloc(room * sizeof(*differences)),
			      *others = malloc(room * sizeof(*others));
	_cleanup_free_ uint32_t *blocks = malloc(room * sizeof(*blocks));
	struct interval interval;
	int r;

	if (!differences || !others || !work || !blocks)
		return -ENOMEM;
	n = pair_by_block(a, b, work, differences, others, blocks);
	for (size_t i = 0; i < n; i++)
		differences[i] -= others[i];
	r = bootstrap_median(differences, blocks, n, seed, resamples, &interval);
	if (r < 0)
		return r;
	quantile_sort(differences, n);
	*ret_value = quantile_of_sorted(differences, n, 0.5);
	*ret_interval = interval;
	return 0;
}

enum difference_verdict difference_verdict(double value, struct interval interval, double noise)
{
	/* Comparisons with NAN are false. */
	if (interval.low > 0 && value > noise)
		return DIFFERENCE_MORE;
	if (interval.high < 0 && value < -noise)
		return DIFFERENCE_LESS;
	return DIFFERENCE_NONE;
}
