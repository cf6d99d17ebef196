/* Where the time of a start goes: its steps; and what each feature costs: whole against variants. */
#include "summary_samples.h"

#include <bench/cleanup.h>
#include <stats/bootstrap.h>
#include <stats/difference.h>
#include <stats/quantile.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- steps ---- */

/* The steps of a sample that was ready; a start that failed half-way says nothing on how long a whole one takes. */
static const struct step_times *steps_of(const struct sample_run *run, const struct sample *sample)
{
	return sample->status == SAMPLE_OK ? result_steps(run->result, sample) : NULL;
}

static bool step_duration(const struct sample_run *run, const struct sample *sample, size_t step, double *ret)
{
	const struct step_times *times = steps_of(run, sample);

	if (!times || !step_times_has(times, step))
		return false;
	*ret = (double)(times->at[step].end_ns - times->at[step].begin_ns);
	return true;
}

/* From T0. */
static bool step_begin(const struct sample_run *run, const struct sample *sample, size_t step, double *ret)
{
	const struct step_times *times = steps_of(run, sample);

	if (!times || !step_times_has(times, step) || !timeline_has(&sample->timeline, MARK_REQUEST))
		return false;
	*ret = (double)(times->at[step].begin_ns - sample->timeline.at_ns[MARK_REQUEST]);
	return true;
}

static bool step_end(const struct sample_run *run, const struct sample *sample, size_t step, double *ret)
{
	double duration;

	if (!step_begin(run, sample, step, ret) || !step_duration(run, sample, step, &duration))
		return false;
	*ret += duration;
	return true;
}

/* A mark after T0. */
static bool mark_of(const struct sample_run *run, const struct sample *sample, size_t mark, double *ret)
{
	const struct timeline *tl = &sample->timeline;

	(void)run;
	if (sample->status != SAMPLE_OK || !timeline_has(tl, MARK_REQUEST) || !timeline_has(tl, (enum mark)mark))
		return false;
	*ret = (double)timeline_span_ns(tl, MARK_REQUEST, (enum mark)mark);
	return true;
}

struct span {
	int64_t begin_ns, end_ns;
};

static int by_begin(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns);
}

/* Begin of the first step, end of the last, and the time in which no lane was in a step. */
static bool cover(const struct step_times *times, struct span *ret, int64_t *ret_between_ns)
{
	struct span spans[STEPS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < STEPS_MAX; i++)
		if (step_times_has(times, i))
			spans[n++] = (struct span){times->at[i].begin_ns, times->at[i].end_ns};
	if (n == 0)
		return false;
	qsort(spans, n, sizeof(spans[0]), by_begin);
	*ret = spans[0];
	*ret_between_ns = 0;
	for (size_t i = 1; i < n; i++) {
		if (spans[i].begin_ns > ret->end_ns)
			*ret_between_ns += spans[i].begin_ns - ret->end_ns;
		if (spans[i].end_ns > ret->end_ns)
			ret->end_ns = spans[i].end_ns;
	}
	return true;
}

enum rest { REST_BEFORE, REST_AFTER, REST_BETWEEN };

/* What of T0 -> T6 is in no step. */
static bool rest_of(const struct sample_run *run, const struct sample *sample, size_t which, double *ret)
{
	const struct step_times *times = steps_of(run, sample);
	const struct timeline *tl = &sample->timeline;
	int64_t between_ns;
	struct span span;

	if (!times || !cover(times, &span, &between_ns) || !timeline_has(tl, MARK_REQUEST) || !timeline_has(tl, MARK_READY))
		return false;
	*ret = (double)(which == REST_BEFORE  ? span.begin_ns - tl->at_ns[MARK_REQUEST]
			: which == REST_AFTER ? tl->at_ns[MARK_READY] - span.end_ns
					      : between_ns);
	return true;
}

static int gather_distribution(const struct sample_run *run, struct summary_work *work, summary_interval interval, size_t which,
			       struct distribution *ret)
{
	size_t n = summary_gather(run, interval, which, work->values, work->blocks);

	return summary_distribution(run->result, work, n, ret);
}

static double gather_median(const struct sample_run *run, struct summary_work *work, summary_interval interval, size_t which)
{
	size_t n = summary_gather(run, interval, which, work->values, work->blocks);

	quantile_sort(work->values, n);
	return quantile_of_sorted(work->values, n, 0.5);
}

