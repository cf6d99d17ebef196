/* Results made up in memory for the unit tests of results/: two or more drivers in complete blocks, with declared durations. */
#pragma once

#include <results/result_io.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void fixture_driver(struct result *result, const char *name, const char *label)
{
	struct result_driver *driver;

	result->drivers = reallocarray(result->drivers, result->n_drivers + 1, sizeof(*result->drivers));
	driver = &result->drivers[result->n_drivers++];
	*driver = (struct result_driver){0};
	snprintf(driver->spec.name, sizeof(driver->spec.name), "%s", name);
	snprintf(driver->spec.label, sizeof(driver->spec.label), "%s", label);
}

static inline void fixture_left_out(struct result *result, const char *label, const char *reason)
{
	struct left_out *left_out = &result->left_out[result->n_left_out++];

	snprintf(left_out->label, sizeof(left_out->label), "%s", label);
	snprintf(left_out->reason, sizeof(left_out->reason), "%s", reason);
}

/* A run of `n_blocks` empty blocks with the given drivers. */
static inline struct result fixture_result(const char *const drivers[], size_t n_drivers, uint32_t n_blocks)
{
	struct result result = {.experiment = "startup", .started_at = "2026-01-02T03:04:05Z", .duration_ns = 1000000000};

	result.command_line = strdup("bench run startup");
	result.plan = (struct run_plan){.n = n_blocks, .seed = 42, .timeout_ns = 30000000000, .memory_bytes = 268435456, .vcpus = 1};
	snprintf(result.environment.kernel, sizeof(result.environment.kernel), "6.1.0");
	for (size_t i = 0; i < n_drivers; i++)
		fixture_driver(&result, drivers[i], drivers[i]);
	for (uint32_t i = 0; i < n_blocks; i++) {
		struct block block = {.start_ns = 1000000000 + i, .duration_ns = 5000000, .disturbance = {-1, -1, -1, -1, -1, -1, 1000}};

		result_add_block(&result, &block, NULL);
	}
	return result;
}

/* Adds one ready start: T0 -> T1 a tenth, T1 -> T6 the rest of total_ns, and 1,000 ns to stop. Returns it. */
static inline struct sample *fixture_sample(struct result *result, uint32_t driver, uint32_t block, int64_t total_ns)
{
	struct sample sample = {.driver = driver, .block = block, .position = driver, .footprint = FOOTPRINT_NONE};
	int64_t request_ns = 1000000000 + (int64_t)block * 1000000;

	timeline_mark_at(&sample.timeline, MARK_REQUEST, request_ns);
	timeline_mark_at(&sample.timeline, MARK_LAUNCHED, request_ns + total_ns / 10);
	timeline_mark_at(&sample.timeline, MARK_READY, request_ns + total_ns);
	timeline_mark_at(&sample.timeline, MARK_STOP, request_ns + total_ns + 500);
	timeline_mark_at(&sample.timeline, MARK_GONE, request_ns + total_ns + 1500);
	result_add_sample(result, &sample, NULL);
	return &result->samples[result->n_samples - 1];
}

/* Turns a sample into one that was not ready in time: it saw T1 and no more. */
static inline void fixture_censor(struct sample *sample)
{
	sample->status = SAMPLE_CENSORED;
	sample->timeline.present = 1u << MARK_REQUEST | 1u << MARK_LAUNCHED | 1u << MARK_STOP | 1u << MARK_GONE;
	snprintf(sample->reason, sizeof(sample->reason), "not ready within 30 s");
}
