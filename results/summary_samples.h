/* Which samples of a result count, in which order, and one interval of each as plain arrays. Between summary.c, summary_steps.c and
 * summary_samples.c; internal to results/. */
#pragma once

#include "summary.h"

#include <stdbool.h>
#include <stdint.h>

/* Arrays that all drivers share in turn; each but `scratch` has one entry a sample. */
struct summary_work {
	uint32_t *order; /* indexes of the samples that count, sorted */
	size_t n_order;
	double *values, *baseline;
	uint32_t *blocks, *baseline_blocks;
	size_t n_baseline;
	double *sorted, *block_numbers;
	double *scratch; /* 2 n */
	bool *flags;
};

/* -ENOMEM. Orders the samples of the result, whose indexes must be valid. */
int summary_work_init(struct summary_work *work, const struct result *result);
void summary_work_done(struct summary_work *work);

/* The samples of one driver that count, in the order of blocks. */
struct sample_run {
	const struct result *result;
	const uint32_t *order;
	size_t n;
	uint32_t observed; /* marks that the driver showed in any ready sample */
};

struct sample_run summary_run(const struct result *result, const struct summary_work *work, size_t driver);

/* Sorts by driver, block, position; samples i and j of the result. */
int summary_compare_samples(const void *i, const void *j, void *result);

/* One interval of a sample in nanoseconds, INFINITY: censored; false when this sample says nothing about it. `which`: what the caller of
 * summary_gather() passes. */
typedef bool (*summary_interval)(const struct sample_run *run, const struct sample *sample, size_t which, double *ret);

bool summary_total(const struct sample_run *run, const struct sample *sample, size_t unused, double *ret); /* T0 -> T6 */
bool summary_phase(const struct sample_run *run, const struct sample *sample, size_t to, double *ret); /* from the mark before to `to` */

/* Gathers an interval of every sample of a run, in order, with its block. Returns how many samples know it. */
size_t summary_gather(const struct sample_run *run, summary_interval interval, size_t which, double *ret_values, uint32_t *ret_blocks);

/* The distribution of work->values[0…n). -ENOMEM. */
int summary_distribution(const struct result *result, struct summary_work *work, size_t n, struct distribution *ret);

/* Steps of all drivers, costs of the variants; `summary` has the totals of all drivers. -ENOMEM (summary_steps.c). */
int summary_steps(const struct result *result, struct summary_work *work, struct summary *summary);
