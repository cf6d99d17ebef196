/* Charts of a result by gnuplot. */
#include "charts.h"

#include "chart.h"
#include "gnuplot.h"
#include "grid.h"
#include "label.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <stdbool.h>

static int draw(const char *name, chart_writer write, const struct result *result, const struct summary *summary, const char *dir,
		struct error *err)
{
	_cleanup_free_ char *script = NULL;
	_cleanup_free_ char *data = NULL;
	size_t script_size = 0, data_size = 0;
	FILE *to_script = open_memstream(&script, &script_size);
	FILE *to_data = open_memstream(&data, &data_size);
	bool failed = !to_script || !to_data;

	if (!failed)
		failed = write(result, summary, to_script, to_data) < 0;
	failed |= to_script && fclose(to_script) != 0;
	failed |= to_data && fclose(to_data) != 0;
	if (failed)
		return error_set(err, ENOMEM, "draw %s: out of memory", name);

	struct gnuplot_chart chart = {name, script, data, script_size, data_size};

	return gnuplot_draw(&chart, dir, err);
}

const struct chart *charts_of(const struct result *result)
{
	static const struct chart startup[] = {
		{"startup-ecdf", chart_ecdf, "Share of the starts that are ready after a time, by driver."},
		{"startup-phases", chart_phases, "Medians of the phases of a start, by driver, each on its own axis."},
		{NULL, NULL, NULL},
	};
	static const struct chart anatomy[] = {
		{"anatomy-costs", chart_costs, "What each feature costs: the whole against variants, with 95 % intervals."},
		{"anatomy-steps", chart_steps, "Steps of a start on the time axis, medians, by who does them."},
		{NULL, NULL, NULL},
	};

	return grid_is_anatomy(result) ? anatomy : startup;
}

int charts_result(const struct result *result, const struct summary *summary, const char *dir, struct error *err)
{
	_cleanup_(text_locale_leave) struct text_locale locale = text_locale_enter();
	int first = 0;

	if (result->n_drivers != summary->n_drivers)
		return error_set(err, EINVAL, "charts: the summary is of another result");
	/* Each is tried; the first failure is told. */
	for (const struct chart *chart = charts_of(result); chart->name; chart++) {
		struct error later = {0};
		int r = draw(chart->name, chart->write, result, summary, dir, first == 0 ? err : &later);

		first = first == 0 ? r : first;
	}
	return first;
}
