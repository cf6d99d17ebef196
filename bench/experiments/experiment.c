/* What all experiments share. */
#include "experiment.h"

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

/* One run of one experiment. */
struct session {
	const struct experiment *experiment;
	const struct experiment_options *options;
	const struct experiment_observer *observer;
	struct result *result;
	struct sample_journal *journal;
};

/* ---- what comes from the run ---- */

static void on_note(void *arg, const char *label, const char *text)
{
	struct session *session = arg;

	session->observer->note(session->observer->arg, label, text);
}

static void on_progress(void *arg, const char *label, uint32_t done, uint32_t total)
{
	struct session *session = arg;

	session->observer->progress(session->observer->arg, label, done, total);
}

static int on_sample(void *arg, const struct sample *sample, const struct step_times *steps, struct error *err)
{
	struct session *session = arg;
	struct sample own = *sample;
	int rc = 0;

	own.steps = 0;
	if (steps->present)
		rc = result_add_steps(session->result, steps, &own.steps, err);
	if (rc == 0)
		rc = result_add_sample(session->result, &own, err);
	return rc < 0 ? rc : sample_journal_sample(session->journal, &own, own.steps ? steps : NULL, err);
}

static int on_block(void *arg, const struct block *block, struct error *err)
{
	struct session *session = arg;
	int rc = result_add_block(session->result, block, err);

	return rc < 0 ? rc : sample_journal_block(session->journal, block, err);
}

static void on_replaced(void *arg, uint32_t block)
{
	struct session *session = arg;

	session->result->blocks[block].replaced = true;
}

static void leave_out(struct session *session, const char *label, const char *reason)
{
	struct result *result = session->result;
	char note[600];

	snprintf(note, sizeof(note), "left out: %s", reason);
	session->observer->note(session->observer->arg, label, note);
	if (result->n_left_out == RESULT_LEFT_OUT_MAX)
		return;
	struct left_out *left_out = &result->left_out[result->n_left_out++];
	snprintf(left_out->label, sizeof(left_out->label), "%s", label);
	snprintf(left_out->reason, sizeof(left_out->reason), "%s", reason);
}

static void on_dropped(void *arg, size_t driver, const char *reason)
{
	struct session *session = arg;

	leave_out(session, session->result->drivers[driver].spec.label, reason);
}

/* ---- before the first block ---- */

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

static bool is_null(const struct driver_spec *spec)
{
	return strcmp(spec->name, "null") == 0;
}

/* A variant that is the whole by another name would be measured for nothing, and its cost mistaken for a finding. */
static bool is_same(const struct session *session, const struct entrant *entrant, const struct driver_info *info, char *ret_reason,
		    size_t size)
{
	const struct result *result = session->result;
	const char *own = entrant->differs_in[0] ? driver_info_get(info, entrant->differs_in) : NULL;

	for (size_t d = 0; own && d < result->n_drivers; d++) {
		const char *whole = driver_info_get(&result->drivers[d].info, entrant->differs_in);

		if (result->drivers[d].variant.role != VARIANT_WHOLE || !whole || strcmp(whole, own) != 0)
			continue;
		snprintf(ret_reason, size, "changes nothing here: %s of '%s' is '%.200s' as well", entrant->differs_in,
			 result->drivers[d].spec.label, whole);
		return true;
	}
	return false;
}

