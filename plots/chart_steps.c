/* The steps of a start on the time axis: above, one strip a lane, so that it shows what runs beside what; below, one row a step. A bar goes from
 * the median begin to the median end; beside it stands the median duration. What is in no step, before the first and after the last, has rows of its own: a picture without it would look complete. */
#include "anatomy.h"
#include "cells.h"
#include "chart.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	LABEL_RIGHT = 238,
	PLOT_LEFT = 250,
	PLOT_RIGHT = 842,
	DURATION_RIGHT = 914,
	SHARE_RIGHT = 976,
	MARKS_MIDDLE = CHART_HEAD + 54, /* below the remark: names of the marks, in two rows where they are close */
	MARKS_ROW = 15,
	STRIPS_TOP = MARKS_MIDDLE + 16,
	STRIP = 26,
	ROW = 17,
	AXIS = 58,       /* below the rows */
	MARK_SPACE = 92, /* pixels between the names of two marks, at least */
	ROWS_MAX = STEPS_MAX + 2,
	LANE_REST = STEP_LANE_COUNT, /* what is in no step */
	LANES = STEP_LANE_COUNT + 1,
};

static const char *const lane_colours[] = {"#E69F00", "#0072B2", "#009E73", "#BBBBBB"};
static const char *const lane_words[] = {"parent", "child", "helper", "no step"};
_Static_assert(sizeof(lane_colours) / sizeof(lane_colours[0]) == LANES, "one colour a lane");
_Static_assert(sizeof(lane_words) / sizeof(lane_words[0]) == LANES, "one word a lane");

struct row {
	char name[3 * STEP_NAME_MAX];
	int lane;
	double begin_ns, end_ns, duration_ns, share;
};

/* Everything the chart is drawn from. */
struct steps {
	struct row rows[ROWS_MAX];
	size_t n_rows;
	bool lanes[LANES]; /* which there are */
	double total_ns;   /* T0 -> T6 */
	double end_ns;     /* of the axis */
};

static int by_begin(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->begin_ns < y->begin_ns || x->begin_ns > y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	return (x->end_ns > y->end_ns) - (x->end_ns < y->end_ns);
}

static void add_row(struct steps *steps, const char *name, int lane, double begin_ns, double end_ns, double duration_ns)
{
	struct row *row = &steps->rows[steps->n_rows];

	if (!isfinite(begin_ns) || !isfinite(end_ns) || !isfinite(duration_ns) || steps->n_rows == ROWS_MAX)
		return;
	*row = (struct row){
		.lane = lane, .begin_ns = begin_ns, .end_ns = end_ns, .duration_ns = duration_ns, .share = duration_ns / steps->total_ns};
	label_shorten(label_clean(name, row->name, sizeof(row->name)), (size_t)chart_characters(LABEL_RIGHT - 16, CHART_FONT_SMALL));
	steps->lanes[lane] = true;
	steps->end_ns = fmax(steps->end_ns, end_ns);
	steps->n_rows++;
}

static void steps_make(const struct result *result, const struct summary *summary, int subject, struct steps *ret)
{
	const struct driver_summary *own = &summary->drivers[subject];
	const struct step_list *list = &result->drivers[subject].info.steps;
	double total = own->total.median.value, before = own->before_steps.median.value, after = own->after_steps.median.value;

	ret->total_ns = total;
	for (size_t i = 0; i < own->n_steps; i++)
		add_row(ret, list->at[i].name, (int)list->at[i].lane, own->steps[i].begin_ns, own->steps[i].end_ns,
			own->steps[i].duration.median.value);
	double last_ns = ret->end_ns;

	if (own->before_steps.n > 0 && before > 0)
		add_row(ret, "before the first step", LANE_REST, 0, before, before);
	if (own->after_steps.n > 0 && after > 0)
		add_row(ret, "after the last step", LANE_REST, last_ns, fmax(total, last_ns), after);
	qsort(ret->rows, ret->n_rows, sizeof(ret->rows[0]), by_begin);
}

static size_t count_strips(const struct steps *steps)
{
	size_t n = 0;

	for (int lane = 0; lane < LANES; lane++)
		n += steps->lanes[lane];
	return n;
}

static int rows_top(const struct steps *steps)
{
	return STRIPS_TOP + (int)count_strips(steps) * STRIP + 10;
}

