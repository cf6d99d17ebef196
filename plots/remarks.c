/* What a reader must know beside the figures. */
#include "remarks.h"

#include "cells.h"
#include "label.h"

#include <bench/cleanup.h>

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	HOST_DRIFT_MIN = 3, /* so many drivers that drift in one direction: the host did */
	NAMES_MAX = 320,    /* bytes of a list of drivers in a remark */
};

/* Where the remarks of one driver (or of the run) go. */
struct remarks {
	const struct result *result;
	const struct summary *summary;
	remark_visitor visit;
	void *arg;
	char subject[NAMES_MAX];
};

static void say(const struct remarks *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct remarks *to, const char *format, ...)
{
	char text[REMARK_MAX], clean[REMARK_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	to->visit(to->subject, label_clean(text, clean, sizeof(clean)), to->arg);
}

static bool is_replaced(const struct result *result, const struct sample *sample)
{
	return sample->block < result->n_blocks && result->blocks[sample->block].replaced;
}

/* A variant is one of many: what holds for all of them is told of the whole. */
static bool is_variant(const struct result *result, size_t driver)
{
	enum variant_role role = result->drivers[driver].variant.role;

	return role == VARIANT_WITH || role == VARIANT_WITHOUT || role == VARIANT_AGAIN;
}

/* The first reason of a driver's samples of that status. */
static const char *first_reason(const struct result *result, size_t driver, enum sample_status status)
{
	for (size_t i = 0; i < result->n_samples; i++) {
		const struct sample *sample = &result->samples[i];

		if (sample->driver == driver && sample->status == status && !sample->warmup && !is_replaced(result, sample) &&
		    sample->reason[0])
			return sample->reason;
	}
	return "no reason recorded";
}

static bool is_left_out(const struct result *result, size_t driver)
{
	for (size_t i = 0; i < result->n_left_out; i++)
		if (strcmp(result->left_out[i].label, result->drivers[driver].spec.label) == 0)
			return true;
	return false;
}

static void warn_missing(const struct remarks *to, size_t d)
{
	const struct driver_summary *own = &to->summary->drivers[d];
	char limit[CELL_MAX];

	if (own->failed)
		say(to, "%zu start%s failed and %s in no figure; the first: %s. Mend that and run again.", own->failed,
		    own->failed == 1 ? "" : "s", own->failed == 1 ? "is" : "are", first_reason(to->result, d, SAMPLE_FAILED));
	if (own->total.censored)
		say(to,
		    "%zu of %zu starts were not ready within %s; they count as longer than that (%s). "
		    "If they would have come, run again with a longer --timeout.",
		    own->total.censored, own->total.n, cell_duration((double)to->result->plan.timeout_ns, limit, sizeof(limit)),
		    first_reason(to->result, d, SAMPLE_CENSORED));
	if (!own->total.n && !own->failed && !is_left_out(to->result, d))
		say(to, "no start was measured. Run again, or leave this driver out.");
	if ((int)d == to->summary->baseline && own->total.n == own->total.censored && to->summary->n_drivers > 1)
		say(to, "no start was ready, and ratios refer to this driver: there are none.");
}

/* +1: later starts take longer, -1: they take less, 0: no drift that could not be chance. */
static int drift_direction(const struct driver_summary *driver)
{
	if (!isfinite(driver->drift_p) || driver->drift_p >= 0.01)
		return 0;
	return driver->drift_rho > 0 ? 1 : -1;
}

static size_t count_drifting(const struct summary *summary, int direction)
{
	size_t n = 0;

	for (size_t d = 0; d < summary->n_drivers; d++)
		n += drift_direction(&summary->drivers[d]) == direction;
	return n;
}

static void warn_drift(const struct remarks *to, const struct driver_summary *own)
{
	char rho[CELL_MAX], p[CELL_MAX], first[CELL_MAX], second[CELL_MAX];
	int direction = drift_direction(own);

	if (direction == 0 || count_drifting(to->summary, direction) >= HOST_DRIFT_MIN)
		return;
	say(to,
	    "start-up times drift during the run (ρ = %s, p %s%s; first half %s, second half %s). "
	    "Find what changes on the host, and trust no comparison with another run before it is steady.",
	    cell_correlation(own->drift_rho, rho, sizeof(rho)), own->drift_p < 0.001 ? "" : "= ",
	    cell_probability(own->drift_p, p, sizeof(p)), cell_duration(own->first_half, first, sizeof(first)),
	    cell_duration(own->second_half, second, sizeof(second)));
}

/* "process, container and 2 more": those that drift in that direction. */
static void drifting_names(const struct remarks *to, int direction, size_t n, char *ret, size_t size)
{
	size_t used = 0, named = 0;

	ret[0] = '\0';
	for (size_t d = 0; d < to->summary->n_drivers; d++) {
		char label[LABEL_MAX];

		if (drift_direction(&to->summary->drivers[d]) != direction)
			continue;
		label_driver_within(&to->result->drivers[d], 32, label, sizeof(label));
		if (used + strlen(label) + sizeof(", and 32 more") > size)
			break;
		used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? ", " : "", label);
		named++;
	}
	if (named < n)
		snprintf(ret + used, size - used, " and %zu more", n - named);
}

