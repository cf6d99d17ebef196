/* One self-contained HTML page of a result: what was measured, the table, the charts (SVG inline), environment, method, limits. */
#pragma once

#include <bench/error.h>
#include <bench/result.h>
#include <results/summary.h>

/* Writes `path` atomically; the SVG files that charts_result() left in `chart_dir` are put inline. */
int report_html(const struct result *result, const struct summary *summary, const char *chart_dir, const char *path, struct error *err);