static int pixel_of(const struct steps *steps, double ns)
{
	return PLOT_LEFT + (int)lround(ns / steps->end_ns * (PLOT_RIGHT - PLOT_LEFT));
}

static void write_data(const struct steps *steps, FILE *data)
{
	char text[CELL_MAX];

	fputs("row\tbegin_s\tend_s\tlane\tmedian\tstep\n", data);
	for (size_t i = 0; i < steps->n_rows; i++) {
		const struct row *row = &steps->rows[i];

		fprintf(data, "%zu\t%.9f\t%.9f\t%d\t%s\t%s\n", i, row->begin_ns / 1e9, row->end_ns / 1e9, row->lane,
			cell_duration(row->duration_ns, text, sizeof(text)), row->name);
	}
}

static void write_rectangle(FILE *script, int left, int right, int top, int bottom, const char *colour, const char *border)
{
	fprintf(script,
		"\tset object rectangle from screen X(%d), screen Y(%d) to screen X(%d), screen Y(%d) behind fc rgb '%s' fs solid %s\n",
		left, bottom, right, top, colour, border);
}

/* Lines at the marks, through strips and rows. A name that would run into the one before stands a row higher, and where that is taken, too, is left away. */
static void write_marks(const struct driver_summary *own, const struct steps *steps, FILE *script)
{
	static const struct {
		enum mark mark;
		const char *name;
	} marks[] = {{MARK_LAUNCHED, "T1 launched"},
		     {MARK_SANDBOX, "T2 sandbox"},
		     {MARK_KERNEL, "T3 kernel"},
		     {MARK_MAIN, "T5 main"},
		     {MARK_READY, "T6 ready"}};
	int last[2] = {-MARK_SPACE, -MARK_SPACE}, bottom = rows_top(steps) + (int)steps->n_rows * ROW;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		double ns = own->mark_ns[marks[i].mark];
		int x = isfinite(ns) && ns > 0 ? pixel_of(steps, ns) : -1;

		if (x < 0 || x > PLOT_RIGHT)
			continue;
		fprintf(script,
			"\tset arrow from screen X(%d), screen Y(%d) to screen X(%d), screen Y(%d) nohead lw 1 dt (4,3) lc rgb '#444444' "
			"front\n",
			x, MARKS_MIDDLE + 9, x, bottom);
		int level = x - last[0] >= MARK_SPACE ? 0 : 1;

		if (x - last[level] < MARK_SPACE)
			continue;
		chart_text(script, x, MARKS_MIDDLE - level * MARKS_ROW, "center", CHART_FONT_SMALL, "#000000", marks[i].name);
		last[level] = x;
	}
}

/* One strip a lane, in which its steps stand side by side. */
static void write_strips(const struct steps *steps, FILE *script)
{
	int top = STRIPS_TOP;

	for (int lane = 0; lane < LANES; lane++) {
		if (!steps->lanes[lane])
			continue;
		chart_text(script, LABEL_RIGHT, top + STRIP / 2, "right", CHART_FONT, "#000000", lane_words[lane]);
		for (size_t i = 0; i < steps->n_rows; i++) {
			const struct row *row = &steps->rows[i];

			if (row->lane == lane)
				write_rectangle(script, pixel_of(steps, row->begin_ns), pixel_of(steps, row->end_ns), top + 3,
						top + STRIP - 3, lane_colours[lane], "border lc rgb '#FFFFFF' lw 0.5");
		}
		top += STRIP;
	}
}

static void write_rows(const struct steps *steps, FILE *script)
{
	char text[CELL_MAX];
	int top = rows_top(steps);

	for (size_t i = 0; i < steps->n_rows; i++) {
		const struct row *row = &steps->rows[i];
		int y = top + (int)i * ROW + ROW / 2;
		const char *colour = row->lane == LANE_REST ? "#666666" : "#000000";

		if (i % 2 == 0)
			write_rectangle(script, 16, SHARE_RIGHT + 8, top + (int)i * ROW, top + (int)(i + 1) * ROW, "#F4F4F4", "noborder");
		chart_text(script, LABEL_RIGHT, y, "right", CHART_FONT_SMALL, colour, row->name);
		chart_text(script, DURATION_RIGHT, y, "right", CHART_FONT_SMALL, colour,
			   cell_duration(row->duration_ns, text, sizeof(text)));
		chart_text(script, SHARE_RIGHT, y, "right", CHART_FONT_SMALL, colour, cell_share(row->share, text, sizeof(text)));
	}
	chart_text(script, DURATION_RIGHT, STRIPS_TOP + STRIP / 2, "right", CHART_FONT_SMALL, "#666666", "median");
	chart_text(script, SHARE_RIGHT, STRIPS_TOP + STRIP / 2, "right", CHART_FONT_SMALL, "#666666", "share");
}