/* What all drivers share is no driver's own: one remark instead of many. */
static void warn_host_drift(const struct remarks *to, int direction)
{
	char names[NAMES_MAX], low[CELL_MAX], high[CELL_MAX];
	size_t n = count_drifting(to->summary, direction);
	double least = INFINITY, most = -INFINITY;

	if (n < HOST_DRIFT_MIN)
		return;
	for (size_t d = 0; d < to->summary->n_drivers; d++) {
		double rho = to->summary->drivers[d].drift_rho;

		if (drift_direction(&to->summary->drivers[d]) != direction)
			continue;
		least = rho < least ? rho : least;
		most = rho > most ? rho : most;
	}
	drifting_names(to, direction, n, names, sizeof(names));
	say(to,
	    "the host drifted during the run: start-up times %s from block to block (ρ %s to %s), affects %s. "
	    "Find what changes on the host, and trust no comparison with another run before it is steady.",
	    direction > 0 ? "grow" : "shrink", cell_correlation(least, low, sizeof(low)), cell_correlation(most, high, sizeof(high)),
	    names);
}

static void warn_order(const struct remarks *to, size_t d)
{
	const struct driver_summary *own = &to->summary->drivers[d];
	char rho[CELL_MAX];

	warn_drift(to, own);
	/* beyond the 95 % bound of white noise, and large enough to matter */
	if (isfinite(own->lag1) && own->total.n && fabs(own->lag1) > 0.25 && fabs(own->lag1) > 1.96 / sqrt((double)own->total.n))
		say(to,
		    own->lag1 > 0
			    ? "neighbouring starts resemble each other (lag-1 autocorrelation %s): intervals are too narrow. Take more "
			      "blocks on a quiet host."
			    : "slow and fast starts alternate (lag-1 autocorrelation %s): blocks are not independent, intervals are too "
			      "wide. Look for what happens every other start.",
		    cell_correlation(own->lag1, rho, sizeof(rho)));
}

/* A few are what any long run has: only more than one in a hundred is worth a line. */
static bool has_many_outliers(const struct driver_summary *own)
{
	return own->total.n < 100 ? own->outliers >= 2 : 100 * own->outliers > own->total.n;
}

static void warn_samples(const struct remarks *to, size_t d)
{
	const struct driver_summary *own = &to->summary->drivers[d];
	size_t disagree = 0;

	for (size_t i = 0; i < to->result->n_samples; i++) {
		const struct sample *sample = &to->result->samples[i];

		disagree += sample->driver == d && !sample->warmup && !is_replaced(to->result, sample) && sample->phases_disagree;
	}
	if (has_many_outliers(own))
		say(to,
		    "%zu of %zu starts are outliers (modified z-score beyond 3.5), kept in all figures. Compare p99 and max, and look for "
		    "what "
		    "ran beside.",
		    own->outliers, own->total.n);
	if (disagree)
		say(to,
		    "phases of %zu sample%s do not add up to the total within 1 %% or 20 µs: read the totals, not the phases, and report "
		    "it as a defect.",
		    disagree, disagree == 1 ? "" : "s");
}

