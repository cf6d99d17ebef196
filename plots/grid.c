/* The tables of a start-up result as text. */
#include "grid.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of a row are added from left to right; the first row's heads are the grid's. */
struct row {
	struct grid *grid;
	size_t index, used;
};

static char *add(struct row *row, const char *head)
{
	snprintf(row->grid->heads[row->used], sizeof(row->grid->heads[0]), "%s", head);
	row->grid->n_columns = row->used + 1;
	return row->grid->cells[row->index][row->used++];
}

static void add_duration(struct row *row, const char *head, double ns)
{
	cell_duration(ns, add(row, head), GRID_TEXT_MAX);
}

static void fill_totals(const struct result *result, const struct summary *summary, size_t d, struct row *row)
{
	const struct driver_summary *own = &summary->drivers[d];
	const struct distribution *total = &own->total;
	char head[48] = "ratio", label[LABEL_MAX], limit[CELL_MAX];

	snprintf(add(row, "n"), GRID_TEXT_MAX, "%zu", total->n);
	char *median = add(row, "median [95 % CI]");

	cell_interval(total->median, median, GRID_TEXT_MAX);
	if (total->n && !isfinite(total->median.value) && 2 * total->censored >= total->n)
		snprintf(median, GRID_TEXT_MAX, "> %s", cell_duration((double)result->plan.timeout_ns, limit, sizeof(limit)));
	add_duration(row, "p90", total->p90);
	add_duration(row, "p99", total->p99);
	if (summary->baseline >= 0)
		snprintf(head, sizeof(head), "ratio to %.38s",
			 label_driver_within(&result->drivers[summary->baseline], 16, label, sizeof(label)));
	char *ratio = add(row, head);

	if ((int)d == summary->baseline && total->n)
		snprintf(ratio, GRID_TEXT_MAX, "1");
	else
		cell_ratio(own->ratio, ratio, GRID_TEXT_MAX);
	cell_bytes(own->pss_bytes, add(row, "PSS"), GRID_TEXT_MAX);
}

static void fill_phases(const struct result *result, const struct summary *summary, size_t d, struct row *row)
{
	const struct driver_summary *own = &summary->drivers[d];

	for (enum phase phase = 0; phase < PHASE_COUNT; phase++) {
		double ns = NAN;

		for (enum mark mark = MARK_LAUNCHED; mark <= MARK_READY; mark++)
			if (phase_of(&result->drivers[d], mark) == phase && own->phases[mark].n)
				ns = own->phases[mark].median.value;
		add_duration(row, phase_names[phase], ns);
	}
	add_duration(row, "total", own->total.median.value);
	add_duration(row, "stop", own->stop.median.value); /* T6 is not its begin: what lies between belongs to nobody */
}

static void fill_spread(const struct result *result, const struct summary *summary, size_t d, struct row *row)
{
	const struct driver_summary *own = &summary->drivers[d];

	add_duration(row, "min", own->total.min);
	add_duration(row, "MAD", own->total.mad);
	add_duration(row, "max", own->total.max);
	add_duration(row, "first", own->first_ns);
	add_duration(row, "1st half", own->first_half);
	add_duration(row, "2nd half", own->second_half);
	cell_correlation(own->drift_rho, add(row, "drift"), GRID_TEXT_MAX);
	cell_probability(own->drift_p, add(row, "p"), GRID_TEXT_MAX);
	cell_correlation(own->lag1, add(row, "lag-1"), GRID_TEXT_MAX);
}

static bool is_empty(const struct grid *grid, size_t column)
{
	for (size_t r = 0; r < grid->n_rows; r++)
		if (strcmp(grid->cells[r][column], CELL_UNKNOWN) != 0)
			return false;
	return true;
}

/* Takes out the columns from `first` on that say nothing. */
static void drop_empty(struct grid *grid, size_t first)
{
	size_t kept = first;

	for (size_t c = first; c < grid->n_columns; c++) {
		if (is_empty(grid, c))
			continue;
		memmove(grid->heads[kept], grid->heads[c], sizeof(grid->heads[0]));
		for (size_t r = 0; r < grid->n_rows; r++)
			memmove(grid->cells[r][kept], grid->cells[r][c], sizeof(grid->cells[0][0]));
		kept++;
	}
	grid->n_columns = kept;
}

int grid_make(const struct result *result, const struct summary *summary, enum grid_kind kind, struct grid *ret, struct error *err)
{
	static void (*const fill[])(const struct result *, const struct summary *, size_t, struct row *) = {fill_totals, fill_phases,
													    fill_spread};
	static const char *const titles[] = {
		"Start-up, from the request to the first answer (T0→T6)",
		"Phases of a start, and the stop (medians: they need not add up exactly)",
		"Spread of the start-up times, and effects of their order",
	};
	_Static_assert(sizeof(fill) / sizeof(fill[0]) == GRID_KIND_COUNT, "one filler a kind");
	_Static_assert(sizeof(titles) / sizeof(titles[0]) == GRID_KIND_COUNT, "one title a kind");

	if (result->n_drivers != summary->n_drivers)
		return error_set(err, EINVAL, "table: the summary is of another result");
	struct grid grid = {.title = titles[kind], .n_rows = result->n_drivers};

	grid.cells = calloc(grid.n_rows + 1, sizeof(*grid.cells));
	if (!grid.cells)
		return error_set(err, ENOMEM, "table: out of memory");
	for (size_t d = 0; d < result->n_drivers; d++) {
		struct row row = {.grid = &grid, .index = d};

		label_driver(&result->drivers[d], add(&row, "driver"), GRID_TEXT_MAX);
		fill[kind](result, summary, d, &row);
	}
	drop_empty(&grid, kind == GRID_TOTALS ? 5 : 1);
	*ret = grid;
	return 0;
}

void grid_free(struct grid *grid)
{
	free(grid->cells);
	grid->cells = NULL;
}
