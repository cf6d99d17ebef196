/* Charts of a result by gnuplot. */
#include "charts.h"

#include "chart.h"
#include "gnuplot.h"
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

int charts_startup(const struct result *result, const struct summary *summary, const char *dir, struct error *err)
{
	_cleanup_(text_locale_leave) struct text_locale locale = text_locale_enter();

	if (result->n_drivers != summary->n_drivers)
		return error_set(err, EINVAL, "charts: the summary is of another result");
	int r = draw("startup-ecdf", chart_ecdf, result, summary, dir, err);
	struct error second = {0};
	int s = draw("startup-phases", chart_phases, result, summary, dir, r == 0 ? err : &second);

	return r < 0 ? r : s;
}
