/* What both charts share: canvas, fonts, palette, heading. */
#include "chart.h"

#include "escape.h"
#include "label.h"

#include <stdbool.h>
#include <string.h>

enum {
	SUBTITLE = 118, /* characters of a line */
	SUBTITLE_NAME = 24,
};

/* Blue, vermillion, green, purple, orange, sky, black: the yellow of the palette does not show as a line on white. */
const char *const chart_line_colours[7] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"};

void chart_text(FILE *script, int x, int y, const char *align, int font, const char *colour, const char *text)
{
	fputs("\tset label ", script);
	escape_gnuplot(script, text);
	fprintf(script, " at screen X(%d), screen Y(%d) %s font FONT.',%d' textcolor rgb '%s'\n", x, y, align, font, colour);
}

/* "n = 100 starts a driver · host kernel 6.1.0 · seed 42" */
static void first_subtitle(const struct result *result, char *ret, size_t size)
{
	char kernel[3 * sizeof(result->environment.kernel)];

	label_shorten(label_clean(result->environment.kernel, kernel, sizeof(kernel)), 40);
	snprintf(ret, size, "n = %u start%s of each driver%s · host kernel %s · seed %llu", result->plan.n, result->plan.n == 1 ? "" : "s",
		 result->interrupted ? " planned, run INTERRUPTED" : "", kernel[0] ? kernel : "unknown",
		 (unsigned long long)result->plan.seed);
}

/* "VM figures: TCG (emulated), q35 · left out: docker": a chart without a driver's curve must not look as if nobody had asked for it. */
static void second_subtitle(const struct result *result, char *ret, size_t size)
{
	char guests[LABEL_MAX] = "", names[LABEL_MAX] = "", label[3 * sizeof(result->left_out[0].label)];
	bool has_guests = label_guests(result, guests, sizeof(guests));

	for (size_t i = 0; i < result->n_left_out; i++) {
		size_t used = strlen(names);

		label_shorten(label_clean(result->left_out[i].label, label, sizeof(label)), SUBTITLE_NAME);
		snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "left out: ", label);
	}
	label_shorten(names, has_guests ? SUBTITLE / 2 : SUBTITLE);
	label_shorten(guests, SUBTITLE - label_length(names) - 3);
	snprintf(ret, size, "%s%s%s", guests, has_guests && names[0] ? " · " : "", names);
}

void chart_begin(FILE *script, const char *name, const char *title, int height)
{
	fprintf(script, "# %s\n# Redraw both pictures, in this folder: gnuplot %s.gp\n", title, name);
	fprintf(script, "NAME = '%s'\nDATA = NAME.'.tsv'\nFONT = 'sans-serif'\n", name);
	fputs("# places on the canvas: pixels from the top left corner\n", script);
	fprintf(script, "W = %d.0\nH = %d.0\nX(px) = px / W\nY(px) = 1 - px / H\n", CHART_WIDTH, height);
	fputs("set encoding utf8\n", script);
}

void chart_canvas(FILE *script, const char *title, const char *remark, const struct result *result)
{
	char text[2 * LABEL_MAX];

	fputs("\ndo for [format in 'svg png'] {\n\treset\n\tset datafile separator tab\n", script);
	fputs("\tif (format eq 'svg') {\n\t\tset terminal svg size W,H fixed noenhanced font FONT.',13' background '#ffffff'\n", script);
	/* twice the pixels, for print and for dense screens; fonts are 4/3 pixels a point there */
	fputs("\t} else { if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {\n"
	      "\t\tset terminal pngcairo size 2*W,2*H noenhanced font FONT.',13' fontscale 1.5 linewidth 2 pointscale 2 background "
	      "'#ffffff'\n"
	      "\t} else {\n\t\tset terminal png size W,H noenhanced fontscale 0.75 background '#ffffff'\n\t}}\n",
	      script);
	fputs("\tset output NAME.'.'.format\n\n", script);
	chart_text(script, 24, 26, "left", CHART_FONT_TITLE, "#000000", title);
	first_subtitle(result, text, sizeof(text));
	chart_text(script, 24, 54, "left", CHART_FONT, "#444444", text);
	int y = 54 + CHART_LINE;

	second_subtitle(result, text, sizeof(text));
	if (text[0]) {
		chart_text(script, 24, y, "left", CHART_FONT, "#444444", text);
		y += CHART_LINE;
	}
	if (remark[0])
		chart_text(script, 24, y, "left", CHART_FONT, "#444444", remark);
}

void chart_end(FILE *script)
{
	fputs("\tunset output\n}\n", script);
}
