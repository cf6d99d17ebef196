/* Figures as table and report print them. Unknown (NAN) is "–" everywhere. Each returns `ret`; CELL_MAX bytes are enough. */
#pragma once

#include <results/summary.h>

#include <stddef.h>

enum { CELL_MAX = 160 };

#define CELL_UNKNOWN "–"

/* "1.90 ms" */
char *cell_duration(double ns, char *ret, size_t size);

/* "1.90 [1.87–1.92] ms"; each number with its own unit where they differ: "999 µs [992 µs–1.01 ms]". */
char *cell_interval(struct estimate ns, char *ret, size_t size);

/* A difference, each number with its sign, all in one unit: "+612 [+590 … +640] µs"; the value alone where the interval is unknown. */
char *cell_difference(struct estimate ns, char *ret, size_t size);

/* "12 %", "0.3 %", "< 0.1 %" of a share in 0 … 1, rounded to what matters; negative ones with their sign. */
char *cell_share(double share, char *ret, size_t size);

/* "× 2.41 [2.38–2.45]"; two digits where the ratio is below a hundredth. */
char *cell_ratio(struct estimate ratio, char *ret, size_t size);

/* "1.24 MiB" */
char *cell_bytes(double bytes, char *ret, size_t size);

/* "+0.12", "−0.30": correlations. */
char *cell_correlation(double value, char *ret, size_t size);

/* "0.034", "< 0.001" */
char *cell_probability(double p, char *ret, size_t size);

/* So many significant digits without an exponent: 3 give "0.00432", "2.41", "6010". */
char *cell_significant(double value, int digits, char *ret, size_t size);
