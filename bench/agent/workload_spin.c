/* spin: dependent integer multiplications; nothing but the CPU. */
#include "workload.h"

#include <bench/workload_spin.h>

static uint64_t spin_batch(uint64_t ops, uint64_t seed)
{
	uint64_t state = seed;

	for (uint64_t i = 0; i < ops; i++) {
		state = state * SPIN_MULTIPLIER + SPIN_INCREMENT;
		__asm__ volatile("" : "+r"(state)); /* each step is done, none is folded away */
	}
	return state;
}

const struct workload workload_spin = {"spin", spin_batch};
