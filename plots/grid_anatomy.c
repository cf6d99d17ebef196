/* The tables of an anatomy: what each feature costs, and the steps of a start. */
#include "anatomy.h"
#include "grid.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* "network namespace, net=host" */
static void fill_cost(const struct result *result, const struct summary *summary, const struct feature_cost *cost, struct grid_row *row)
{
	double whole = summary->drivers[summary->whole].total.median.value;
	char feature[LABEL_MAX];

	snprintf(grid_add(row, "feature"), GRID_TEXT_MAX, "%s",
		 anatomy_feature(&result->drivers[cost->driver], true, feature, sizeof(feature)));
	cell_difference(cost->start.ns, grid_add(row, "start [95 % CI]"), GRID_TEXT_MAX);
	cell_share(cost->start.ns.value / whole, grid_add(row, "share"), GRID_TEXT_MAX);
	snprintf(grid_add(row, "verdict"), GRID_TEXT_MAX, "%s", cost_verdict_names[cost->start.verdict]);
	cell_difference(cost->stop.ns, grid_add(row, "stop [95 % CI]"), GRID_TEXT_MAX);
}

int grid_costs(const struct result *result, const struct summary *summary, struct grid *ret, struct error *err)
{
	char label[LABEL_MAX], median[CELL_MAX], noise[CELL_MAX];
	struct feature_cost sorted[RESULT_DRIVERS_MAX];
	size_t n = anatomy_sort_costs(result, summary, sorted);

	if (summary->whole < 0)
		return grid_begin(ret, 0, err, "no whole to compare variants with");
	label_driver_within(&result->drivers[summary->whole], 24, label, sizeof(label));
	cell_duration(summary->drivers[summary->whole].total.median.value, median, sizeof(median));
	int r = grid_begin(ret, n, err, "What each feature costs: %s (%s) against variants, block by block; n = %zu, noise ± %s", label,
			   median, summary->drivers[summary->whole].total.n, cell_duration(summary->start_noise_ns, noise, sizeof(noise)));

	for (size_t i = 0; i < n && r == 0; i++) {
		struct grid_row row = {.grid = ret, .index = i};

		fill_cost(result, summary, &sorted[i], &row);
	}
	return r;
}

/* A row of what is in no step, or of all. */
static void fill_rest(const char *name, const struct distribution *d, double total, struct grid_row *row)
{
	snprintf(grid_add(row, "step"), GRID_TEXT_MAX, "%s", name);
	snprintf(grid_add(row, "lane"), GRID_TEXT_MAX, CELL_UNKNOWN);
	snprintf(grid_add(row, "begin"), GRID_TEXT_MAX, CELL_UNKNOWN);
	cell_interval(d->median, grid_add(row, "duration [95 % CI]"), GRID_TEXT_MAX);
	grid_add_duration(row, "p99", d->p99);
	cell_share(d->median.value / total, grid_add(row, "share"), GRID_TEXT_MAX);
}

static void fill_step(const struct step_list *list, const struct driver_summary *own, size_t i, struct grid_row *row)
{
	const struct step_summary *step = &own->steps[i];

	label_clean(list->at[i].name, grid_add(row, "step"), GRID_TEXT_MAX);
	snprintf(grid_add(row, "lane"), GRID_TEXT_MAX, "%s", step_lane_names[list->at[i].lane]);
	grid_add_duration(row, "begin", step->begin_ns);
	cell_interval(step->duration.median, grid_add(row, "duration [95 % CI]"), GRID_TEXT_MAX);
	grid_add_duration(row, "p99", step->duration.p99);
	cell_share(step->share, grid_add(row, "share"), GRID_TEXT_MAX);
}

/* By median begin, as on the chart; what was never timed is not shown. Returns how many. */
static size_t order_steps(const struct driver_summary *own, size_t ret[STEPS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < own->n_steps && i < STEPS_MAX; i++) {
		size_t place = n;

		if (own->steps[i].duration.n == 0)
			continue;
		for (; place > 0 && own->steps[ret[place - 1]].begin_ns > own->steps[i].begin_ns; place--)
			ret[place] = ret[place - 1];
		ret[place] = i;
		n++;
	}
	return n;
}

int grid_steps(const struct result *result, const struct summary *summary, struct grid *ret, struct error *err)
{
	int d = anatomy_subject(summary);
	char label[LABEL_MAX];

	if (d < 0)
		return grid_begin(ret, 0, err, "no driver told of its steps");
	const struct driver_summary *own = &summary->drivers[d];
	const struct {
		const char *name;
		const struct distribution *distribution;
	} rests[] = {{"before the first step", &own->before_steps},
		     {"between steps", &own->between_steps},
		     {"after the last step", &own->after_steps},
		     {"all, T0→T6", &own->total}};
	size_t n_rests = sizeof(rests) / sizeof(rests[0]);
	int r = grid_begin(ret, own->n_steps + n_rests, err, "Steps of a start of %s (medians; n = %zu)",
			   label_driver_within(&result->drivers[d], 32, label, sizeof(label)), own->total.n);
	size_t order[STEPS_MAX], n = order_steps(own, order), rows = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct grid_row row = {.grid = ret, .index = rows++};

		fill_step(&result->drivers[d].info.steps, own, order[i], &row);
	}
	for (size_t i = 0; i < n_rests && r == 0; i++) {
		struct grid_row row = {.grid = ret, .index = rows++};

		fill_rest(rests[i].name, rests[i].distribution, own->total.median.value, &row);
	}
	ret->n_rows = r == 0 ? rows : 0;
	return r;
}
