/* Randomised complete blocks: each block runs every driver once, in an order shuffled from the recorded seed (Fisher 1935; METHOD: docs/methodology.md). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct plan_shuffle;

/* NULL when out of memory. The sequence of orders depends on seed and count alone. */
struct plan_shuffle *plan_shuffle_new(uint64_t seed, size_t count);
void plan_shuffle_free(struct plan_shuffle *shuffle);

/* The next block's order: a permutation of 0 … count-1, valid until the next call. */
const uint32_t *plan_shuffle_next(struct plan_shuffle *shuffle);

/* A seed for runs that were given none, from the kernel's random numbers; below 2^32 so that it is typed again easily. */
uint64_t plan_random_seed(void);