/* Only where features are compared: what keeps a verdict from being one. */
static void warn_costs(const struct remarks *to)
{
	const struct summary *summary = to->summary;
	char noise[CELL_MAX];
	size_t undecided = 0, n = 0;

	if (summary->whole < 0)
		return;
	for (size_t i = 0; i < summary->n_costs; i++) {
		enum variant_role role = to->result->drivers[summary->costs[i].driver].variant.role;

		if (role != VARIANT_WITH && role != VARIANT_WITHOUT)
			continue;
		n++;
		undecided += summary->costs[i].start.verdict == COST_UNDECIDED;
	}
	if (isnan(summary->start_noise_ns))
		say(to, "no interval of the noise is known (it takes six blocks in which the same was started twice): nothing is decided.");
	else if (undecided)
		say(to,
		    "%zu of %zu features are undecided: their interval includes zero, or they cost less than two equal starts differ (%s). "
		    "Take "
		    "more blocks on a quiet host.",
		    undecided, n, cell_duration(summary->start_noise_ns, noise, sizeof(noise)));
}

static void warn_run(const struct remarks *to)
{
	const struct result *result = to->result;
	const char *reason = "";
	bool short_of_p99 = false, emulated = false;

	for (size_t i = 0; i < result->n_blocks && !*reason; i++)
		if (result->blocks[i].tainted)
			reason = result->blocks[i].taint_reason;
	for (size_t d = 0; d < result->n_drivers; d++) {
		const struct distribution *total = &to->summary->drivers[d].total;

		emulated = emulated || label_is_emulated(&result->drivers[d]);
		short_of_p99 = short_of_p99 || (total->n > 0 && total->n < 100);
	}
	if (emulated)
		say(to, "VMs were emulated by TCG, many times slower than with KVM: do not quote these figures as what a VM costs. Use a "
			"host with KVM for that.");
	if (to->summary->tainted_blocks)
		say(to,
		    "%zu block%s disturbed from outside, %zu of them run again (the first: %s). Stop other work on this host and run again "
		    "if it is many.",
		    to->summary->tainted_blocks, to->summary->tainted_blocks == 1 ? " was" : "s were", to->summary->replaced_blocks,
		    *reason ? reason : "no reason recorded");
	if (short_of_p99)
		say(to, "p99 is not given below 100 samples (it would be the maximum). Run with --n 100 or more for it.");
}

void remarks_warnings(const struct result *result, const struct summary *summary, remark_visitor visit, void *arg)
{
	struct remarks to = {.result = result, .summary = summary, .visit = visit, .arg = arg};

	for (size_t d = 0; d < result->n_drivers && d < summary->n_drivers; d++) {
		label_driver(&result->drivers[d], to.subject, sizeof(to.subject));
		warn_missing(&to, d);
		if (is_variant(result, d))
			continue;
		warn_order(&to, d);
		warn_samples(&to, d);
	}
	to.subject[0] = '\0';
	warn_host_drift(&to, 1);
	warn_host_drift(&to, -1);
	warn_costs(&to);
	warn_run(&to);
}

void remarks_left_out(const struct result *result, remark_visitor visit, void *arg)
{
	struct remarks to = {.result = result, .visit = visit, .arg = arg};

	for (size_t i = 0; i < result->n_left_out; i++)
		say(&to, "%s was left out: %s", result->left_out[i].label,
		    result->left_out[i].reason[0] ? result->left_out[i].reason : "no reason recorded");
}

