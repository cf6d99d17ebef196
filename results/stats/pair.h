/* Two sets of durations that were measured in the same blocks, brought together block by block: what a block did to both cancels. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Durations in nanoseconds with the block of each, sorted by block; INFINITY: censored. */
struct pair_side {
	const double *values;
	const uint32_t *blocks;
	size_t n;
};

/* One value of each side a common block, in the order of blocks; a block with several values enters with their median, by rank where some are
 * censored. A block with both censored says nothing and takes no part. `work` and the results have room for the longer side. Returns how many. */
size_t pair_by_block(const struct pair_side *a, const struct pair_side *b, double *work, double *ret_a, double *ret_b,
		     uint32_t *ret_blocks);
