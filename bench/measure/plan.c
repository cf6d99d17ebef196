#include "plan.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <stdlib.h>
#include <sys/random.h>

struct plan_shuffle {
	gsl_rng *rng;
	size_t count;
	uint32_t order[];
};

struct plan_shuffle *plan_shuffle_new(uint64_t seed, size_t count)
{
	struct plan_shuffle *shuffle = calloc(1, sizeof(*shuffle) + count * sizeof(shuffle->order[0]));

	if (!shuffle)
		return NULL;
	shuffle->rng = gsl_rng_alloc(gsl_rng_taus2);
	if (!shuffle->rng) {
		free(shuffle);
		return NULL;
	}
	gsl_rng_set(shuffle->rng, (unsigned long)seed);
	shuffle->count = count;
	return shuffle;
}

void plan_shuffle_free(struct plan_shuffle *shuffle)
{
	if (!shuffle)
		return;
	gsl_rng_free(shuffle->rng);
	free(shuffle);
}

const uint32_t *plan_shuffle_next(struct plan_shuffle *shuffle)
{
	/* From the identity each time: then an order depends on its number alone, not on the order before. */
	for (size_t i = 0; i < shuffle->count; i++)
		shuffle->order[i] = (uint32_t)i;
	gsl_ran_shuffle(shuffle->rng, shuffle->order, shuffle->count, sizeof(shuffle->order[0]));
	return shuffle->order;
}

uint64_t plan_random_seed(void)
{
	uint32_t seed = 1;

	return getrandom(&seed, sizeof(seed), 0) == sizeof(seed) ? seed : 1;
}
