/* What all charts share: canvas, fonts, palette, heading. Internal to plots/.
 *
 * A chart is written twice at once: data as tab-separated values, and a gnuplot script that draws them. All places on the canvas are
 * pixels from the top left corner; the script turns them into gnuplot's screen coordinates by its functions X() and Y(). */
#pragma once

#include <bench/result.h>
#include <results/summary.h>

#include <stdio.h>

enum {
	CHART_WIDTH = 1000,
	CHART_HEAD = 82, /* title and two subtitles */
	CHART_LINE = 20,
	/* font sizes in pixels; both formats show them alike */
	CHART_FONT_TITLE = 20,
	CHART_FONT_TOTAL = 18,
	CHART_FONT_DRIVER = 15,
	CHART_FONT = 13,
	CHART_FONT_SMALL = 12,
};

/* How many characters of a font fit into a width: a wide sans serif takes 0.62 of its size for each on average. */
static inline int chart_characters(int pixels, int font)
{
	return pixels * 100 / (font * 62);
}

/* One chart: fills data and script. 0 or -ENOMEM; stream errors are found by the caller at fclose(). */
typedef int (*chart_writer)(const struct result *result, const struct summary *summary, FILE *script, FILE *data);

int chart_ecdf(const struct result *result, const struct summary *summary, FILE *script, FILE *data);
int chart_phases(const struct result *result, const struct summary *summary, FILE *script, FILE *data);
int chart_costs(const struct result *result, const struct summary *summary, FILE *script, FILE *data);
int chart_steps(const struct result *result, const struct summary *summary, FILE *script, FILE *data);

/* The charts of the result's experiment; a NULL name ends. */
struct chart {
	const char *name;
	chart_writer write;
	const char *description;
};

const struct chart *charts_of(const struct result *result);

/* Begins a script: what it draws, canvas of `height`, X() and Y(). Definitions of a chart's own come after it. */
void chart_begin(FILE *script, const char *name, const char *title, int height);

/* Begins the loop over both formats (closed by chart_end()): terminal, title, subtitles with n, host kernel, accelerator of guests, drivers left out, `remark`. */
void chart_canvas(FILE *script, const char *title, const char *remark, const struct result *result);
void chart_end(FILE *script);

/* Text at pixel (x, y) of its baseline's middle; `align` is left, center or right; `colour` "#rrggbb". */
void chart_text(FILE *script, int x, int y, const char *align, int font, const char *colour, const char *text);

/* Okabe and Ito's palette of colours that people with any colour vision tell apart, by the places charts use them for. */
extern const char *const chart_line_colours[7];
