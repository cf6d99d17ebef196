/* Charts of a result by gnuplot: SVG and PNG, with data and script kept beside them so that they can be redrawn by hand. */
#pragma once

#include <bench/error.h>
#include <bench/result.h>
#include <results/summary.h>

/* Draws the charts of the result's experiment. Start-up: ECDF (log axis) and stacked phases by driver into existing folder `dir`: startup-ecdf.{svg,png,gp,tsv},
 * startup-phases.{svg,png,gp,tsv}. Of an anatomy: anatomy-steps.{…} (its steps on the time axis, lane by lane) and anatomy-costs.{…} (what each
 * feature costs). -ENOENT with a hint when there is no gnuplot. */
int charts_result(const struct result *result, const struct summary *summary, const char *dir, struct error *err);
