/* What each feature costs: one bar a feature, the dearest first, with its interval; behind them the noise of the run, within which nothing is decided.
 *
 * The axis is linear: costs add up. Floors (everything left out) would leave the others no room, so they are told in the heading. */
#include "anatomy.h"
#include "cells.h"
#include "chart.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
	LABEL_RIGHT = 318,
	PLOT_LEFT = 330,
	PLOT_RIGHT = 792,
	VALUE_LEFT = 806,
	LEGEND_MIDDLE = CHART_HEAD + 44, /* below the remark */
	ROWS_TOP = LEGEND_MIDDLE + 26,
	ROW = 25,
	AXIS = 58, /* below the rows */
};

/* By verdict. */
static const char *const colours[] = {"#BBBBBB", "#D55E00", "#009E73"};
static const char *const meanings[] = {"no decision", "costs", "saves"};
_Static_assert(sizeof(colours) / sizeof(colours[0]) == COST_VERDICT_COUNT, "one colour a verdict");
_Static_assert(sizeof(meanings) / sizeof(meanings[0]) == COST_VERDICT_COUNT, "one meaning a verdict");

/* Everything the chart is drawn from. */
struct costs {
	const struct result *result;
	const struct summary *summary;
	struct feature_cost rows[RESULT_DRIVERS_MAX]; /* without the floors */
	size_t n_rows;
	double low_ns, high_ns; /* of the axis */
	double scale;           /* from seconds to the unit of the axis */
	const char *unit;
};

static bool is_floor(const struct result *result, const struct feature_cost *cost)
{
	return result->drivers[cost->driver].variant.role == VARIANT_FLOOR;
}

static void include(struct costs *costs, double ns)
{
	if (isfinite(ns)) {
		costs->low_ns = fmin(costs->low_ns, ns);
		costs->high_ns = fmax(costs->high_ns, ns);
	}
}

static struct costs costs_make(const struct result *result, const struct summary *summary)
{
	struct costs costs = {.result = result, .summary = summary};
	struct feature_cost sorted[RESULT_DRIVERS_MAX];
	size_t n = anatomy_sort_costs(result, summary, sorted);

	for (size_t i = 0; i < n; i++) {
		const struct estimate *ns = &sorted[i].start.ns;

		if (is_floor(result, &sorted[i]))
			continue;
		costs.rows[costs.n_rows++] = sorted[i];
		include(&costs, ns->value);
		include(&costs, ns->low);
		include(&costs, ns->high);
	}
	include(&costs, summary->start_noise_ns);
	include(&costs, -summary->start_noise_ns);
	double margin = 0.03 * (costs.high_ns - costs.low_ns);

	margin = margin > 0 ? margin : 1000;
	costs.low_ns -= margin;
	costs.high_ns += margin;
	double most = fmax(-costs.low_ns, costs.high_ns);

	costs.scale = most < 1e6 ? 1e6 : most < 1e9 ? 1e3 : 1;
	costs.unit = most < 1e6 ? "µs" : most < 1e9 ? "ms" : "s";
	return costs;
}

/* "whole: container 1.90 ms; process 350 µs" */
static void remark(const struct costs *costs, char *ret, size_t size)
{
	const struct summary *summary = costs->summary;
	struct feature_cost sorted[RESULT_DRIVERS_MAX];
	size_t n = anatomy_sort_costs(costs->result, summary, sorted), used;
	char label[LABEL_MAX], median[CELL_MAX];

	ret[0] = '\0';
	if (summary->whole < 0)
		return;
	used = (size_t)snprintf(ret, size, "the whole: %s, median %s",
				label_driver_within(&costs->result->drivers[summary->whole], 24, label, sizeof(label)),
				cell_duration(summary->drivers[summary->whole].total.median.value, median, sizeof(median)));
	for (size_t i = 0; i < n && used < size; i++)
		if (is_floor(costs->result, &sorted[i]))
			used += (size_t)snprintf(
				ret + used, size - used, " · %s %s",
				label_driver_within(&costs->result->drivers[sorted[i].driver], 24, label, sizeof(label)),
				cell_duration(summary->drivers[sorted[i].driver].total.median.value, median, sizeof(median)));
}

static void write_data(const struct costs *costs, FILE *data)
{
	char feature[LABEL_MAX];

	fputs("row\tcost_s\tlow_s\thigh_s\tverdict\tfeature\n", data);
	for (size_t i = 0; i < costs->n_rows; i++) {
		const struct cost *cost = &costs->rows[i].start;

		fprintf(data, "%zu", i);
		for (int k = 0; k < 3; k++) {
			double ns = k == 0 ? cost->ns.value : k == 1 ? cost->ns.low : cost->ns.high;

			/* without an interval the whisker has no length */
			ns = isfinite(ns) ? ns : cost->ns.value;
			if (isfinite(ns))
				fprintf(data, "\t%.9f", ns / 1e9);
			else
				fputs("\tNaN", data);
		}
		fprintf(data, "\t%d\t%s\n", cost->verdict,
			anatomy_feature(&costs->result->drivers[costs->rows[i].driver], true, feature, sizeof(feature)));
	}
}

static void write_swatch(int x, const char *colour, const char *text, FILE *script)
{
	fprintf(script,
		"\tset object rectangle from screen X(%d), screen Y(%d) to screen X(%d), screen Y(%d) fc rgb '%s' fs solid border lc rgb "
		"'#444444' lw 0.5\n",
		x, LEGEND_MIDDLE + 7, x + 22, LEGEND_MIDDLE - 7, colour);
	chart_text(script, x + 29, LEGEND_MIDDLE, "left", CHART_FONT, "#000000", text);
}

