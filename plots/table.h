/* The table on the terminal (libsmartcols), and the notes under it. */
#pragma once

#include <bench/result.h>
#include <results/summary.h>

#include <stdbool.h>
#include <stdio.h>

/* Of a start-up result three blocks with one row a driver: totals (n, median with 95 % CI, p90, p99, ratio to process with CI, PSS), phases and stop (medians), spread (min,
 * MAD, max, first start, halves, drift, lag-1). Of an anatomy two: what each feature costs, and the steps of a start. Above them the run, the host, accelerator and machine type of the guests, and first of all whether the run was
 * interrupted; below the first block the drivers that were left out; below all warnings that say what to do, and the notes of drivers. At most 100 columns where the figures allow it, never cut.
 * UTF-8 whatever the locale. Escape sequences only with `colour`. */
int table_result(const struct result *result, const struct summary *summary, FILE *out, bool colour, struct error *err);
