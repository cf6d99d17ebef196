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

/* One step of a driver's starts, of samples that were ready in time. */
struct step_summary {
	struct distribution duration;
	double begin_ns, end_ns; /* medians after T0; NAN: never timed */
	double share;            /* median duration of the median total; steps of lanes that overlap add up to more than all */
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
	double pss_bytes, uss_bytes, cgroup_bytes;               /* medians of the footprint */
	double guest_ram_bytes, vmm_pss_bytes, guest_used_bytes; /* likewise; NAN of what is no guest */
	struct step_summary *steps;                              /* heap, as the driver declared them; NULL without */
	size_t n_steps;
	/* What of T0 -> T6 is in no step: before the first, after the last, between them. n = 0 without steps. */
	struct distribution before_steps, after_steps, between_steps;
	double mark_ns[MARK_COUNT]; /* median of each mark after T0; NAN where it is not observed, 0 without steps */
};

/* Three-way: a difference is one only when its interval excludes zero and it exceeds the run's own noise. */
enum cost_verdict { COST_UNDECIDED, COST_COSTS, COST_SAVES, COST_VERDICT_COUNT };

static const char *const cost_verdict_names[] = {"no decision", "costs", "saves"};
_Static_assert(sizeof(cost_verdict_names) / sizeof(cost_verdict_names[0]) == COST_VERDICT_COUNT, "one name a verdict");

struct cost {
	struct estimate ns; /* median of the differences block by block; interval: block bootstrap */
	enum cost_verdict verdict;
};

/* What a feature costs: whole - variant where the variant lacks it, variant - whole where it adds it. That of VARIANT_AGAIN is noise. */
struct feature_cost {
	size_t driver;           /* the variant */
	struct cost start, stop; /* T0 -> T6, Ts -> T7 */
};

struct summary {
	struct driver_summary *drivers; /* heap, one per result driver */
	size_t n_drivers;
	int baseline; /* index of the driver that ratios refer to: the one labelled "process", else the first of that name, or -1 */
	size_t tainted_blocks, replaced_blocks;
	int whole;                  /* index of the driver with all features (VARIANT_WHOLE), or -1: no costs */
	struct feature_cost *costs; /* heap, one a variant of it, in the order of drivers */
	size_t n_costs;
	double start_noise_ns,
		stop_noise_ns; /* how far from zero whole and again may lie: the farther end of that interval; NAN: not known */
};

/* -EINVAL when a sample names a driver or block that is not there, -ENOMEM; *ret is untouched then. */
int summary_make(const struct result *result, struct summary *ret, struct error *err);
void summary_free(struct summary *summary);

/* Is sample i an outlier of its driver's totals? `ret` has one flag a sample of the result, allocated by the caller. Without memory, none is. */
void summary_label_outliers(const struct result *result, bool *ret);
