/* A result: what one run of one experiment found, with everything needed to judge it. Plain data in memory; results/ writes and reads it
 * as JSON (docs/results.md), statistics and charts take it from there. Raw samples are kept, all of them, in the order they came. */
#pragma once

#include <bench/driver.h>
#include <bench/footprint.h>
#include <bench/timeline.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESULT_SCHEMA_VERSION = 1, RESULT_DRIVERS_MAX = 32, RESULT_LEFT_OUT_MAX = 32 };

/* One start of one instance. */
enum sample_status {
	SAMPLE_OK,
	SAMPLE_CENSORED, /* not ready within the time limit: the true value is larger than what is known */
	SAMPLE_FAILED,   /* ended or could not be started; `reason` says why */
	SAMPLE_STATUS_COUNT
};

static const char *const sample_status_names[] = {"ok", "censored", "failed"};
_Static_assert(sizeof(sample_status_names) / sizeof(sample_status_names[0]) == SAMPLE_STATUS_COUNT, "one name a status");

struct sample {
	uint32_t driver;   /* index into result.drivers */
	uint32_t block;    /* index into result.blocks */
	uint32_t position; /* place inside the block, 0 first */
	bool warmup;
	enum sample_status status;
	bool phases_disagree; /* sum of phases is off the total by more than 1 % and 20 us */
	struct timeline timeline;
	struct footprint footprint;
	char reason[256]; /* empty when ok */
	uint32_t steps;   /* 1 + index into result.steps; 0: none were recorded */
};

/* What else happened on the host while a block ran: differences between its two ends. -1 where the host does not tell. */
struct disturbance {
	int64_t steal_ns;        /* sum over CPUs, /proc/stat */
	int64_t procs_running;   /* the larger of both ends, without ourselves */
	int64_t psi_cpu_some_ns; /* /proc/pressure */
	int64_t psi_memory_some_ns;
	int64_t psi_io_some_ns;
	int64_t throttled_ns; /* our own cgroup's CPU throttling */
	int64_t spin_ns;      /* a fixed loop, timed before the block: the negative control */
};

struct block {
	bool warmup;
	bool tainted;
	bool replaced;    /* tainted and run again: out of the statistics, still in the file */
	int64_t start_ns; /* CLOCK_MONOTONIC */
	int64_t duration_ns;
	struct disturbance disturbance;
	char taint_reason[128];
};

/* What a driver stands for in an experiment that compares variants of one driver. */
enum variant_role {
	VARIANT_NONE,
	VARIANT_WHOLE,   /* with all its features: what the others are compared with */
	VARIANT_AGAIN,   /* the same once more: what is found between the two is noise */
	VARIANT_WITHOUT, /* lacks one feature: that costs whole - without */
	VARIANT_WITH,    /* has one feature more, or another in its place: that costs with - whole */
	VARIANT_FLOOR,   /* lacks (nearly) all: how far one can get */
	VARIANT_ROLE_COUNT
};

static const char *const variant_role_names[] = {"none", "whole", "again", "without", "with", "floor"};
_Static_assert(sizeof(variant_role_names) / sizeof(variant_role_names[0]) == VARIANT_ROLE_COUNT, "one name a role");

struct variant {
	enum variant_role role;
	char feature[64]; /* in words, "network namespace"; empty for the whole */
};

struct result_driver {
	struct driver_spec spec;
	unsigned caps; /* enum driver_caps */
	struct driver_info info;
	struct variant variant;
};

/* A driver that was planned and could not run here: a result says so, it does not keep silent. */
struct left_out {
	char label[64];
	char reason[480];
};

/* How the run was laid out. */
struct run_plan {
	uint32_t n;      /* blocks that count */
	uint32_t warmup; /* blocks before them */
	uint64_t seed;
	int64_t timeout_ns;   /* a start that takes longer is censored */
	int64_t memory_bytes; /* limit of every instance */
	int vcpus;
	char cpuset_measure[64];  /* CPUs of the measuring process, list format; empty: not bound */
	char cpuset_instance[64]; /* CPUs of every instance */
};

/* The machine and the programs (results/environment.h fills it). Unknown strings are empty, unknown numbers -1. */
struct environment {
	char kernel[128], architecture[32], os[128], cpu_model[128];
	int packages, cores, threads, numa_nodes;
	int64_t memory_bytes;
	char governor[32], smt[32];
	char cgroup_mode[16]; /* v1, hybrid, v2, none */
	char cgroup_controllers[256];
	char hypervisor[64]; /* "none", or who virtualises this host */
	char thp[32];
	int ksm; /* 1 on, 0 off, -1 unknown */
	char clocksource[32];
	char libc[64], bench_version[64], compiler[128], build_type[32];
	char agent_sha256[65];
	int64_t agent_bytes;
	bool privileged; /* ran as root */
};

struct result {
	char experiment[32];
	char *command_line;  /* heap */
	char started_at[40]; /* ISO 8601, UTC */
	int64_t duration_ns;
	bool interrupted; /* ended before its plan was done */
	struct run_plan plan;
	struct environment environment;
	struct result_driver *drivers; /* heap */
	size_t n_drivers;
	struct block *blocks; /* heap */
	size_t n_blocks;
	struct sample *samples; /* heap */
	size_t n_samples;
	struct step_times *steps; /* heap; samples refer to them */
	size_t n_steps;
	struct left_out left_out[RESULT_LEFT_OUT_MAX];
	size_t n_left_out;
};

/* Steps of a sample, or NULL. */
static inline const struct step_times *result_steps(const struct result *result, const struct sample *sample)
{
	return sample->steps > 0 && sample->steps <= result->n_steps ? &result->steps[sample->steps - 1] : NULL;
}
