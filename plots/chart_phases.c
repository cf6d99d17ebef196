/* Where the time of a start goes: the medians of its phases as one stacked bar a driver.
 *
 * Drivers differ by a factor of thousands, and a stacked bar on a logarithmic axis means nothing. So each driver has a panel with its own
 * linear axis; the totals are written at the ends of the bars, and the heading says that lengths are not to be compared. */
#include "chart.h"

#include "cells.h"
#include "escape.h"
#include "label.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
	BAR_LEFT = 30,
	BAR_RIGHT = 862,
	TOTAL_LEFT = 876,
	LINE_CHARACTERS = 100,           /* above a bar */
	LEGEND_MIDDLE = CHART_HEAD + 38, /* below the remark */
	PANELS_TOP = LEGEND_MIDDLE + 30,
	PANEL = 96,
	BAR_TOP = 24, /* below the panel's top: one line of text */
	BAR_BOTTOM = 58,
};

/* Every colour bears black text. */
static const char *const colours[] = {"#56B4E9", "#E69F00", "#BBBBBB", "#D55E00", "#CC79A7", "#009E73", "#F0E442"};
_Static_assert(sizeof(colours) / sizeof(colours[0]) == PHASE_COUNT, "one colour a phase");

/* The bar of one driver. */
struct bar {
	size_t n_parts;
	struct {
		enum phase phase;
		double ns;
	} parts[MARK_COUNT];
	double sum_ns;
	double end_ns; /* of the axis */
	bool beyond;   /* more than half of the starts took longer than the time limit */
};

static struct bar bar_make(const struct result *result, const struct summary *summary, size_t d)
{
	const struct result_driver *driver = &result->drivers[d];
	const struct driver_summary *own = &summary->drivers[d];
	const struct distribution *total = &own->total;
	struct bar bar = {.beyond = total->n && !isfinite(total->median.value) && 2 * total->censored >= total->n};

	for (enum mark mark = MARK_LAUNCHED; mark <= MARK_READY; mark++) {
		double ns = own->phases[mark].median.value;

		if (own->phases[mark].n == 0 || !isfinite(ns) || ns < 0)
			continue;
		bar.parts[bar.n_parts].phase = phase_of(driver, mark);
		bar.parts[bar.n_parts++].ns = ns;
		bar.sum_ns += ns;
	}
	double median = bar.beyond ? (double)result->plan.timeout_ns : total->median.value;

	bar.end_ns = median > bar.sum_ns ? median : bar.sum_ns;
	return bar;
}

/* One block of lines a driver with a bar. */
static void write_bar(const struct bar *bar, const char *label, FILE *data)
{
	double from = 0;
	char text[CELL_MAX];

	for (size_t i = 0; i < bar->n_parts; i++) {
		double to = from + bar->parts[i].ns;

		fprintf(data, "%d\t%s\t%.9f\t%.9f\t%s\t%s\n", bar->parts[i].phase, phase_names[bar->parts[i].phase], from / 1e9, to / 1e9,
			cell_duration(bar->parts[i].ns, text, sizeof(text)), label);
		from = to;
	}
	fputs("\n\n", data);
}

static void write_legend(const bool *used, FILE *script)
{
	int x = BAR_LEFT;

	for (int p = 0; p < PHASE_COUNT; p++) {
		if (!used[p])
			continue;
		fprintf(script,
			"\tset object rectangle from screen X(%d), screen Y(%d) to screen X(%d), screen Y(%d) fc rgb '%s' fs solid border "
			"lc rgb '#444444' lw 0.5\n",
			x, LEGEND_MIDDLE + 7, x + 22, LEGEND_MIDDLE - 7, colours[p]);
		chart_text(script, x + 29, LEGEND_MIDDLE, "left", CHART_FONT, "#000000", phase_names[p]);
		x += 29 + 9 * (int)strlen(phase_names[p]) + 26;
	}
}

/* The panel's line of text, and the total behind the bar. */
static void write_panel_text(const struct result *result, const struct driver_summary *summary, const struct bar *bar, size_t d, int top,
			     FILE *script)
{
	char text[CELL_MAX], label[LABEL_MAX];
	const struct distribution *total = &summary->total;
	size_t used = (size_t)snprintf(text, sizeof(text), "n = %zu", total->n);

	if (total->censored)
		used += (size_t)snprintf(text + used, sizeof(text) - used, ", %zu not ready in time", total->censored);
	if (summary->failed)
		snprintf(text + used, sizeof(text) - used, ", %zu failed", summary->failed);
	chart_text(script, BAR_RIGHT, top + 9, "right", CHART_FONT_SMALL, "#444444", text);
	int room = BAR_RIGHT - BAR_LEFT - 24 - (int)label_length(text) * CHART_FONT_SMALL * 62 / 100;

	label_driver_within(&result->drivers[d], (size_t)chart_characters(room, CHART_FONT_DRIVER), label, sizeof(label));
	chart_text(script, BAR_LEFT, top + 9, "left", CHART_FONT_DRIVER, "#000000", label);
	if (!total->n)
		return;
	if (bar->beyond)
		memcpy(text, "> ", 2);
	cell_duration(bar->beyond ? (double)result->plan.timeout_ns : total->median.value, text + 2 * bar->beyond, sizeof(text) - 2);
	chart_text(script, TOTAL_LEFT, top + (BAR_TOP + BAR_BOTTOM) / 2, "left", CHART_FONT_TOTAL, "#000000", text);
}

