/* From a result's raw samples to the figures that people read. Pure: the same result gives the same summary, to the bit.
 *
 * Durations are doubles in nanoseconds. NAN: not known (too few samples, or the quantile falls among censored ones, which count as larger than
 * anything observed). Warm-up, failed and replaced samples take no part; censored ones do, by rank. Neither the order of the samples in the
 * result nor the presence of other drivers changes a driver's figures (but for the ratio, which needs the baseline). */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

#include <stddef.h>

/* A value with its 95 % interval; below six blocks there is no interval. */
struct estimate {
	double value, low, high;
};

struct distribution {
	size_t n; /* samples that count, censored ones included */
	size_t censored;
	struct estimate median; /* interval: block bootstrap, percentile method, seeded from the plan's seed */
	double p90, p99;        /* NAN below 10 and 100 samples: there they would be the maximum */
	double mad;             /* median absolute deviation, unscaled */
	double min, max;        /* max is NAN as soon as one sample is censored */
};

struct driver_summary {
	struct distribution total; /* T0 -> T6 */
	struct distribution stop;  /* Ts -> T7, of samples that were ready */
	/* [m]: from the previous present mark to mark m; n = 0 where the driver does not observe m. A censored sample is censored in the phase in
	 * which the time limit struck and absent from the later ones. [MARK_REQUEST] and [MARK_STOP] stay empty, [MARK_GONE] is `stop` again. */
	struct distribution phases[MARK_COUNT];
	struct estimate ratio;          /* total against the baseline's, paired by block: exp(median of log ratios), block bootstrap */
	double first_ns;                /* total of the very first start (a warm-up if there was one); NAN when that was not ready */
	double drift_rho;               /* Spearman's rank correlation of total with block number */
	double drift_p;                 /* its two-sided p, normal approximation; NAN below 10 samples */
	double lag1;                    /* lag-1 autocorrelation of total in block order, censored ones left out */
	double first_half, second_half; /* medians of total; of an odd number the one in the middle belongs to neither */
	size_t outliers;                /* |modified z-score| > 3.5 (Iglewicz and Hoaglin 1993); labelled, never dropped */
	size_t failed, warmups;
	double pss_bytes, uss_bytes, cgroup_bytes; /* medians of the footprint */
};

struct summary {
	struct driver_summary *drivers; /* heap, one per result driver */
	size_t n_drivers;
	int baseline; /* index of the driver that ratios refer to: the one labelled "process", else the first of that name, or -1 */
	size_t tainted_blocks, replaced_blocks;
};

/* -EINVAL when a sample names a driver or block that is not there, -ENOMEM; *ret is untouched then. */
int summary_make(const struct result *result, struct summary *ret, struct error *err);
void summary_free(struct summary *summary);

/* Is sample i an outlier of its driver's totals? `ret` has one flag a sample of the result, allocated by the caller. Without memory, none is. */
void summary_label_outliers(const struct result *result, bool *ret);
