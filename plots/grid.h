/* The tables of a result as text, before anyone decides how they look: the terminal and the report show the same cells. */
#pragma once

#include "cells.h"
#include "label.h"

#include <bench/error.h>
#include <bench/result.h>
#include <results/summary.h>

#include <stdbool.h>
#include <stddef.h>

enum { GRID_COLUMNS_MAX = 12, GRID_TEXT_MAX = LABEL_MAX };

enum grid_kind {
	GRID_TOTALS, /* n, median, p90, p99, ratio, memory */
	GRID_PHASES, /* medians between the marks, and of the stop */
	GRID_SPREAD, /* min, MAD, max, order effects */
	GRID_MEMORY, /* of guests: their memory apart from their monitor's, and as they see it */
	GRID_COSTS,  /* of an anatomy: what each feature costs, one row a variant */
	GRID_STEPS,  /* of an anatomy: begin, duration and share of each step of the whole */
	GRID_KIND_COUNT
};

struct grid {
	char title[GRID_TEXT_MAX]; /* one line: what is shown */
	size_t n_columns, n_rows;
	char heads[GRID_COLUMNS_MAX][48];
	char (*cells)[GRID_COLUMNS_MAX][GRID_TEXT_MAX]; /* heap; the first column is the row's label */
};

/* The tables that belong to the result's experiment, in their order; GRID_KIND_COUNT ends. `all`: also those that are too long for a terminal. */
const enum grid_kind *grid_kinds(const struct result *result, bool all);

/* Is it a result of the experiment "anatomy"? */
bool grid_is_anatomy(const struct result *result);

/* Columns that no driver fills are left out, but for n, median, p90, p99. */
int grid_make(const struct result *result, const struct summary *summary, enum grid_kind kind, struct grid *ret, struct error *err);
void grid_free(struct grid *grid);

/* ---- filling, between grid.c and grid_anatomy.c ---- */

/* Columns of a row are added from left to right; the first row's heads are the grid's. */
struct grid_row {
	struct grid *grid;
	size_t index, used;
};

/* The next cell, of GRID_TEXT_MAX bytes. */
char *grid_add(struct grid_row *row, const char *head);
void grid_add_duration(struct grid_row *row, const char *head, double ns);

/* Title and room for `n_rows`; -ENOMEM. */
int grid_begin(struct grid *grid, size_t n_rows, struct error *err, const char *title, ...) __attribute__((format(printf, 4, 5)));

int grid_costs(const struct result *result, const struct summary *summary, struct grid *ret, struct error *err);
int grid_steps(const struct result *result, const struct summary *summary, struct grid *ret, struct error *err);
