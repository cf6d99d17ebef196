/* Figures from raw samples.
 *
 * Samples that count are put in the order driver, block, position: whatever order they stand in, the figures are the same. Then each driver's run of
 * them is gathered into plain arrays, once for each interval of the ladder, and results/stats does the rest. */
#include "summary.h"

#include <bench/cleanup.h>
#include <stats/bootstrap.h>
#include <stats/outlier.h>
#include <stats/quantile.h>
#include <stats/ratio.h>
#include <stats/series.h>

#include <errno.h>
#include <math.h>
#include <string.h>

/* Arrays that all drivers share in turn; each but `scratch` and `scratch2` has one entry a sample. */
struct work {
	uint32_t *order; /* indexes of the samples that count, sorted */
	double *values, *baseline;
	uint32_t *blocks, *baseline_blocks;
	size_t n_baseline;
	double *sorted, *block_numbers;
	double *scratch; /* 2 n */
	bool *flags;
};

/* The samples of one driver that count. */
struct run {
	const struct result *result;
	const uint32_t *order;
	size_t n;
	uint32_t observed; /* marks that the driver showed in any ready sample */
};

static bool counts(const struct result *result, const struct sample *sample)
{
	const struct block *block = &result->blocks[sample->block];

	return !sample->warmup && !block->warmup && !block->replaced && sample->status != SAMPLE_FAILED;
}

static int compare_samples(const void *a, const void *b, void *arg)
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
	qsort_r(order, n, sizeof(*order), compare_samples, (void *)result);
	return n;
}

static struct run find_run(const struct result *result, const uint32_t *order, size_t n, size_t driver)
{
	struct run run = {.result = result};
	size_t first = 0;

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
static bool phase_of(const struct sample *sample, uint32_t observed, enum mark to, double *ret)
{
	const struct timeline *tl = &sample->timeline;
	enum mark from = interval_begin(tl, to);

	if (timeline_has(tl, to) && from != MARK_COUNT) {
		*ret = (double)timeline_span_ns(tl, from, to);
		return to != MARK_GONE || sample->status == SAMPLE_OK;
	}
	*ret = INFINITY;
	return sample->status == SAMPLE_CENSORED && to != MARK_GONE && censored_in(tl, observed, to);
}

/* T0 -> T6. */
static bool total_of(const struct sample *sample, uint32_t observed, enum mark to, double *ret)
{
	(void)observed;
	(void)to;
	*ret = INFINITY;
	if (sample->status == SAMPLE_CENSORED)
		return true;
	if (!timeline_has(&sample->timeline, MARK_REQUEST) || !timeline_has(&sample->timeline, MARK_READY))
		return false;
	*ret = (double)timeline_span_ns(&sample->timeline, MARK_REQUEST, MARK_READY);
	return true;
}

typedef bool (*interval_fn)(const struct sample *sample, uint32_t observed, enum mark to, double *ret);

/* Gathers an interval of every sample of a run, in order, with its block. Returns how many samples know it. */
static size_t gather(const struct run *run, interval_fn interval, enum mark to, double *ret_values, uint32_t *ret_blocks)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct sample *sample = &run->result->samples[run->order[i]];

		if (interval(sample, run->observed, to, &ret_values[n]))
			ret_blocks[n++] = sample->block;
	}
	return n;
}

/* ---- figures ---- */

static const struct estimate unknown_estimate = {NAN, NAN, NAN};
static const struct distribution unknown_distribution = {0, 0, {NAN, NAN, NAN}, NAN, NAN, NAN, NAN, NAN};

/* The distribution of work->values[0…n). */
static int distribution_make(const struct result *result, struct work *work, size_t n, struct distribution *ret)
{
	struct distribution d = unknown_distribution;
	struct interval interval;
	int r;

	d.n = n;
	for (size_t i = 0; i < n; i++) {
		work->sorted[i] = work->values[i];
		d.censored += isinf(work->values[i]) != 0;
	}
	r = bootstrap_median(work->values, work->blocks, n, result->plan.seed, BOOTSTRAP_RESAMPLES, &interval);
	if (r < 0)
		return r;
	quantile_sort(work->sorted, n);
	d.median = (struct estimate){quantile_of_sorted(work->sorted, n, 0.5), interval.low, interval.high};
	d.p90 = quantile_upper(work->sorted, n, 0.9);
	d.p99 = quantile_upper(work->sorted, n, 0.99);
	d.mad = quantile_mad(work->sorted, n, work->scratch);
	d.min = quantile_of_sorted(work->sorted, n, 0.0);
	d.max = quantile_of_sorted(work->sorted, n, 1.0);
	*ret = d;
	return 0;
}

