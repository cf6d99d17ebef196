#include "startup.h"

#include <bench/cleanup.h>

#include <drivers/registry.h>
#include <measure/run.h>
#include <measure/topology.h>
#include <results/environment.h>
#include <results/result_io.h>
#include <results/sample_journal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct startup {
	const struct startup_options *options;
	const struct startup_observer *observer;
	struct result *result;
	struct sample_journal *journal;
};

static void on_note(void *arg, const char *label, const char *text)
{
	struct startup *startup = arg;

	startup->observer->note(startup->observer->arg, label, text);
}

static void on_progress(void *arg, const char *label, uint32_t done, uint32_t total)
{
	struct startup *startup = arg;

	startup->observer->progress(startup->observer->arg, label, done, total);
}

static int on_sample(void *arg, const struct sample *sample, struct error *err)
{
	struct startup *startup = arg;
	int rc = result_add_sample(startup->result, sample, err);

	return rc < 0 ? rc : sample_journal_sample(startup->journal, sample, err);
}

static int on_block(void *arg, const struct block *block, struct error *err)
{
	struct startup *startup = arg;
	int rc = result_add_block(startup->result, block, err);

	return rc < 0 ? rc : sample_journal_block(startup->journal, block, err);
}

static void on_replaced(void *arg, uint32_t block)
{
	struct startup *startup = arg;

	startup->result->blocks[block].replaced = true;
}

static void leave_out(struct startup *startup, const char *label, const char *reason)
{
	struct result *result = startup->result;
	char note[600];

	snprintf(note, sizeof(note), "left out: %s", reason);
	startup->observer->note(startup->observer->arg, label, note);
	if (result->n_left_out == RESULT_LEFT_OUT_MAX)
		return;
	struct left_out *left_out = &result->left_out[result->n_left_out++];
	snprintf(left_out->label, sizeof(left_out->label), "%s", label);
	snprintf(left_out->reason, sizeof(left_out->reason), "%s", reason);
}

static void on_dropped(void *arg, size_t driver, const char *reason)
{
	struct startup *startup = arg;

	leave_out(startup, startup->result->drivers[driver].spec.label, reason);
}

static int describe_environment(struct result *result, const char *agent_path, struct error *err)
{
	struct environment *environment = &result->environment;
	int rc = environment_read("", environment, err);

	if (rc == 0)
		rc = topology_choose(&result->plan, environment, err);
	if (rc == 0)
		rc = file_sha256(agent_path, environment->agent_sha256, &environment->agent_bytes, err);
	snprintf(environment->bench_version, sizeof(environment->bench_version), "%s", BENCH_VERSION);
	snprintf(environment->compiler, sizeof(environment->compiler), "%s %s", BENCH_COMPILER, __VERSION__);
	snprintf(environment->build_type, sizeof(environment->build_type), "%s", BENCH_BUILD_TYPE);
	return rc;
}

/* Drivers asked for, and null in front when nobody asked for it: the floor belongs to every result. */
static size_t complete_drivers(const struct startup_options *options, struct driver_spec *ret)
{
	size_t count = 0;
	bool has_null = false;

	for (size_t i = 0; i < options->n_drivers; i++)
		has_null |= strcmp(options->drivers[i].name, "null") == 0;
	if (!has_null)
		ret[count++] = (struct driver_spec){.name = "null", .label = "null"};
	memcpy(ret + count, options->drivers, options->n_drivers * sizeof(ret[0]));
	return count + options->n_drivers;
}

static int open_drivers(struct startup *startup, struct run *run, struct error *err)
{
	const struct startup_options *options = startup->options;
	_cleanup_free_ struct driver_spec *specs = calloc(options->n_drivers + 1, sizeof(*specs));

	startup->result->drivers = calloc(options->n_drivers + 1, sizeof(*startup->result->drivers));
	if (!specs || !startup->result->drivers)
		return error_set(err, ENOMEM, "out of memory");
	size_t count = complete_drivers(options, specs), real = 0;
	for (size_t i = 0; i < count; i++) {
		struct result_driver *driver = &startup->result->drivers[startup->result->n_drivers];
		struct error why = {0};

		*driver = (struct result_driver){.spec = specs[i], .caps = driver_find(specs[i].name)->caps};
		int rc = run_open_driver(run, &specs[i], &driver->info, &why);
		if (rc >= 0) {
			startup->result->n_drivers++;
			real += strcmp(specs[i].name, "null") != 0;
			continue;
		}
		if (rc == -EINTR || !options->may_leave_out) {
			if (err)
				*err = why;
			return rc == -EINTR ? rc : error_prefix(err, "%s", specs[i].label);
		}
		char reason[800];
		snprintf(reason, sizeof(reason), "%s%s%s", why.message, why.hint[0] ? "; " : "", why.hint);
		leave_out(startup, specs[i].label, reason);
	}
	return real > 0 ? 0 : error_set(err, ENODEV, "no driver can run here; see 'bench doctor'");
}

static void stamp_start(struct result *result)
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(result->started_at, sizeof(result->started_at), "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static int measure(struct startup *startup, struct run *run, struct error *err)
{
	int rc = describe_environment(startup->result, startup->options->agent_path, err);

	if (rc == 0)
		rc = open_drivers(startup, run, err);
	if (rc == 0)
		rc = sample_journal_open(startup->options->journal_path, startup->result, &startup->journal, err);
	if (rc == 0)
		rc = run_blocks(run, err);
	sample_journal_close(startup->journal);
	return rc;
}

int startup_run(const struct startup_options *options, const struct startup_observer *observer, struct result *ret, struct error *err)
{
	struct startup startup = {.options = options, .observer = observer, .result = ret};
	struct run_observer run_observer = {&startup, on_note, on_progress, on_sample, on_block, on_replaced, on_dropped};
	struct run_setup setup = {
		.plan = &ret->plan, .agent_path = options->agent_path, .observer = &run_observer, .may_drop = options->may_leave_out};
	int64_t start_ns = clock_now_ns();
	struct run *run = NULL;

	*ret = (struct result){.experiment = "startup", .plan = options->plan, .command_line = strdup(options->command_line)};
	stamp_start(ret);
	if (!ret->command_line)
		return error_set(err, ENOMEM, "out of memory");
	int rc = run_begin(&setup, &run, err);
	if (rc == 0)
		rc = measure(&startup, run, err);
	ret->interrupted = rc < 0;
	struct error end_error = {0};
	int end_rc = run_end(run, &end_error);
	if (rc == 0 && end_rc < 0 && err)
		*err = end_error;
	ret->duration_ns = clock_now_ns() - start_ns;
	return rc < 0 ? rc : end_rc;
}