static void write_legend(const struct costs *costs, FILE *script)
{
	static const enum cost_verdict order[] = {COST_COSTS, COST_SAVES, COST_UNDECIDED};
	char text[CELL_MAX], noise[CELL_MAX];
	int x = 24;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		write_swatch(x, colours[order[i]], meanings[order[i]], script);
		x += 29 + 9 * (int)strlen(meanings[order[i]]) + 26;
	}
	if (!isfinite(costs->summary->start_noise_ns))
		return;
	snprintf(text, sizeof(text), "noise of this run: ± %s between two equal starts",
		 cell_duration(costs->summary->start_noise_ns, noise, sizeof(noise)));
	write_swatch(x, "#EEEEEE", text, script);
}

static void write_rows(const struct costs *costs, FILE *script)
{
	char text[LABEL_MAX];

	for (size_t i = 0; i < costs->n_rows; i++) {
		const struct feature_cost *cost = &costs->rows[i];
		int y = ROWS_TOP + (int)i * ROW + ROW / 2;
		const char *colour = cost->start.verdict == COST_UNDECIDED ? "#666666" : "#000000";

		anatomy_feature(&costs->result->drivers[cost->driver], false, text, sizeof(text));
		label_shorten(text, (size_t)chart_characters(LABEL_RIGHT - 20, CHART_FONT));
		chart_text(script, LABEL_RIGHT, y, "right", CHART_FONT, colour, text);
		chart_text(script, VALUE_LEFT, y, "left", CHART_FONT_SMALL, colour, cell_difference(cost->start.ns, text, sizeof(text)));
	}
}

static void write_axes(const struct costs *costs, FILE *script)
{
	double noise = costs->summary->start_noise_ns;
	int bottom = ROWS_TOP + (int)costs->n_rows * ROW;
	char text[CELL_MAX];

	fprintf(script, "\tSCALE = %g\n\tset lmargin at screen X(%d)\n\tset rmargin at screen X(%d)\n", costs->scale, PLOT_LEFT,
		PLOT_RIGHT);
	fprintf(script, "\tset tmargin at screen Y(%d)\n\tset bmargin at screen Y(%d)\n", ROWS_TOP, bottom);
	fprintf(script, "\tset xrange [%.9f*SCALE:%.9f*SCALE]\n\tset yrange [%zu-0.5:-0.5]\n", costs->low_ns / 1e9, costs->high_ns / 1e9,
		costs->n_rows);
	fputs("\tset border 1 lc rgb '#444444'\n\tunset ytics\n\tunset key\n", script);
	fprintf(script, "\tset xtics autofreq nomirror out scale 0.6 format '%%g' font FONT.',12'\n");
	fputs("\tset grid xtics lt 1 lw 0.5 lc rgb '#D8D8D8'\n", script);
	if (isfinite(noise) && noise > 0)
		fprintf(script,
			"\tset object rectangle from first %.9f*SCALE, graph 0 to first %.9f*SCALE, graph 1 behind fc rgb '#EEEEEE' fs "
			"solid noborder\n",
			-noise / 1e9, noise / 1e9);
	fputs("\tset arrow from first 0, graph 0 to first 0, graph 1 nohead lw 1 lc rgb '#444444' front\n", script);
	snprintf(text, sizeof(text), "what it adds to the start-up time T0→T6, %s, with 95 %% interval", costs->unit);
	chart_text(script, (PLOT_LEFT + PLOT_RIGHT) / 2, bottom + 42, "center", CHART_FONT, "#000000", text);
}

static void write_plot(FILE *script)
{
	fputs("\tplot DATA skip 1 using (0):1:(0):($2*SCALE):($1-0.32):($1+0.32):(colour[$5+1]) with boxxyerror lc rgb variable fs solid 1 "
	      "noborder, \\\n",
	      script);
	fputs("\t     DATA skip 1 using ($2*SCALE):1:($3*SCALE):($4*SCALE) with xerrorbars pt 7 ps 0.35 lw 1.2 lc rgb '#000000'\n", script);
}

int chart_costs(const struct result *result, const struct summary *summary, FILE *script, FILE *data)
{
	static const char title[] = "What each feature of a start costs: the whole against variants";
	struct costs costs = costs_make(result, summary);
	char text[LABEL_MAX];

	write_data(&costs, data);
	chart_begin(script, "anatomy-costs", title, ROWS_TOP + (int)(costs.n_rows ? costs.n_rows : 2) * ROW + AXIS);
	fprintf(script, "array colour[%d] = [0x%s, 0x%s, 0x%s]\n", COST_VERDICT_COUNT, colours[0] + 1, colours[1] + 1, colours[2] + 1);
	remark(&costs, text, sizeof(text));
	chart_canvas(script, title, text, result);
	write_legend(&costs, script);
	if (costs.n_rows) {
		write_rows(&costs, script);
		write_axes(&costs, script);
		write_plot(script);
	} else {
		chart_text(script, CHART_WIDTH / 2, ROWS_TOP + ROW, "center", CHART_FONT_DRIVER, "#444444",
			   "no variant was measured: there is nothing to compare");
		fputs("\tset border 0\n\tunset tics\n\tunset key\n\tset xrange [0:1]\n\tset yrange [0:1]\n\tplot NaN\n", script);
	}
	chart_end(script);
	return 0;
}
