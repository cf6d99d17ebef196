/* Pairs by block. */
#include "pair.h"

#include "quantile.h"

#include <math.h>

/* Median of the values of the block that begins at *i, by rank when some are censored; moves *i behind the block. */
static double block_median(const struct pair_side *side, size_t *i, double *work)
{
	uint32_t block = side->blocks[*i];
	size_t n = 0;

	while (*i < side->n && side->blocks[*i] == block)
		work[n++] = side->values[(*i)++];
	quantile_sort(work, n);
	return 0.5 * (work[(n - 1) / 2] + work[n / 2]);
}

size_t pair_by_block(const struct pair_side *a, const struct pair_side *b, double *work, double *ret_a, double *ret_b, uint32_t *ret_blocks)
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
			ret_a[n] = x;
			ret_b[n] = y;
			ret_blocks[n++] = block;
		}
	}
	return n;
}