/* Drift, autocorrelation, halves and outliers of work->values[0…n). */
static void series_make(struct work *work, size_t n, struct driver_summary *ret)
{
	size_t finite = 0;

	for (size_t i = 0; i < n; i++) {
		work->block_numbers[i] = work->blocks[i];
		if (isfinite(work->values[i]))
			work->sorted[finite++] = work->values[i];
	}
	series_drift(work->block_numbers, work->values, n, work->scratch, &ret->drift_rho, &ret->drift_p);
	ret->lag1 = series_lag1(work->sorted, finite);
	series_halves(work->values, n, work->scratch, &ret->first_half, &ret->second_half);
	ret->outliers = outlier_label(work->values, n, work->scratch, work->flags);
}

static int total_make(const struct run *run, struct work *work, struct driver_summary *ret)
{
	size_t n = gather(run, total_of, MARK_READY, work->values, work->blocks);
	struct ratio_side mine = {work->values, work->blocks, n}, base = {work->baseline, work->baseline_blocks, work->n_baseline};
	struct interval interval;
	int r;

	r = distribution_make(run->result, work, n, &ret->total);
	if (r < 0)
		return r;
	series_make(work, n, ret);
	r = ratio_by_block(&mine, &base, run->result->plan.seed, BOOTSTRAP_RESAMPLES, &ret->ratio.value, &interval);
	if (r < 0)
		return r;
	ret->ratio.low = interval.low;
	ret->ratio.high = interval.high;
	return 0;
}

static int phases_make(const struct run *run, struct work *work, struct driver_summary *ret)
{
	for (int mark = 0; mark < MARK_COUNT; mark++) {
		size_t n;
		int r;

		ret->phases[mark] = unknown_distribution;
		if (mark == MARK_REQUEST || mark == MARK_STOP)
			continue;
		n = gather(run, phase_of, (enum mark)mark, work->values, work->blocks);
		r = distribution_make(run->result, work, n, &ret->phases[mark]);
		if (r < 0)
			return r;
	}
	ret->stop = ret->phases[MARK_GONE];
	return 0;
}

/* Median of one field (by its offset) of the footprints that are known. */
static double footprint_median(const struct run *run, struct work *work, size_t offset)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct sample *sample = &run->result->samples[run->order[i]];
		const int64_t *bytes = (const int64_t *)((const char *)&sample->footprint + offset);

		if (sample->status == SAMPLE_OK && *bytes != FOOTPRINT_UNKNOWN)
			work->sorted[n++] = (double)*bytes;
	}
	quantile_sort(work->sorted, n);
	return quantile_of_sorted(work->sorted, n, 0.5);
}

/* What needs the samples that do not count, too: the very first start, failures, warm-ups. */
static void count_all(const struct result *result, struct summary *summary)
{
	for (size_t d = 0; d < summary->n_drivers; d++) {
		struct driver_summary *driver = &summary->drivers[d];
		uint32_t first = UINT32_MAX;

		driver->first_ns = NAN;
		for (size_t i = 0; i < result->n_samples; i++) {
			const struct sample *sample = &result->samples[i];
			const struct block *block = &result->blocks[sample->block];
			uint32_t index = (uint32_t)i;

			if (sample->driver != d)
				continue;
			driver->warmups += sample->warmup || block->warmup;
			driver->failed += sample->status == SAMPLE_FAILED && !sample->warmup && !block->warmup && !block->replaced;
			if (first == UINT32_MAX || compare_samples(&index, &first, (void *)result) < 0)
				first = index;
		}
		if (first == UINT32_MAX || result->samples[first].status != SAMPLE_OK ||
		    !total_of(&result->samples[first], 0, MARK_READY, &driver->first_ns))
			driver->first_ns = NAN;
	}
	for (size_t i = 0; i < result->n_blocks; i++) {
		summary->tainted_blocks += result->blocks[i].tainted;
		summary->replaced_blocks += result->blocks[i].replaced;
	}
}

