/* Parts of the HTML report that are text and no figures: the style sheet, pictures put inline. Internal to plots/. */
#pragma once

#include <bench/error.h>

#include <stdio.h>

/* Content of <style>: readable on a telephone, printable, no outside resource. */
extern const char *const page_style;

/* Copies the drawing of <dir>/<name>.svg into the page: without its prolog, and with `name` before its ids, since two drawings of gnuplot use the
 * same ones. -ENOENT when there is no such file, -EINVAL when it is no drawing that may stand in a page. */
int page_svg(FILE *out, const char *dir, const char *name, const char *description, struct error *err);
