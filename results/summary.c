/* Figures from raw samples: each driver's run of samples that count is gathered into plain arrays, once for each interval of the ladder
 * (summary_samples.c), and results/stats does the rest. */
#include "summary.h"

#include "summary_samples.h"

#include <bench/cleanup.h>
#include <stats/bootstrap.h>
#include <stats/outlier.h>
#include <stats/quantile.h>
#include <stats/ratio.h>
#include <stats/series.h>

#include <errno.h>
#include <math.h>
#include <string.h>

/* ---- figures ---- */

static const struct estimate unknown_estimate = {NAN, NAN, NAN};
static const struct distribution unknown_distribution = {0, 0, {NAN, NAN, NAN}, NAN, NAN, NAN, NAN, NAN};

/* The distribution of work->values[0…n). */
int summary_distribution(const struct result *result, struct summary_work *work, size_t n, struct distribution *ret)
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
static void series_make(struct summary_work *work, size_t n, struct driver_summary *ret)
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

static int total_make(const struct sample_run *run, struct summary_work *work, struct driver_summary *ret)
{
	size_t n = summary_gather(run, summary_total, 0, work->values, work->blocks);
	struct pair_side mine = {work->values, work->blocks, n}, base = {work->baseline, work->baseline_blocks, work->n_baseline};
	struct interval interval;
	int r;

	r = summary_distribution(run->result, work, n, &ret->total);
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

static int phases_make(const struct sample_run *run, struct summary_work *work, struct driver_summary *ret)
{
	for (int mark = 0; mark < MARK_COUNT; mark++) {
		size_t n;
		int r;

		ret->phases[mark] = unknown_distribution;
		if (mark == MARK_REQUEST || mark == MARK_STOP)
			continue;
		n = summary_gather(run, summary_phase, (size_t)mark, work->values, work->blocks);
		r = summary_distribution(run->result, work, n, &ret->phases[mark]);
		if (r < 0)
			return r;
	}
	ret->stop = ret->phases[MARK_GONE];
	return 0;
}

/* Median of one field (by its offset) of the footprints that are known. */
static double footprint_median(const struct sample_run *run, struct summary_work *work, size_t offset)
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
			if (first == UINT32_MAX || summary_compare_samples(&index, &first, (void *)result) < 0)
				first = index;
		}
		if (first == UINT32_MAX || result->samples[first].status != SAMPLE_OK ||
		    !summary_total(NULL, &result->samples[first], 0, &driver->first_ns))
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

static int check_indexes(const struct result *result, struct error *err)
{
	if (result->n_samples > UINT32_MAX)
		return error_set(err, E2BIG, "summary: %zu samples are more than can be numbered", result->n_samples);
	for (size_t i = 0; i < result->n_samples; i++)
		if (result->samples[i].driver >= result->n_drivers || result->samples[i].block >= result->n_blocks)
			return error_set(err, EINVAL, "summary: samples[%zu] belongs to no driver or block of the result", i);
	for (size_t i = 0; i < result->n_samples; i++)
		if (result->samples[i].steps > result->n_steps)
			return error_set(err, EINVAL, "summary: samples[%zu] has steps that are not in the result", i);
	return 0;
}

static int driver_make(const struct sample_run *run, struct summary_work *work, struct driver_summary *ret)
{
	int r;

	ret->ratio = unknown_estimate;
	r = total_make(run, work, ret);
	if (r < 0)
		return r;
	ret->pss_bytes = footprint_median(run, work, offsetof(struct footprint, pss_bytes));
	ret->uss_bytes = footprint_median(run, work, offsetof(struct footprint, uss_bytes));
	ret->cgroup_bytes = footprint_median(run, work, offsetof(struct footprint, cgroup_bytes));
	ret->guest_ram_bytes = footprint_median(run, work, offsetof(struct footprint, guest.ram_bytes));
	ret->vmm_pss_bytes = footprint_median(run, work, offsetof(struct footprint, guest.vmm_pss_bytes));
	ret->guest_used_bytes = footprint_median(run, work, offsetof(struct footprint, guest.used_bytes));
	return phases_make(run, work, ret);
}

static int drivers_make(const struct result *result, struct summary_work *work, struct summary *summary)
{
	if (summary->baseline >= 0) {
		struct sample_run base = summary_run(result, work, (size_t)summary->baseline);

		work->n_baseline = summary_gather(&base, summary_total, 0, work->baseline, work->baseline_blocks);
	}
	for (size_t d = 0; d < summary->n_drivers; d++) {
		struct sample_run run = summary_run(result, work, d);
		int r = driver_make(&run, work, &summary->drivers[d]);

		if (r < 0)
			return r;
	}
	return summary_steps(result, work, summary);
}

int summary_make(const struct result *result, struct summary *ret, struct error *err)
{
	_cleanup_(summary_work_done) struct summary_work work = {0};
	_cleanup_(summary_free) struct summary summary = {.baseline = find_baseline(result), .n_drivers = result->n_drivers, .whole = -1};
	int r = check_indexes(result, err);

	if (r < 0)
		return r;
	summary.drivers = calloc(result->n_drivers ? result->n_drivers : 1, sizeof(*summary.drivers));
	r = summary.drivers ? summary_work_init(&work, result) : -ENOMEM;
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
	for (size_t d = 0; summary->drivers && d < summary->n_drivers; d++)
		free(summary->drivers[d].steps);
	free(summary->drivers);
	free(summary->costs);
	*summary = (struct summary){.baseline = -1, .whole = -1};
}

void summary_label_outliers(const struct result *result, bool *ret)
{
	_cleanup_(summary_work_done) struct summary_work work = {0};
	memset(ret, 0, result->n_samples * sizeof(*ret));
	if (check_indexes(result, NULL) < 0 || summary_work_init(&work, result) < 0)
		return;
	for (size_t d = 0; d < result->n_drivers; d++) {
		struct sample_run run = summary_run(result, &work, d);
		size_t known = summary_gather(&run, summary_total, 0, work.values, work.blocks);

		outlier_label(work.values, known, work.scratch, work.flags);
		/* The same samples in the same order: the k-th that knows its total got the k-th flag. */
		for (size_t i = 0, k = 0; i < run.n; i++) {
			double total;

			if (summary_total(&run, &result->samples[run.order[i]], 0, &total))
				ret[run.order[i]] = work.flags[k++];
		}
	}
}