static int driver_steps(const struct result *result, struct summary_work *work, size_t d, struct driver_summary *ret)
{
	size_t n = result->drivers[d].info.steps.n;
	struct sample_run run = summary_run(result, work, d);
	int r = 0;

	if (n == 0)
		return 0;
	ret->steps = calloc(n, sizeof(*ret->steps));
	if (!ret->steps)
		return -ENOMEM;
	ret->n_steps = n;
	for (size_t i = 0; i < n && r == 0; i++) {
		struct step_summary *step = &ret->steps[i];

		r = gather_distribution(&run, work, step_duration, i, &step->duration);
		step->begin_ns = gather_median(&run, work, step_begin, i);
		step->end_ns = gather_median(&run, work, step_end, i);
		step->share = step->duration.median.value / ret->total.median.value;
	}
	for (size_t mark = 0; mark < MARK_COUNT; mark++)
		ret->mark_ns[mark] = gather_median(&run, work, mark_of, mark);
	if (r == 0)
		r = gather_distribution(&run, work, rest_of, REST_BEFORE, &ret->before_steps);
	if (r == 0)
		r = gather_distribution(&run, work, rest_of, REST_AFTER, &ret->after_steps);
	if (r == 0)
		r = gather_distribution(&run, work, rest_of, REST_BETWEEN, &ret->between_steps);
	return r;
}

/* ---- costs ---- */

static int find_whole(const struct result *result)
{
	for (size_t d = 0; d < result->n_drivers; d++)
		if (result->drivers[d].variant.role == VARIANT_WHOLE)
			return (int)d;
	return -1;
}

/* The difference of one interval; the whole's values are work->baseline. */
static int cost_make(const struct result *result, struct summary_work *work, size_t d, summary_interval interval, size_t which,
		     struct cost *ret)
{
	struct sample_run run = summary_run(result, work, d);
	struct pair_side own = {work->values, work->blocks, summary_gather(&run, interval, which, work->values, work->blocks)};
	struct pair_side whole = {work->baseline, work->baseline_blocks, work->n_baseline};
	bool adds = result->drivers[d].variant.role == VARIANT_WITH;
	struct interval found;
	int r = difference_by_block(adds ? &own : &whole, adds ? &whole : &own, result->plan.seed, BOOTSTRAP_RESAMPLES, &ret->ns.value,
				    &found);

	if (r < 0)
		return r;
	ret->ns.low = found.low;
	ret->ns.high = found.high;
	return 0;
}

static struct cost *cost_of(struct feature_cost *cost, bool stop)
{
	return stop ? &cost->stop : &cost->start;
}

/* Differences of one interval for all variants, the noise among them, and then the verdicts. */
static int costs_make(const struct result *result, struct summary_work *work, struct summary *summary, bool stop)
{
	summary_interval interval = stop ? summary_phase : summary_total;
	size_t which = stop ? MARK_GONE : 0;
	struct sample_run whole = summary_run(result, work, (size_t)summary->whole);
	double noise = NAN;

	work->n_baseline = summary_gather(&whole, interval, which, work->baseline, work->baseline_blocks);
	for (size_t i = 0; i < summary->n_costs; i++) {
		struct cost *cost = cost_of(&summary->costs[i], stop);
		int r = cost_make(result, work, summary->costs[i].driver, interval, which, cost);

		if (r < 0)
			return r;
		if (result->drivers[summary->costs[i].driver].variant.role == VARIANT_AGAIN)
			noise = isfinite(cost->ns.low) && isfinite(cost->ns.high) ? fmax(fabs(cost->ns.low), fabs(cost->ns.high)) : NAN;
	}
	for (size_t i = 0; i < summary->n_costs; i++) {
		static const enum cost_verdict verdicts[] = {
			[DIFFERENCE_NONE] = COST_UNDECIDED, [DIFFERENCE_MORE] = COST_COSTS, [DIFFERENCE_LESS] = COST_SAVES};
		struct cost *cost = cost_of(&summary->costs[i], stop);

		cost->verdict = verdicts[difference_verdict(cost->ns.value, (struct interval){cost->ns.low, cost->ns.high}, noise)];
	}
	*(stop ? &summary->stop_noise_ns : &summary->start_noise_ns) = noise;
	return 0;
}

static int find_costs(const struct result *result, struct summary *summary)
{
	summary->costs = calloc(result->n_drivers ? result->n_drivers : 1, sizeof(*summary->costs));
	if (!summary->costs)
		return -ENOMEM;
	for (size_t d = 0; d < result->n_drivers; d++) {
		enum variant_role role = result->drivers[d].variant.role;

		if (role != VARIANT_NONE && role != VARIANT_WHOLE)
			summary->costs[summary->n_costs++].driver = d;
	}
	return 0;
}

int summary_steps(const struct result *result, struct summary_work *work, struct summary *summary)
{
	int r = 0;

	summary->whole = find_whole(result);
	summary->start_noise_ns = summary->stop_noise_ns = NAN;
	for (size_t d = 0; d < summary->n_drivers && r == 0; d++)
		r = driver_steps(result, work, d, &summary->drivers[d]);
	if (summary->whole < 0 || r < 0)
		return r;
	r = find_costs(result, summary);
	if (r == 0)
		r = costs_make(result, work, summary, false);
	return r < 0 ? r : costs_make(result, work, summary, true);
}
