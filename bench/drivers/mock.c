/* mock: plays declared durations on a virtual clock, so that plan, statistics, JSON and charts can be tested to the bit.
 * "mock:ready=5ms,jitter=10,fail=7" reports marks at those times after the request; every 7th start fails. */
#include "mock_steps.h"

#include <bench/cleanup.h>
#include <bench/driver.h>

#include <base/units.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct driver_option options[] = {
	{"launched", "TIME", "T1 after the request (absent by default)"},
	{"sandbox", "TIME", "T2 after the request (absent by default)"},
	{"init", "TIME", "T4 after the request (absent by default)"},
	{"main", "TIME", "T5 after the request (absent by default)"},
	{"ready", "TIME", "T6 after the request (default 1ms)"},
	{"gone", "TIME", "T7 after the stop (default 100us)"},
	{"steps", "LIST", "steps of a start, e.g. 'clone@parent:0us-100us;mount@child:100us-250us' after the request (default: none)"},
	{"jitter", "PERCENT", "every duration is stretched by up to so much, by a fixed sequence (default 0)"},
	{"fail", "K", "every K-th start fails (default: none)"},
	{"hang", "K", "every K-th start is never ready (default: none)"},
	{"die", "K", "at the K-th start the worker process is killed (default: never)"},
	{NULL, NULL, NULL},
};

struct mock {
	int64_t at_ns[MARK_COUNT]; /* after the request; -1: absent */
	int64_t jitter_percent, fail_every, hang_every, die_at;
	int64_t starts;
	struct step_times steps; /* after the request */
};

static void mock_probe(const struct driver_config *config, struct probe *ret)
{
	*ret = (struct probe){.verdict = PROBE_YES};
	snprintf(ret->reason, sizeof(ret->reason), "plays declared durations; for tests");
}

static int read_durations(const struct driver_spec *spec, struct mock *mock, struct error *err)
{
	static const struct {
		const char *key;
		enum mark mark;
		int64_t fallback_ns;
	} marks[] = {{"launched", MARK_LAUNCHED, -1}, {"sandbox", MARK_SANDBOX, -1},  {"init", MARK_INIT, -1},
		     {"main", MARK_MAIN, -1},         {"ready", MARK_READY, 1000000}, {"gone", MARK_GONE, 100000}};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const char *text = driver_option(spec, marks[i].key, NULL);
		int rc = 0;

		mock->at_ns[marks[i].mark] = marks[i].fallback_ns;
		if (text)
			rc = parse_duration_ns(text, &mock->at_ns[marks[i].mark], err);
		if (rc < 0)
			return error_prefix(err, "driver 'mock': option '%s'", marks[i].key);
	}
	return 0;
}

static int mock_open(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err)
{
	_cleanup_free_ struct mock *mock = calloc(1, sizeof(*mock));

	if (!mock)
		return error_set(err, ENOMEM, "out of memory");
	for (int i = 0; i < MARK_COUNT; i++)
		mock->at_ns[i] = -1;
	int rc = read_durations(config->spec, mock, err);
	if (rc == 0)
		rc = parse_integer("jitter", driver_option(config->spec, "jitter", "0"), 0, 1000, &mock->jitter_percent, err);
	if (rc == 0)
		rc = parse_integer("fail", driver_option(config->spec, "fail", "0"), 0, INT64_MAX, &mock->fail_every, err);
	if (rc == 0)
		rc = parse_integer("hang", driver_option(config->spec, "hang", "0"), 0, INT64_MAX, &mock->hang_every, err);
	if (rc == 0)
		rc = parse_integer("die", driver_option(config->spec, "die", "0"), 0, INT64_MAX, &mock->die_at, err);
	if (rc == 0 && config->record_steps && driver_option(config->spec, "steps", NULL))
		rc = mock_steps_parse(driver_option(config->spec, "steps", NULL), ret_info, &mock->steps, err);
	if (rc < 0)
		return rc;
	driver_info_set(ret_info, "meaning", "declared durations, nothing measured");
	*ret_state = take_ptr(mock);
	return 0;
}

/* A fixed sequence in [0, jitter]: the k-th start of a mock is the same in every run (van der Corput, base 2). */
static double stretch(const struct mock *mock)
{
	double value = 0, digit = 0.5;

	for (uint64_t k = (uint64_t)mock->starts; k > 0; k >>= 1, digit /= 2)
		value += (double)(k & 1) * digit;
	return 1 + value * (double)mock->jitter_percent / 100;
}

static void play_steps(const struct mock *mock, struct step_times *ret)
{
	for (size_t i = 0; i < STEPS_MAX; i++)
		if (step_times_has(&mock->steps, i))
			step_times_set(ret, i, (int64_t)((double)mock->steps.at[i].begin_ns * stretch(mock)),
				       (int64_t)((double)mock->steps.at[i].end_ns * stretch(mock)));
}

static int mock_start(void *state, struct instance *instance, struct timeline *timeline, struct error *err)
{
	struct mock *mock = state;

	mock->starts++;
	if (mock->die_at && mock->starts == mock->die_at)
		kill(getpid(), SIGKILL);
	if (mock->fail_every && mock->starts % mock->fail_every == 0)
		return error_set(err, EIO, "start %lld fails as declared", (long long)mock->starts);
	if (mock->hang_every && mock->starts % mock->hang_every == 0)
		return error_set(err, ETIMEDOUT, "start %lld hangs as declared", (long long)mock->starts);
	for (int mark = MARK_LAUNCHED; mark <= MARK_READY; mark++)
		if (mock->at_ns[mark] >= 0)
			timeline_mark_at(timeline, mark, (int64_t)((double)mock->at_ns[mark] * stretch(mock)));
	if (instance->steps)
		play_steps(mock, instance->steps);
	timeline_mark_at(timeline, MARK_STOP, timeline->at_ns[MARK_READY]);
	timeline_mark_at(timeline, MARK_GONE, timeline->at_ns[MARK_STOP] + mock->at_ns[MARK_GONE]);
	return 0;
}

static int mock_stop(void *state, struct instance *instance, struct error *err)
{
	return 0;
}

static void mock_close(void *state)
{
	free(state);
}

const struct driver mock_driver = {
	.name = "mock",
	.summary = "declared durations on a virtual clock, for tests",
	.options = options,
	.caps = DRIVER_NO_AGENT | DRIVER_VIRTUAL_CLOCK,
	.probe = mock_probe,
	.open = mock_open,
	.start = mock_start,
	.stop = mock_stop,
	.close = mock_close,
};
