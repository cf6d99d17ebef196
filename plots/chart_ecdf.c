/* Start-up times as empirical distribution functions: the share of starts that are ready after a time, by driver, on a logarithmic axis. */
#include "chart.h"

#include "cells.h"
#include "label.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	PLOT_LEFT = 84,
	PLOT_RIGHT = 972,
	PLOT_TOP = CHART_HEAD + 12,
	PLOT_BOTTOM = PLOT_TOP + 380,
	LEGEND_TOP = PLOT_BOTTOM + 86,
	LEGEND_ROW = 22,
	LEGEND_LABEL = PLOT_LEFT + 62, /* behind the sample of the line */
	LEGEND_N = 60,                 /* right ends of the columns, from the end of the longest label */
	LEGEND_MEDIAN = LEGEND_N + 100,
	LEGEND_P99 = LEGEND_MEDIAN + 90,
	LABEL_WIDTH_MAX = PLOT_RIGHT - LEGEND_P99 - LEGEND_LABEL,
	CURVE_POINTS_MAX = 2000, /* more steps than the picture has rows of pixels say nothing more */
};

/* What one driver's curve is made of. */
struct curve {
	int64_t *times; /* heap, sorted: starts that became ready */
	size_t n_times;
	size_t n; /* with the censored ones */
	size_t failed;
};

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Does the summary count this sample? Warm-ups and blocks that were run again stay out. */
static bool counts(const struct result *result, const struct sample *sample, size_t driver)
{
	const struct block *block = sample->block < result->n_blocks ? &result->blocks[sample->block] : NULL;

	return sample->driver == driver && !sample->warmup && !(block && (block->warmup || block->replaced));
}

static void curve_fill(const struct result *result, size_t driver, struct curve *curve)
{
	for (size_t i = 0; i < result->n_samples; i++) {
		const struct sample *sample = &result->samples[i];
		const struct timeline *marks = &sample->timeline;

		if (!counts(result, sample, driver))
			continue;
		curve->failed += sample->status == SAMPLE_FAILED;
		curve->n += sample->status != SAMPLE_FAILED;
		if (sample->status != SAMPLE_OK || !timeline_has(marks, MARK_REQUEST) || !timeline_has(marks, MARK_READY))
			continue;
		int64_t ns = timeline_span_ns(marks, MARK_REQUEST, MARK_READY);

		curve->times[curve->n_times++] = ns > 0 ? ns : 1; /* a logarithmic axis has no place for zero */
	}
	qsort(curve->times, curve->n_times, sizeof(int64_t), by_time);
}

/* Everything the chart is drawn from. */
struct ecdf {
	const struct result *result;
	const struct summary *summary;
	struct curve *curves;    /* heap, one a driver */
	int64_t low_ns, high_ns; /* whole decades that hold all curves */
	int label_end;           /* pixel where the longest label of the legend ends */
};

static void ecdf_release(struct ecdf *ecdf)
{
	for (size_t d = 0; ecdf->curves && d < ecdf->result->n_drivers; d++)
		free(ecdf->curves[d].times);
	free(ecdf->curves);
}

static size_t censored(const struct curve *curve)
{
	return curve->n - curve->n_times;
}

/* Widens [low, high] to whole decades. */
static void find_decades(struct ecdf *ecdf)
{
	int64_t least = INT64_MAX, most = 0, timeout = ecdf->result->plan.timeout_ns;

	for (size_t d = 0; d < ecdf->result->n_drivers; d++) {
		const struct curve *curve = &ecdf->curves[d];
		int64_t end = censored(curve) ? timeout : 0;

		if (curve->n_times) {
			least = curve->times[0] < least ? curve->times[0] : least;
			end = curve->times[curve->n_times - 1] > end ? curve->times[curve->n_times - 1] : end;
		}
		most = end > most ? end : most;
	}
	if (most == 0)
		most = 1000000000; /* nothing to show: an axis all the same */
	least = least > most ? most : least;
	ecdf->low_ns = 1;
	while (ecdf->low_ns <= least / 10)
		ecdf->low_ns *= 10;
	ecdf->high_ns = ecdf->low_ns * 10;
	while (ecdf->high_ns < most && ecdf->high_ns < INT64_MAX / 10)
		ecdf->high_ns *= 10;
}

