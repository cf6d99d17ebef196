/* The recurrence of the spin workload: a linear congruential generator modulo 2^64 (multiplier and increment of Knuth's MMIX).
 * The agent steps it one by one; the host checks the outcome by skipping ahead in O(log n). */
#pragma once

#include <stdint.h>

#define SPIN_MULTIPLIER UINT64_C(6364136223846793005)
#define SPIN_INCREMENT  UINT64_C(1442695040888963407)

/* State after `steps` steps from `seed`, by repeated squaring of the affine map (F. Brown, "Random number generation with arbitrary strides", 1994). */
static inline uint64_t spin_skip(uint64_t steps, uint64_t seed)
{
	uint64_t multiplier = SPIN_MULTIPLIER, increment = SPIN_INCREMENT, total_multiplier = 1, total_increment = 0;

	for (; steps > 0; steps >>= 1) {
		if (steps & 1) {
			total_multiplier *= multiplier;
			total_increment = total_increment * multiplier + increment;
		}
		increment *= multiplier + 1;
		multiplier *= multiplier;
	}
	return total_multiplier * seed + total_increment;
}