/* Does the whole, of which there are variants, bear this note as well? */
static bool whole_says(const struct result *result, const char *note)
{
	for (size_t d = 0; d < result->n_drivers; d++)
		for (size_t i = 0; i < result->drivers[d].info.n_notes && i < DRIVER_NOTES_MAX; i++)
			if (result->drivers[d].variant.role == VARIANT_WHOLE && strcmp(result->drivers[d].info.notes[i], note) == 0)
				return true;
	return false;
}

static bool says(const struct result *result, size_t driver, const char *note)
{
	const struct driver_info *info = &result->drivers[driver].info;

	for (size_t i = 0; i < info->n_notes && i < DRIVER_NOTES_MAX; i++)
		if (strcmp(info->notes[i], note) == 0)
			return !is_variant(result, driver) || !whole_says(result, note);
	return false;
}

/* Who bears this note, the first of them at `first`; false where a driver before that has told it for all. */
static bool name_bearers(const struct result *result, size_t first, const char *note, char *ret, size_t size)
{
	size_t used = 0;

	for (size_t d = 0; d < first; d++)
		if (says(result, d, note))
			return false;
	ret[0] = '\0';
	for (size_t d = first; d < result->n_drivers && used < size; d++) {
		char label[LABEL_MAX];

		if (says(result, d, note))
			used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? "; " : "",
						 label_driver(&result->drivers[d], label, sizeof(label)));
	}
	return ret[0];
}

/* What several drivers say is said once. */
void remarks_notes(const struct result *result, remark_visitor visit, void *arg)
{
	struct remarks to = {.result = result, .visit = visit, .arg = arg};

	for (size_t d = 0; d < result->n_drivers; d++) {
		const struct driver_info *info = &result->drivers[d].info;

		for (size_t i = 0; i < info->n_notes && i < DRIVER_NOTES_MAX; i++)
			if (name_bearers(result, d, info->notes[i], to.subject, sizeof(to.subject)))
				say(&to, "%s", info->notes[i]);
	}
}

char *remark_interrupted(const struct result *result, char *ret, size_t size)
{
	size_t done = 0;

	for (size_t i = 0; i < result->n_blocks; i++)
		done += !result->blocks[i].warmup && !result->blocks[i].replaced;
	if (result->interrupted)
		snprintf(ret, size, "INTERRUPTED after %zu of %u blocks: the figures hold for what was measured until then.", done,
			 result->plan.n);
	else
		ret[0] = '\0';
	return ret;
}

char *remark_run(const struct result *result, char *ret, size_t size)
{
	char clean[64], took[CELL_MAX];

	snprintf(ret, size, "%u block%s after %u of warm-up, seed %llu, started %s, took %s", result->plan.n,
		 result->plan.n == 1 ? "" : "s", result->plan.warmup, (unsigned long long)result->plan.seed,
		 label_clean(result->started_at, clean, sizeof(clean)), cell_duration((double)result->duration_ns, took, sizeof(took)));
	return ret;
}

char *remark_host(const struct result *result, char *ret, size_t size)
{
	const struct environment *host = &result->environment;
	char memory[CELL_MAX] = "", cpus[48] = "", text[REMARK_MAX];
	bool is_virtual = host->hypervisor[0] && strcmp(host->hypervisor, "none") != 0;

	if (host->threads > 0)
		snprintf(cpus, sizeof(cpus), "%d CPU%s", host->threads, host->threads == 1 ? "" : "s");
	if (host->memory_bytes > 0)
		cell_bytes((double)host->memory_bytes, memory, sizeof(memory));
	snprintf(text, sizeof(text), "host: kernel %s%s%s%s%s%s%s%s%s%s%s%s%s", host->kernel[0] ? host->kernel : "unknown",
		 host->architecture[0] ? ", " : "", host->architecture, host->cpu_model[0] ? ", " : "", host->cpu_model, *cpus ? ", " : "",
		 cpus, *memory ? ", " : "", memory, host->cgroup_mode[0] ? ", cgroup " : "", host->cgroup_mode,
		 is_virtual ? ", virtualised by " : "", is_virtual ? host->hypervisor : "");
	return label_clean(text, ret, size);
}