static int ecdf_make(const struct result *result, const struct summary *summary, struct ecdf *ret)
{
	ret->result = result;
	ret->summary = summary;
	ret->curves = calloc(result->n_drivers + 1, sizeof(struct curve));
	if (!ret->curves)
		return -ENOMEM;
	for (size_t d = 0; d < result->n_drivers; d++) {
		ret->curves[d].times = calloc(result->n_samples + 1, sizeof(int64_t));
		if (!ret->curves[d].times)
			return -ENOMEM;
		curve_fill(result, d, &ret->curves[d]);
	}
	find_decades(ret);
	return 0;
}

/* ---- data ---- */

static void write_point(FILE *data, int64_t ns, double share, const char *label)
{
	fprintf(data, "%lld.%09lld\t%.6g\t%s\n", (long long)(ns / 1000000000), (long long)(ns % 1000000000), share, label);
}

/* One block of lines a driver, set apart as gnuplot's `index` wants it; a driver without a single time has none. */
static void write_curve(const struct ecdf *ecdf, size_t d, FILE *data)
{
	const struct curve *curve = &ecdf->curves[d];
	size_t step = curve->n_times / CURVE_POINTS_MAX + 1;
	char label[LABEL_MAX];

	label_driver(&ecdf->result->drivers[d], label, sizeof(label));
	write_point(data, curve->n_times ? curve->times[0] : ecdf->low_ns, 0, label);
	for (size_t i = 0; i < curve->n_times; i++)
		if (i % step == 0 || i + 1 == curve->n_times)
			write_point(data, curve->times[i], (double)(i + 1) / (double)curve->n, label);
	if (censored(curve)) /* up to the time limit nothing more became ready; what is beyond is not known */
		write_point(data, ecdf->result->plan.timeout_ns, (double)curve->n_times / (double)curve->n, label);
	fputs("\n\n", data);
}

/* ---- script ---- */

/* The floor of the harness is no contender: grey and dotted. Others: 7 colours with 5 dashes, so 35 differ in both. */
static const char *style(const struct ecdf *ecdf, size_t d, char *ret, size_t size)
{
	static const char *const dashes[] = {"1", "(12,4)", "(3,3)", "(12,4,3,4)", "(20,6)"};
	size_t rank = 0;

	if (strcmp(ecdf->result->drivers[d].spec.name, "null") == 0) {
		snprintf(ret, size, "lc rgb '#777777' dt (2,4)");
		return ret;
	}
	for (size_t i = 0; i < d; i++)
		rank += strcmp(ecdf->result->drivers[i].spec.name, "null") != 0;
	snprintf(ret, size, "lc rgb '%s' dt %s", chart_line_colours[rank % 7], dashes[rank % 5]);
	return ret;
}

static void write_time_axis(const struct ecdf *ecdf, FILE *script)
{
	bool few = ecdf->high_ns / ecdf->low_ns <= 100; /* decades alone would leave the axis bare */
	const char *separator = "";

	fprintf(script, "\tset logscale x\n\tset xrange [%.9f:%.9f]\n\tset xtics (", (double)ecdf->low_ns / 1e9,
		(double)ecdf->high_ns / 1e9);
	for (int64_t decade = ecdf->low_ns; decade <= ecdf->high_ns; decade *= 10) {
		for (int64_t k = 1; k < 10 && k * decade <= ecdf->high_ns; k++) {
			bool named = k == 1 || (few && (k == 2 || k == 5));
			int64_t ns = k * decade;
			int64_t unit = ns < 1000 ? 1 : ns < 1000000 ? 1000 : ns < 1000000000 ? 1000000 : 1000000000;
			const char *word = unit == 1 ? "ns" : unit == 1000 ? "µs" : unit == 1000000 ? "ms" : "s";

			if (named)
				fprintf(script, "%s'%lld %s' %.9f", separator, (long long)(ns / unit), word, (double)ns / 1e9);
			else
				fprintf(script, "%s'' %.9f 1", separator, (double)ns / 1e9);
			separator = ", ";
		}
	}
	fputs(") scale 1,0.5\n", script);
}