static void write_axis(const struct bar *bar, FILE *script)
{
	double scale = bar->end_ns < 1e3 ? 1e9 : bar->end_ns < 1e6 ? 1e6 : bar->end_ns < 1e9 ? 1e3 : 1;
	const char *unit = bar->end_ns < 1e3 ? "ns" : bar->end_ns < 1e6 ? "µs" : bar->end_ns < 1e9 ? "ms" : "s";

	fprintf(script, "\tSCALE = %g\n\tTOTAL = %.9f\n", scale, bar->end_ns / 1e9);
	fputs("\tset border 1 lc rgb '#444444'\n\tset xrange [0:TOTAL*SCALE]\n", script);
	fprintf(script, "\tset xtics autofreq nomirror out scale 0.6 offset 0,0.4 format '%%g %s' font FONT.',12'\n", unit);
}

/* A bar that draws nothing leaves an empty frame with the reason in it. */
static void write_panel(const struct bar *bar, int top, int index, FILE *script)
{
	int middle = top + (BAR_TOP + BAR_BOTTOM) / 2;

	fprintf(script, "\tset tmargin at screen Y(%d)\n\tset bmargin at screen Y(%d)\n", top + BAR_TOP, top + BAR_BOTTOM);
	if (bar->beyond)
		chart_text(script, (BAR_LEFT + BAR_RIGHT) / 2, middle, "center", CHART_FONT, "#666666", "not ready within the time limit");
	if (bar->sum_ns > 0) {
		write_axis(bar, script);
		fprintf(script,
			"\tplot DATA skip 1 index %d using ($3*SCALE):(0):($3*SCALE):($4*SCALE):(0):(1):(colour[$1+1]) with boxxyerror "
			"lc rgb variable fs solid 1 border lc rgb '#444444', \\\n",
			index);
		fprintf(script,
			"\t     DATA skip 1 index %d using (($3+$4)/2*SCALE):(0.5):(caption($4-$3, strcol(2), strcol(5))) with labels font "
			"FONT.',13'\n",
			index);
	} else {
		if (!bar->beyond)
			chart_text(script, BAR_LEFT + 8, middle, "left", CHART_FONT, "#666666", "no phase was measured");
		fputs("\tset border 0\n\tunset xtics\n\tset xrange [0:1]\n\tplot NaN\n", script);
	}
	/* what belonged to this panel must not show again in the next */
	fputs("\tunset label\n\tunset object\n\n", script);
}

static void write_functions(FILE *script)
{
	fprintf(script, "array colour[%d] = [", PHASE_COUNT);
	for (int p = 0; p < PHASE_COUNT; p++)
		fprintf(script, "%s0x%s", p ? ", " : "", colours[p] + 1);
	fputs("]\n# what a part of a bar has room for: name and value, value, nothing\n", script);
	fprintf(script, "room(s) = s / TOTAL * %d / 8.0 - 1.5\n", BAR_RIGHT - BAR_LEFT);
	fputs("caption(s, name, value) = room(s) > strlen(name.' '.value) ? name.' '.value : room(s) > strlen(value) ? value : ''\n",
	      script);
}

static void write_setup(FILE *script)
{
	fprintf(script, "\tset lmargin at screen X(%d)\n\tset rmargin at screen X(%d)\n", BAR_LEFT, BAR_RIGHT);
	fputs("\tunset ytics\n\tunset key\n\tset yrange [0:1]\n\tset multiplot\n", script);
}

int chart_phases(const struct result *result, const struct summary *summary, FILE *script, FILE *data)
{
	static const char title[] = "Where the time of a start goes: medians of its phases";
	bool used[PHASE_COUNT] = {false};
	int index = 0;
	char label[LABEL_MAX];

	for (size_t d = 0; d < result->n_drivers; d++) {
		struct bar bar = bar_make(result, summary, d);

		for (size_t i = 0; i < bar.n_parts; i++)
			used[bar.parts[i].phase] = true;
	}
	fputs("phase\tname\tfrom_s\tto_s\tmedian\tdriver\n", data);
	chart_begin(script, "startup-phases", title, PANELS_TOP + (int)result->n_drivers * PANEL + 4);
	write_functions(script);
	chart_canvas(script, title, "each bar has its own axis: compare the median totals at the right, not the lengths", result);
	write_setup(script);
	write_legend(used, script);
	for (size_t d = 0; d < result->n_drivers; d++) {
		struct bar bar = bar_make(result, summary, d);
		int top = PANELS_TOP + (int)d * PANEL;

		write_panel_text(result, &summary->drivers[d], &bar, d, top, script);
		write_panel(&bar, top, index, script);
		if (bar.sum_ns > 0) {
			write_bar(&bar, label_driver(&result->drivers[d], label, sizeof(label)), data);
			index++;
		}
	}
	fputs("\tunset multiplot\n", script);
	chart_end(script);
	return 0;
}