/* The plain process is what ratios refer to: the one labelled so, else the first of that driver. */
static int find_baseline(const struct result *result)
{
	int found = -1;

	for (size_t d = 0; d < result->n_drivers; d++) {
		const struct driver_spec *spec = &result->drivers[d].spec;

		if (strcmp(spec->name, "process") != 0)
			continue;
		if (strcmp(spec->label, "process") == 0)
			return (int)d;
		if (found < 0)
			found = (int)d;
	}
	return found;
}

/* ---- the whole ---- */

static void work_done(struct work *work)
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

static int work_init(struct work *work, size_t n)
{
	size_t room = n ? n : 1;

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
	return 0;
}

static int check_indexes(const struct result *result, struct error *err)
{
	if (result->n_samples > UINT32_MAX)
		return error_set(err, E2BIG, "summary: %zu samples are more than can be numbered", result->n_samples);
	for (size_t i = 0; i < result->n_samples; i++)
		if (result->samples[i].driver >= result->n_drivers || result->samples[i].block >= result->n_blocks)
			return error_set(err, EINVAL, "summary: samples[%zu] belongs to no driver or block of the result", i);
	return 0;
}

static int driver_make(const struct run *run, struct work *work, struct driver_summary *ret)
{
	int r;

	ret->ratio = unknown_estimate;
	r = total_make(run, work, ret);
	if (r < 0)
		return r;
	ret->pss_bytes = footprint_median(run, work, offsetof(struct footprint, pss_bytes));
	ret->uss_bytes = footprint_median(run, work, offsetof(struct footprint, uss_bytes));
	ret->cgroup_bytes = footprint_median(run, work, offsetof(struct footprint, cgroup_bytes));
	return phases_make(run, work, ret);
}

static int drivers_make(const struct result *result, struct work *work, struct summary *summary)
{
	size_t n = order_samples(result, work->order);

	if (summary->baseline >= 0) {
		struct run base = find_run(result, work->order, n, (size_t)summary->baseline);

		work->n_baseline = gather(&base, total_of, MARK_READY, work->baseline, work->baseline_blocks);
	}
	for (size_t d = 0; d < summary->n_drivers; d++) {
		struct run run = find_run(result, work->order, n, d);
		int r = driver_make(&run, work, &summary->drivers[d]);

		if (r < 0)
			return r;
	}
	return 0;
}

int summary_make(const struct result *result, struct summary *ret, struct error *err)
{
	_cleanup_(work_done) struct work work = {0};
	_cleanup_(summary_free) struct summary summary = {.baseline = find_baseline(result), .n_drivers = result->n_drivers};
	int r = check_indexes(result, err);

	if (r < 0)
		return r;
	summary.drivers = calloc(result->n_drivers ? result->n_drivers : 1, sizeof(*summary.drivers));
	r = summary.drivers ? work_init(&work, result->n_samples) : -ENOMEM;
	if (r == 0)
		r = drivers_make(result, &work, &summary);
	if (r < 0)
		return error_set(err, -r, "summary of %zu samples: out of memory", result->n_samples);
	count_all(result, &summary);
	*ret = summary;
	summary = (struct summary){0};
	return 0;
}

void summary_free(struct summary *summary)
{
	free(summary->drivers);
	*summary = (struct summary){.baseline = -1};
}

void summary_label_outliers(const struct result *result, bool *ret)
{
	_cleanup_(work_done) struct work work = {0};
	size_t n;

	memset(ret, 0, result->n_samples * sizeof(*ret));
	if (check_indexes(result, NULL) < 0 || work_init(&work, result->n_samples) < 0)
		return;
	n = order_samples(result, work.order);
	for (size_t d = 0; d < result->n_drivers; d++) {
		struct run run = find_run(result, work.order, n, d);
		size_t known = gather(&run, total_of, MARK_READY, work.values, work.blocks);

		outlier_label(work.values, known, work.scratch, work.flags);
		/* The same samples in the same order: the k-th that knows its total got the k-th flag. */
		for (size_t i = 0, k = 0; i < run.n; i++) {
			double total;

			if (total_of(&result->samples[run.order[i]], run.observed, MARK_READY, &total))
				ret[run.order[i]] = work.flags[k++];
		}
	}
}