static void write_axes(const struct ecdf *ecdf, FILE *script)
{
	fprintf(script, "\tset lmargin at screen X(%d)\n\tset rmargin at screen X(%d)\n", PLOT_LEFT, PLOT_RIGHT);
	fprintf(script, "\tset tmargin at screen Y(%d)\n\tset bmargin at screen Y(%d)\n", PLOT_TOP, PLOT_BOTTOM);
	fputs("\tset border 3 lc rgb '#444444'\n\tset tics nomirror out textcolor rgb '#000000'\n", script);
	fputs("\tset grid xtics ytics lt 1 lw 0.5 lc rgb '#D8D8D8'\n\tunset key\n", script);
	fputs("\tset yrange [-0.015:1.015]\n\tset ytics ('0 %%' 0, '25 %%' 0.25, '50 %%' 0.5, '75 %%' 0.75, '100 %%' 1)\n", script);
	/* placed by hand: gnuplot's own distances differ between the formats */
	fprintf(script, "\tset label 'share of starts that are ready' at screen X(18), screen Y(%d) center rotate by 90 font FONT.',13'\n",
		(PLOT_TOP + PLOT_BOTTOM) / 2);
	chart_text(script, (PLOT_LEFT + PLOT_RIGHT) / 2, PLOT_BOTTOM + 50, "center", CHART_FONT, "#000000",
		   "time from the request to the first answer, T0→T6 (logarithmic)");
	write_time_axis(ecdf, script);
}

/* "vm (TCG, q35) – 3 × not ready within 60.0 s, 2 failed" */
static void legend_label(const struct ecdf *ecdf, size_t d, char *ret, size_t size)
{
	const struct curve *curve = &ecdf->curves[d];
	char label[LABEL_MAX], limit[CELL_MAX], remark[160] = "";
	size_t used = 0;

	if (censored(curve))
		used = (size_t)snprintf(remark, sizeof(remark), " – %zu not ready within %s (×)", censored(curve),
					cell_duration((double)ecdf->result->plan.timeout_ns, limit, sizeof(limit)));
	if (curve->failed)
		snprintf(remark + used, sizeof(remark) - used, "%s %zu failed", used ? "," : " –", curve->failed);
	label_driver_within(&ecdf->result->drivers[d], (size_t)chart_characters(LABEL_WIDTH_MAX, CHART_FONT) - label_length(remark), label,
			    sizeof(label));
	snprintf(ret, size, "%s%s", label, remark);
}

static void write_legend_row(const struct ecdf *ecdf, size_t d, FILE *script)
{
	const struct distribution *total = &ecdf->summary->drivers[d].total;
	const struct curve *curve = &ecdf->curves[d];
	int y = LEGEND_TOP + ((int)d + 1) * LEGEND_ROW;
	char text[2 * LABEL_MAX], look[64];

	if (curve->n)
		fprintf(script, "\tset arrow from screen X(%d), screen Y(%d) to screen X(%d), screen Y(%d) nohead lw 2.5 %s\n", PLOT_LEFT,
			y, LEGEND_LABEL - 10, y, style(ecdf, d, look, sizeof(look)));
	legend_label(ecdf, d, text, sizeof(text));
	chart_text(script, LEGEND_LABEL, y, "left", CHART_FONT, curve->n ? "#000000" : "#666666", text);
	snprintf(text, sizeof(text), "%zu", curve->n);
	chart_text(script, ecdf->label_end + LEGEND_N, y, "right", CHART_FONT, "#000000", text);
	bool beyond = !isfinite(total->median.value) && 2 * censored(curve) >= curve->n && curve->n;

	if (beyond)
		memcpy(text, "> ", 2);
	cell_duration(beyond ? (double)ecdf->result->plan.timeout_ns : total->median.value, text + 2 * beyond, sizeof(text) - 2);
	chart_text(script, ecdf->label_end + LEGEND_MEDIAN, y, "right", CHART_FONT, "#000000", text);
	chart_text(script, ecdf->label_end + LEGEND_P99, y, "right", CHART_FONT, "#000000", cell_duration(total->p99, text, sizeof(text)));
}

