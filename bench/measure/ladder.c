#include "ladder.h"

#include "agent_client.h"
#include "footprint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The work that every instance proves it can do, after it is ready and outside all intervals: a few microseconds natively. */
enum { VERIFY_OPS = 1000, VERIFY_TIMEOUT_S = 30, MEMORY_TIMEOUT_S = 5 };

bool ladder_phases_agree(const struct timeline *timeline)
{
	int64_t sum_ns = 0, previous_ns = timeline->at_ns[MARK_REQUEST];

	if (!timeline_has(timeline, MARK_READY))
		return true;
	for (int mark = MARK_LAUNCHED; mark <= MARK_READY; mark++) {
		if (!timeline_has(timeline, mark))
			continue;
		sum_ns += llabs(timeline->at_ns[mark] - previous_ns);
		previous_ns = timeline->at_ns[mark];
	}
	int64_t total_ns = timeline_span_ns(timeline, MARK_REQUEST, MARK_READY);
	int64_t off_ns = llabs(sum_ns - total_ns);
	return off_ns <= 20000 || off_ns * 100 <= total_ns;
}

/* From the started instance to T6. */
static int question(const struct driver *driver, struct agent_client *client, struct instance *instance, struct timeline *timeline,
		    struct error *err)
{
	int rc = 0;

	if (!instance->has_greeted)
		rc = agent_client_hello(client, driver->caps & DRIVER_SAME_KERNEL, instance->deadline_ns, timeline, err);
	instance->runtime_ns = client->runtime_ns;
	if (rc == 0)
		rc = agent_client_ping(client, instance->deadline_ns, err);
	if (rc == 0)
		timeline_mark(timeline, MARK_READY);
	return rc;
}

/* A start that failed: too late is censored, anything else failed; the driver may know why. */
static void record_failure(const struct driver *driver, void *state, const struct instance *instance, int rc, struct sample *sample,
			   struct error *err)
{
	char why[256] = "";

	if (driver->diagnose)
		driver->diagnose(state, instance, why, sizeof(why));
	bool too_late = rc == -ETIMEDOUT && !timeline_has(&sample->timeline, MARK_READY);
	if (why[0] && too_late)
		error_set(err, ETIMEDOUT, "not ready in time; last sign of it: %s", why);
	else if (why[0])
		error_set(err, -rc, "%s", why);
	sample->status = too_late ? SAMPLE_CENSORED : SAMPLE_FAILED;
	snprintf(sample->reason, sizeof(sample->reason), "%s", err->message);
}

/* What the host sees; of a guest also what it sees itself. What nobody tells stays unknown. */
static void weigh(const struct driver *driver, void *state, struct agent_client *client, const struct instance *instance,
		  struct footprint *ret)
{
	int64_t total, available;

	footprint_read("", instance, ret);
	if (driver->footprint)
		driver->footprint(state, instance, ret, NULL);
	if ((driver->caps & DRIVER_NO_AGENT) || !(driver->caps & DRIVER_IS_GUEST))
		return;
	if (agent_client_memory(client, clock_now_ns() + MEMORY_TIMEOUT_S * INT64_C(1000000000), &total, &available, NULL) < 0)
		return;
	ret->guest.total_bytes = total;
	ret->guest.used_bytes = total - available;
}

int ladder_climb(const struct driver *driver, void *state, const char *id, int64_t timeout_ns, struct sample *ret, struct step_times *steps,
		 struct error *err)
{
	struct sample sample = {.status = SAMPLE_OK, .footprint = FOOTPRINT_NONE};
	struct timeline *timeline = &sample.timeline;
	struct instance instance = INSTANCE_NONE;
	struct agent_client client = {.instance = &instance};
	bool has_agent = !(driver->caps & DRIVER_NO_AGENT), is_virtual = driver->caps & DRIVER_VIRTUAL_CLOCK;

	snprintf(instance.id, sizeof(instance.id), "%s", id);
	instance.steps = steps;
	timeline_mark_at(timeline, MARK_REQUEST, is_virtual ? 0 : clock_now_ns());
	instance.deadline_ns = timeline->at_ns[MARK_REQUEST] + timeout_ns;
	int rc = driver->start(state, &instance, timeline, err);
	if (rc == 0 && has_agent)
		rc = question(driver, &client, &instance, timeline, err);
	if (driver->observe)
		driver->observe(state, &instance, timeline);
	if (rc == 0 && has_agent)
		rc = agent_client_verify(&client, VERIFY_OPS, (uint64_t)timeline->at_ns[MARK_REQUEST],
					 clock_now_ns() + VERIFY_TIMEOUT_S * INT64_C(1000000000), err);
	if (rc == 0) {
		weigh(driver, state, &client, &instance, &sample.footprint);
	} else {
		record_failure(driver, state, &instance, rc, &sample, err);
	}

	if (!is_virtual)
		timeline_mark(timeline, MARK_STOP);
	struct error stop_error = {0};
	int stop_rc = driver->stop(state, &instance, &stop_error);
	if (!is_virtual)
		timeline_mark(timeline, MARK_GONE);
	if (driver->between)
		driver->between(state);
	sample.phases_disagree = !ladder_phases_agree(timeline);
	*ret = sample;
	if (stop_rc < 0 && err)
		*err = stop_error;
	return stop_rc;
}
