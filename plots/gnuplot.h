/* Draws one chart with gnuplot, and keeps its data and script beside it. */
#pragma once

#include <bench/error.h>

#include <stddef.h>

/* A chart before it is drawn. The script names files relatively, and draws <name>.svg and <name>.png from <name>.tsv. */
struct gnuplot_chart {
	const char *name;
	const char *script, *data;
	size_t script_size, data_size;
};

/* Installs <name>.gp, .tsv, .svg and .png in existing folder `dir`, each whole or not at all. Without gnuplot: data and script only, and -ENOENT.
 * What gnuplot complains about becomes the error. */
int gnuplot_draw(const struct gnuplot_chart *chart, const char *dir, struct error *err);