static int label_end(const struct ecdf *ecdf)
{
	size_t longest = 10;
	char text[2 * LABEL_MAX];

	for (size_t d = 0; d < ecdf->result->n_drivers; d++) {
		legend_label(ecdf, d, text, sizeof(text));
		longest = label_length(text) > longest ? label_length(text) : longest;
	}
	return LEGEND_LABEL + (int)longest * CHART_FONT * 62 / 100;
}

static void write_legend(const struct ecdf *ecdf, FILE *script)
{
	const struct {
		int x;
		const char *align, *text;
	} heads[] = {{LEGEND_LABEL, "left", "driver"},
		     {ecdf->label_end + LEGEND_N, "right", "n"},
		     {ecdf->label_end + LEGEND_MEDIAN, "right", "median (●)"},
		     {ecdf->label_end + LEGEND_P99, "right", "p99"}};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		chart_text(script, heads[i].x, LEGEND_TOP, heads[i].align, CHART_FONT_SMALL, "#666666", heads[i].text);
	for (size_t d = 0; d < ecdf->result->n_drivers; d++)
		write_legend_row(ecdf, d, script);
}

/* The median as a dot on its curve; the end of a curve that the time limit cut, as a cross. */
static void write_points(const struct ecdf *ecdf, size_t d, FILE *script)
{
	double median = ecdf->summary->drivers[d].total.median.value;
	const struct curve *curve = &ecdf->curves[d];
	char look[64];

	style(ecdf, d, look, sizeof(look));
	*strstr(look, " dt") = '\0'; /* points have no dashes */
	if (isfinite(median) && median > 0)
		fprintf(script, "\tset label '' at first %.9f, first 0.5 point pt 7 ps 0.9 %s front\n", median / 1e9, look);
	if (censored(curve))
		fprintf(script, "\tset label '' at first %.9f, first %.6g point pt 2 ps 1.2 lw 2 %s front\n",
			(double)ecdf->result->plan.timeout_ns / 1e9, (double)curve->n_times / (double)curve->n, look);
}

static void write_curves(const struct ecdf *ecdf, FILE *script, FILE *data)
{
	const char *separator = "\tplot ";
	size_t index = 0;
	char look[64];

	for (size_t d = 0; d < ecdf->result->n_drivers; d++)
		if (ecdf->curves[d].n)
			write_points(ecdf, d, script);
	for (size_t d = 0; d < ecdf->result->n_drivers; d++) {
		if (!ecdf->curves[d].n)
			continue;
		fprintf(script, "%sDATA skip 1 index %zu using 1:2 with steps lw 2 %s", separator, index++,
			style(ecdf, d, look, sizeof(look)));
		separator = ", \\\n\t     ";
		write_curve(ecdf, d, data);
	}
	if (index == 0) {
		chart_text(script, (PLOT_LEFT + PLOT_RIGHT) / 2, (PLOT_TOP + PLOT_BOTTOM) / 2, "center", CHART_FONT_DRIVER, "#444444",
			   "no start came far enough to be measured");
		fputs("\tplot NaN\n", script);
	} else {
		fputs("\n", script);
	}
}

int chart_ecdf(const struct result *result, const struct summary *summary, FILE *script, FILE *data)
{
	static const char title[] = "Start-up time: from the request to the first answer (T0→T6)";
	_cleanup_(ecdf_release) struct ecdf ecdf = {.result = result};
	int r = ecdf_make(result, summary, &ecdf);
	int height = LEGEND_TOP + ((int)result->n_drivers + 1) * LEGEND_ROW - 4;

	if (r < 0)
		return r;
	ecdf.label_end = label_end(&ecdf);
	fputs("time_s\tshare_ready\tdriver\n", data);
	chart_begin(script, "startup-ecdf", title, height);
	chart_canvas(script, title, "", result);
	write_axes(&ecdf, script);
	write_legend(&ecdf, script);
	write_curves(&ecdf, script, data);
	chart_end(script);
	return 0;
}
