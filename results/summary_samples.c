/* Samples that count, put in the order driver, block, position: whatever order they stand in, the figures are the same. */
#include "summary_samples.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static bool counts(const struct result *result, const struct sample *sample)
{
	const struct block *block = &result->blocks[sample->block];

	return !sample->warmup && !block->warmup && !block->replaced && sample->status != SAMPLE_FAILED;
}

int summary_compare_samples(const void *a, const void *b, void *arg)
{
	const struct result *result = arg;
	const struct sample *x = &result->samples[*(const uint32_t *)a], *y = &result->samples[*(const uint32_t *)b];

	if (x->driver != y->driver)
		return x->driver < y->driver ? -1 : 1;
	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	if (x->position != y->position)
		return x->position < y->position ? -1 : 1;
	return (x->timeline.at_ns[MARK_REQUEST] > y->timeline.at_ns[MARK_REQUEST]) -
	       (x->timeline.at_ns[MARK_REQUEST] < y->timeline.at_ns[MARK_REQUEST]);
}

/* Sorts the indexes of the samples that count into `order`; returns how many. */
static size_t order_samples(const struct result *result, uint32_t *order)
{
	size_t n = 0;

	for (size_t i = 0; i < result->n_samples; i++)
		if (counts(result, &result->samples[i]))
			order[n++] = (uint32_t)i;
	qsort_r(order, n, sizeof(*order), summary_compare_samples, (void *)result);
	return n;
}

struct sample_run summary_run(const struct result *result, const struct summary_work *work, size_t driver)
{
	struct sample_run run = {.result = result};
	const uint32_t *order = work->order;
	size_t first = 0, n = work->n_order;

	while (first < n && result->samples[order[first]].driver < driver)
		first++;
	run.order = order + first;
	for (; first + run.n < n && result->samples[order[first + run.n]].driver == driver; run.n++)
		if (result->samples[order[first + run.n]].status == SAMPLE_OK)
			run.observed |= result->samples[order[first + run.n]].timeline.present;
	return run;
}

/* ---- intervals of the ladder ---- */

/* The mark that interval `to` begins with; MARK_COUNT: it has no beginning in this sample. */
static enum mark interval_begin(const struct timeline *tl, enum mark to)
{
	if (to == MARK_GONE)
		return timeline_has(tl, MARK_STOP) ? MARK_STOP : MARK_COUNT;
	for (int mark = (int)to - 1; mark >= MARK_REQUEST; mark--)
		if (timeline_has(tl, (enum mark)mark))
			return (enum mark)mark;
	return MARK_COUNT;
}

/* Did the time limit strike in the interval that ends with `to`? It did if nothing is known from there on and everything before is. */
static bool censored_in(const struct timeline *tl, uint32_t observed, enum mark to)
{
	if (!(observed & (1u << to)))
		return false;
	for (int mark = MARK_LAUNCHED; mark <= MARK_READY; mark++) {
		bool missing = (observed & (1u << mark)) && !timeline_has(tl, (enum mark)mark);

		if (missing != (mark >= (int)to && (observed & (1u << mark))))
			return false;
	}
	return true;
}

/* Length of the interval that ends with `to`; false when this sample says nothing about it. */
bool summary_phase(const struct sample_run *run, const struct sample *sample, size_t which, double *ret)
{
	enum mark to = (enum mark)which;
	const struct timeline *tl = &sample->timeline;
	enum mark from = interval_begin(tl, to);

	if (timeline_has(tl, to) && from != MARK_COUNT) {
		*ret = (double)timeline_span_ns(tl, from, to);
		return to != MARK_GONE || sample->status == SAMPLE_OK;
	}
	*ret = INFINITY;
	return sample->status == SAMPLE_CENSORED && to != MARK_GONE && censored_in(tl, run->observed, to);
}

/* T0 -> T6. */
bool summary_total(const struct sample_run *run, const struct sample *sample, size_t unused, double *ret)
{
	(void)run;
	(void)unused;
	*ret = INFINITY;
	if (sample->status == SAMPLE_CENSORED)
		return true;
	if (!timeline_has(&sample->timeline, MARK_REQUEST) || !timeline_has(&sample->timeline, MARK_READY))
		return false;
	*ret = (double)timeline_span_ns(&sample->timeline, MARK_REQUEST, MARK_READY);
	return true;
}

/* Gathers an interval of every sample of a run, in order, with its block. Returns how many samples know it. */
size_t summary_gather(const struct sample_run *run, summary_interval interval, size_t which, double *ret_values, uint32_t *ret_blocks)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct sample *sample = &run->result->samples[run->order[i]];

		if (interval(run, sample, which, &ret_values[n]))
			ret_blocks[n++] = sample->block;
	}
	return n;
}

/* ---- room ---- */

void summary_work_done(struct summary_work *work)
{
	free(work->order);
	free(work->values);
	free(work->baseline);
	free(work->blocks);
	free(work->baseline_blocks);
	free(work->sorted);
	free(work->block_numbers);
	free(work->scratch);
	free(work->flags);
}

int summary_work_init(struct summary_work *work, const struct result *result)
{
	size_t room = result->n_samples ? result->n_samples : 1;

	work->order = calloc(room, sizeof(*work->order));
	work->values = calloc(room, sizeof(*work->values));
	work->baseline = calloc(room, sizeof(*work->baseline));
	work->blocks = calloc(room, sizeof(*work->blocks));
	work->baseline_blocks = calloc(room, sizeof(*work->baseline_blocks));
	work->sorted = calloc(room, sizeof(*work->sorted));
	work->block_numbers = calloc(room, sizeof(*work->block_numbers));
	work->scratch = calloc(room, 2 * sizeof(*work->scratch));
	work->flags = calloc(room, sizeof(*work->flags));
	if (!work->order || !work->values || !work->baseline || !work->blocks || !work->baseline_blocks || !work->sorted ||
	    !work->block_numbers || !work->scratch || !work->flags)
		return -ENOMEM;
	work->n_order = order_samples(result, work->order);
	return 0;
}