static void write_axes(const struct steps *steps, FILE *script)
{
	double scale = steps->end_ns < 1e6 ? 1e6 : steps->end_ns < 1e9 ? 1e3 : 1;
	const char *unit = steps->end_ns < 1e6 ? "µs" : steps->end_ns < 1e9 ? "ms" : "s";
	int top = rows_top(steps), bottom = top + (int)steps->n_rows * ROW;
	char text[CELL_MAX];

	fprintf(script, "\tSCALE = %g\n\tset lmargin at screen X(%d)\n\tset rmargin at screen X(%d)\n", scale, PLOT_LEFT, PLOT_RIGHT);
	fprintf(script, "\tset tmargin at screen Y(%d)\n\tset bmargin at screen Y(%d)\n", top, bottom);
	fprintf(script, "\tset xrange [0:%.9f*SCALE]\n\tset yrange [%zu-0.5:-0.5]\n", steps->end_ns / 1e9, steps->n_rows);
	fputs("\tset border 1 lc rgb '#444444'\n\tunset ytics\n\tunset key\n", script);
	fputs("\tset xtics autofreq nomirror out scale 0.6 format '%g' font FONT.',12'\n", script);
	fputs("\tset grid xtics lt 1 lw 0.5 lc rgb '#D8D8D8'\n", script);
	snprintf(text, sizeof(text), "time since the request (T0), %s", unit);
	chart_text(script, (PLOT_LEFT + PLOT_RIGHT) / 2, bottom + 42, "center", CHART_FONT, "#000000", text);
}

static void write_colours(FILE *script)
{
	fprintf(script, "array colour[%d] = [", LANES);
	for (int lane = 0; lane < LANES; lane++)
		fprintf(script, "%s0x%s", lane ? ", " : "", lane_colours[lane] + 1);
	fputs("]\n", script);
}

static void write_nothing(FILE *script)
{
	chart_text(script, CHART_WIDTH / 2, STRIPS_TOP + STRIP, "center", CHART_FONT_DRIVER, "#444444",
		   "no driver told of the steps of its starts");
	fputs("\tset border 0\n\tunset tics\n\tunset key\n\tset xrange [0:1]\n\tset yrange [0:1]\n\tplot NaN\n", script);
}

int chart_steps(const struct result *result, const struct summary *summary, FILE *script, FILE *data)
{
	static const char title[] = "Where the time of a start goes: its steps";
	int subject = anatomy_subject(summary);
	struct steps *steps = calloc(1, sizeof(*steps));
	char label[LABEL_MAX], median[CELL_MAX], remark[2 * LABEL_MAX] = "";

	if (!steps)
		return -ENOMEM;
	if (subject >= 0) {
		steps_make(result, summary, subject, steps);
		snprintf(remark, sizeof(remark), "%s: %s in all (median); bars reach from the median begin to the median end of a step",
			 label_driver_within(&result->drivers[subject], 40, label, sizeof(label)),
			 cell_duration(summary->drivers[subject].total.median.value, median, sizeof(median)));
	}
	write_data(steps, data);
	chart_begin(script, "anatomy-steps", title, rows_top(steps) + (int)(steps->n_rows ? steps->n_rows : 3) * ROW + AXIS);
	write_colours(script);
	chart_canvas(script, title, remark, result);
	if (steps->n_rows > 0 && steps->end_ns > 0) {
		write_rows(steps, script);
		write_strips(steps, script);
		write_marks(&summary->drivers[subject], steps, script);
		write_axes(steps, script);
		fputs("\tplot DATA skip 1 using ($2*SCALE):1:($2*SCALE):($3*SCALE):($1-0.34):($1+0.34):(colour[$4+1]) with boxxyerror lc "
		      "rgb "
		      "variable fs solid 1 border\n",
		      script);
	} else {
		write_nothing(script);
	}
	chart_end(script);
	free(steps);
	return 0;
}
