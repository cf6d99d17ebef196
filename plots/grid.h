/* The tables of a start-up result as text, before anyone decides how they look: the terminal and the report show the same cells. */
#pragma once

#include "cells.h"
#include "label.h"

#include <bench/error.h>
#include <bench/result.h>
#include <results/summary.h>

#include <stddef.h>

enum { GRID_COLUMNS_MAX = 12, GRID_TEXT_MAX = LABEL_MAX };

enum grid_kind {
	GRID_TOTALS, /* n, median, p90, p99, ratio, memory */
	GRID_PHASES, /* medians between the marks, and of the stop */
	GRID_SPREAD, /* min, MAD, max, order effects */
	GRID_KIND_COUNT
};

struct grid {
	const char *title; /* one line: what is shown */
	size_t n_columns, n_rows;
	char heads[GRID_COLUMNS_MAX][48];
	char (*cells)[GRID_COLUMNS_MAX][GRID_TEXT_MAX]; /* heap, one row a driver; the first column is its label */
};

/* Columns that no driver fills are left out, but for n, median, p90, p99. */
int grid_make(const struct result *result, const struct summary *summary, enum grid_kind kind, struct grid *ret, struct error *err);
void grid_free(struct grid *grid);
