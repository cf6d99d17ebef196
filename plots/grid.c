/* The tables of a result as text: one row a driver. Those of an anatomy are in grid_anatomy.c. */
#include "grid.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *grid_add(struct grid_row *row, const char *head)
{
	snprintf(row->grid->heads[row->used], sizeof(row->grid->heads[0]), "%s", head);
	row->grid->n_columns = row->used + 1;
	return row->grid->cells[row->index][row->used++];
}

void grid_add_duration(struct grid_row *row, const char *head, double ns)
{
	cell_duration(ns, grid_add(row, head), GRID_TEXT_MAX);
}

static void fill_totals(const struct result *result, const struct summary *summary, size_t d, struct grid_row *row)
{
	const struct driver_summary *own = &summary->drivers[d];
	const struct distribution *total = &own->total;
	char head[48] = "ratio", label[LABEL_MAX], limit[CELL_MAX];

	snprintf(grid_add(row, "n"), GRID_TEXT_MAX, "%zu", total->n);
	char *median = grid_add(row, "median [95 % CI]");

	cell_interval(total->median, median, GRID_TEXT_MAX);
	if (total->n && !isfinite(total->median.value) && 2 * total->censored >= total->n)
		snprintf(median, GRID_TEXT_MAX, "> %s", cell_duration((double)result->plan.timeout_ns, limit, sizeof(limit)));
	grid_add_duration(row, "p90", total->p90);
	grid_add_duration(row, "p99", total->p99);
	if (summary->baseline >= 0)
		snprintf(head, sizeof(head), "ratio to %.38s",
			 label_driver_within(&result->drivers[summary->baseline], 16, label, sizeof(label)));
	char *ratio = grid_add(row, head);

	if ((int)d == summary->baseline && total->n)
		snprintf(ratio, GRID_TEXT_MAX, "1");
	else
		cell_ratio(own->ratio, ratio, GRID_TEXT_MAX);
	cell_bytes(own->pss_bytes, grid_add(row, "PSS"), GRID_TEXT_MAX);
}

static void fill_phases(const struct result *result, const struct summary *summary, size_t d, struct grid_row *row)
{
	const struct driver_summary *own = &summary->drivers[d];

	for (enum phase phase = 0; phase < PHASE_COUNT; phase++) {
		double ns = NAN;

		for (enum mark mark = MARK_LAUNCHED; mark <= MARK_READY; mark++)
			if (phase_of(&result->drivers[d], mark) == phase && own->phases[mark].n)
				ns = own->phases[mark].median.value;
		grid_add_duration(row, phase_names[phase], ns);
	}
	grid_add_duration(row, "total", own->total.median.value);
	grid_add_duration(row, "stop", own->stop.median.value); /* T6 is not its begin: what lies between belongs to nobody */
}

static void fill_spread(const struct result *result, const struct summary *summary, size_t d, struct grid_row *row)
{
	const struct driver_summary *own = &summary->drivers[d];

	grid_add_duration(row, "min", own->total.min);
	grid_add_duration(row, "MAD", own->total.mad);
	grid_add_duration(row, "max", own->total.max);
	grid_add_duration(row, "first", own->first_ns);
	grid_add_duration(row, "1st half", own->first_half);
	grid_add_duration(row, "2nd half", own->second_half);
	cell_correlation(own->drift_rho, grid_add(row, "drift"), GRID_TEXT_MAX);
	cell_probability(own->drift_p, grid_add(row, "p"), GRID_TEXT_MAX);
	cell_correlation(own->lag1, grid_add(row, "lag-1"), GRID_TEXT_MAX);
}