/* 0 when it takes part or was left out. */
static int open_entrant(struct session *session, struct run *run, const struct entrant *entrant, struct error *err)
{
	struct result *result = session->result;
	struct result_driver *driver = &result->drivers[result->n_drivers];
	struct error why = {0};
	char reason[800];

	*driver = (struct result_driver){.spec = entrant->spec, .caps = driver_find(entrant->spec.name)->caps, .variant = entrant->variant};
	int rc = run_open_driver(run, &entrant->spec, entrant->may_leave_out, &driver->info, &why);
	if (rc >= 0 && is_same(session, entrant, &driver->info, reason, sizeof(reason))) {
		run_close_driver(run);
		leave_out(session, entrant->spec.label, reason);
		return 0;
	}
	if (rc >= 0) {
		result->n_drivers++;
		return 0;
	}
	if (rc == -EINTR || !entrant->may_leave_out) {
		if (err)
			*err = why;
		return rc == -EINTR ? rc : error_prefix(err, "%s", entrant->spec.label);
	}
	snprintf(reason, sizeof(reason), "%s%s%s", why.message, why.hint[0] ? "; " : "", why.hint);
	leave_out(session, entrant->spec.label, reason);
	return 0;
}

/* The floor belongs to every result, first of all; then the entrants in their order. */
static int open_entrants(struct session *session, struct run *run, struct error *err)
{
	static const struct entrant floor = {.spec = {.name = "null", .label = "null"}};
	const struct experiment *experiment = session->experiment;
	struct result *result = session->result;
	bool has_null = false, has_real = false;
	int rc = 0;

	result->drivers = calloc(experiment->n_entrants + 1, sizeof(*result->drivers));
	if (!result->drivers)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < experiment->n_left_out; i++)
		leave_out(session, experiment->left_out[i].label, experiment->left_out[i].reason);
	for (size_t i = 0; i < experiment->n_entrants; i++)
		has_null |= is_null(&experiment->entrants[i].spec);
	if (!has_null)
		rc = open_entrant(session, run, &floor, err);
	for (size_t i = 0; i < experiment->n_entrants && rc == 0; i++)
		rc = open_entrant(session, run, &experiment->entrants[i], err);
	for (size_t d = 0; d < result->n_drivers; d++)
		has_real |= !is_null(&result->drivers[d].spec);
	if (rc == 0 && !has_real)
		rc = error_set(err, ENODEV, "no driver can run here; see 'bench doctor'");
	return rc;
}

static void stamp_start(struct result *result)
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(result->started_at, sizeof(result->started_at), "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static int measure(struct session *session, struct run *run, struct error *err)
{
	int rc = describe_environment(session->result, session->options->agent_path, err);

	if (rc == 0)
		rc = open_entrants(session, run, err);
	if (rc == 0)
		rc = sample_journal_open(session->options->journal_path, session->result, &session->journal, err);
	if (rc == 0)
		rc = run_blocks(run, err);
	sample_journal_close(session->journal);
	return rc;
}

int experiment_run(const struct experiment *experiment, const struct experiment_options *options,
		   const struct experiment_observer *observer, struct result *ret, struct error *err)
{
	struct session session = {.experiment = experiment, .options = options, .observer = observer, .result = ret};
	struct run_observer run_observer = {&session, on_note, on_progress, on_sample, on_block, on_replaced, on_dropped};
	struct run_setup setup = {
		.plan = &ret->plan, .agent_path = options->agent_path, .observer = &run_observer, .record_steps = experiment->record_steps};
	int64_t start_ns = clock_now_ns();
	struct run *run = NULL;

	*ret = (struct result){.plan = options->plan, .command_line = strdup(options->command_line)};
	snprintf(ret->experiment, sizeof(ret->experiment), "%s", experiment->name);
	stamp_start(ret);
	if (!ret->command_line)
		return error_set(err, ENOMEM, "out of memory");
	int rc = run_begin(&setup, &run, err);
	if (rc == 0)
		rc = measure(&session, run, err);
	ret->interrupted = rc < 0;
	struct error end_error = {0};
	int end_rc = run_end(run, &end_error);
	if (rc == 0 && end_rc < 0 && err)
		*err = end_error;
	else if (end_rc < 0)
		error_hint(err, "what is left goes with 'bench clean', once that is mended: %.180s", end_error.message);
	ret->duration_ns = clock_now_ns() - start_ns;
	return rc < 0 ? rc : end_rc;
}
