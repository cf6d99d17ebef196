/* What a reader must know beside the figures, each with what to do about it: warnings, notes of drivers, the run in one line.
 * The text is clean (label.h) and one line each. */
#pragma once

#include <bench/result.h>
#include <results/summary.h>

#include <stddef.h>

enum { REMARK_MAX = 640 };

/* Called for each remark; `subject` is the label of a driver, or empty for the whole run. */
typedef void (*remark_visitor)(const char *subject, const char *text, void *arg);

/* Findings that weaken a figure: emulation, censored, failed, drift, autocorrelation, taint, outliers, phases that disagree, missing p99. Drift of three
 * drivers or more in one direction is the host's, and said once. */
void remarks_warnings(const struct result *result, const struct summary *summary, remark_visitor visit, void *arg);

/* "vm was left out: <why>", for each driver that was planned and could not run. Belongs beside the figures, not below them. */
void remarks_left_out(const struct result *result, remark_visitor visit, void *arg);

/* What drivers say is not limited or not measured. */
void remarks_notes(const struct result *result, remark_visitor visit, void *arg);

/* "INTERRUPTED after 37 of 100 blocks: …"; empty when the plan was done. */
char *remark_interrupted(const struct result *result, char *ret, size_t size);

/* "100 blocks after 2 of warm-up, seed 42, started 2025-03-01T12:00:00Z, took 5 min 12 s" */
char *remark_run(const struct result *result, char *ret, size_t size);

/* "host: kernel 6.1.0, x86_64, Example CPU, 2 CPUs, 24.0 GiB, cgroup hybrid, virtualised by kvm" */
char *remark_host(const struct result *result, char *ret, size_t size);