static void fill_memory(const struct result *result, const struct summary *summary, size_t d, struct grid_row *row)
{
	const struct driver_summary *own = &summary->drivers[d];

	cell_bytes(own->pss_bytes, grid_add(row, "PSS"), GRID_TEXT_MAX);
	cell_bytes(own->uss_bytes, grid_add(row, "USS"), GRID_TEXT_MAX);
	cell_bytes(own->cgroup_bytes, grid_add(row, "cgroup"), GRID_TEXT_MAX);
	cell_bytes(own->guest_ram_bytes, grid_add(row, "guest's memory, touched"), GRID_TEXT_MAX);
	cell_bytes(own->vmm_pss_bytes, grid_add(row, "monitor alone"), GRID_TEXT_MAX);
	cell_bytes(own->guest_used_bytes, grid_add(row, "used, says the guest"), GRID_TEXT_MAX);
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

bool grid_is_anatomy(const struct result *result)
{
	return strcmp(result->experiment, "anatomy") == 0;
}

static bool has_guests(const struct result *result)
{
	for (size_t i = 0; i < result->n_samples; i++)
		if (footprint_has_guest(&result->samples[i].footprint))
			return true;
	return false;
}

const enum grid_kind *grid_kinds(const struct result *result, bool all)
{
	static const enum grid_kind startup[] = {GRID_TOTALS, GRID_PHASES, GRID_SPREAD, GRID_KIND_COUNT};
	static const enum grid_kind with_guests[] = {GRID_TOTALS, GRID_PHASES, GRID_MEMORY, GRID_SPREAD, GRID_KIND_COUNT};
	static const enum grid_kind anatomy[] = {GRID_COSTS, GRID_STEPS, GRID_KIND_COUNT};
	static const enum grid_kind whole_anatomy[] = {GRID_COSTS, GRID_STEPS, GRID_TOTALS, GRID_SPREAD, GRID_KIND_COUNT};

	if (!grid_is_anatomy(result))
		return has_guests(result) ? with_guests : startup;
	return all ? whole_anatomy : anatomy;
}

int grid_begin(struct grid *grid, size_t n_rows, struct error *err, const char *title, ...)
{
	va_list ap;

	*grid = (struct grid){.n_rows = n_rows, .cells = calloc(n_rows + 1, sizeof(*grid->cells))};
	if (!grid->cells)
		return error_set(err, ENOMEM, "table: out of memory");
	va_start(ap, title);
	vsnprintf(grid->title, sizeof(grid->title), title, ap);
	va_end(ap);
	return 0;
}

static int make_drivers(const struct result *result, const struct summary *summary, enum grid_kind kind, struct grid *ret,
			struct error *err)
{
	static const struct {
		void (*fill)(const struct result *, const struct summary *, size_t, struct grid_row *);
		const char *title;
	} kinds[] = {
		[GRID_TOTALS] = {fill_totals, "Start-up, from the request to the first answer (T0→T6)"},
		[GRID_PHASES] = {fill_phases, "Phases of a start, and the stop (medians: they need not add up exactly)"},
		[GRID_MEMORY] = {fill_memory, "Memory of an instance that idles, as the host sees it and as a guest does (medians)"},
		[GRID_SPREAD] = {fill_spread, "Spread of the start-up times, and effects of their order"},
	};
	int r = grid_begin(ret, result->n_drivers, err, "%s", kinds[kind].title);

	for (size_t d = 0; d < result->n_drivers && r == 0; d++) {
		struct grid_row row = {.grid = ret, .index = d};

		label_driver(&result->drivers[d], grid_add(&row, "driver"), GRID_TEXT_MAX);
		kinds[kind].fill(result, summary, d, &row);
	}
	if (r == 0)
		drop_empty(ret, kind == GRID_TOTALS ? 5 : 1);
	return r;
}

int grid_make(const struct result *result, const struct summary *summary, enum grid_kind kind, struct grid *ret, struct error *err)
{
	if (result->n_drivers != summary->n_drivers)
		return error_set(err, EINVAL, "table: the summary is of another result");
	if (kind == GRID_COSTS)
		return grid_costs(result, summary, ret, err);
	if (kind == GRID_STEPS)
		return grid_steps(result, summary, ret, err);
	return make_drivers(result, summary, kind, ret, err);
}

void grid_free(struct grid *grid)
{
	free(grid->cells);
	grid->cells = NULL;
}
