/* The blocks of a run: order, samples, disturbance, repetition of what was spoilt. */
#include "run_state.h"

#include "plan.h"
#include "quality.h"

#include <bench/cleanup.h>

#include <drivers/registry.h>
#include <drivers/spawn.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	STOP_GRACE_S = 60, /* beyond the sample's own limit, for stopping and verifying */
	FAILED_IN_A_ROW = 5,
	CENSORED_AT_FIRST = 3,
};

/* A worker that died takes one sample with it, not the run: give the driver a new one. */
static int replace_worker(struct run *run, size_t index, struct error *err)
{
	static const char *const same[] = {"accelerator", "machine", "kernel"};
	struct driver_info info = {0};
	int rc = run_open_slot(run, index, &info, err);

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]) && rc == 0; i++) {
		const char *before = driver_info_get(&run->slots[index].info, same[i]), *now = driver_info_get(&info, same[i]);

		/* Samples of two kinds under one label would be worse than none. */
		if (before && now && strcmp(before, now) != 0)
			return error_set(err, ESTALE, "after its worker died, its %s is '%s' instead of '%s'", same[i], now, before);
	}
	return rc;
}

static int one_sample(struct run *run, size_t index, struct worker_reply *reply, struct error *err)
{
	struct slot *slot = &run->slots[index];
	struct worker_request request = {.op = WORKER_SAMPLE, .sequence = slot->sequence++, .timeout_ns = run->setup.plan->timeout_ns};
	int rc = run_ask(run, index, &request, request.timeout_ns + STOP_GRACE_S * INT64_C(1000000000), reply, err);

	if (rc == 0) {
		if (err)
			*err = reply->error;
		return 0;
	}
	if (rc != -ECHILD)
		return rc;
	memset(&reply->sample, 0, sizeof(reply->sample));
	reply->steps.present = 0;
	reply->sample.status = SAMPLE_FAILED;
	reply->sample.footprint = FOOTPRINT_NONE;
	snprintf(reply->sample.reason, sizeof(reply->sample.reason), "%s", err->message);
	struct error again = {0};
	rc = replace_worker(run, index, &again);
	if (rc < 0)
		*err = again;
	return rc;
}

/* Why it makes no sense to go on with a driver, or NULL. */
static const char *hopeless(struct slot *slot, const struct sample *sample)
{
	bool failed = sample->status == SAMPLE_FAILED;

	slot->has_started |= sample->status == SAMPLE_OK;
	slot->failed_in_a_row = failed ? slot->failed_in_a_row + 1 : 0;
	if (sample->status == SAMPLE_CENSORED && !slot->has_started && ++slot->censored_at_first == CENSORED_AT_FIRST)
		return "was not ready in time in any of its first starts";
	if (failed && !slot->has_started)
		return "";
	return slot->failed_in_a_row == FAILED_IN_A_ROW ? "failed again and again" : NULL;
}

/* Drops a driver that cannot start, or ends the run when its drivers were asked for by name. */
static int judge(struct run *run, size_t index, const struct sample *sample, struct error *err)
{
	struct slot *slot = &run->slots[index];
	const char *why = hopeless(slot, sample);

	if (!why)
		return 0;
	if (slot->may_drop && !slot->has_started) {
		slot->dropped = true;
		run->setup.observer->dropped(run->setup.observer->arg, index, sample->reason);
		return 0;
	}
	if (!err->code)
		error_set(err, EIO, "%s", sample->reason);
	error_prefix(err, *why ? "%s: %s" : "%s", slot->spec.label, why);
	return -err->code;
}

/* One start, its sample handed on and judged. */
static int start_one(struct run *run, size_t index, uint32_t position, bool warmup, struct worker_reply *reply, struct error *err)
{
	const struct run_observer *observer = run->setup.observer;
	struct error sample_error = {0};
	int rc = one_sample(run, index, reply, &sample_error);

	if (rc < 0) {
		if (err)
			*err = sample_error;
		return rc == -EINTR ? rc : error_prefix(err, "%s", run->slots[index].spec.label);
	}
	struct sample sample = reply->sample;
	sample.driver = (uint32_t)index;
	sample.block = run->n_blocks;
	sample.position = position;
	sample.warmup = warmup;
	run->done++;
	rc = observer->sample(observer->arg, &sample, &reply->steps, err);
	if (rc == 0)
		rc = judge(run, index, &sample, &sample_error);
	if (rc < 0 && sample_error.code && err)
		*err = sample_error;
	return rc;
}

/* Has every driver but null been dropped? */
static bool nothing_left(const struct run *run)
{
	for (size_t i = 0; i < run->n_slots; i++)
		if (!run->slots[i].dropped && strcmp(run->slots[i].spec.name, "null") != 0)
			return false;
	return true;
}

static int run_drivers(struct run *run, const uint32_t *order, uint32_t total, bool warmup, struct error *err)
{
	const struct run_observer *observer = run->setup.observer;
	_cleanup_free_ struct worker_reply *reply = calloc(1, sizeof(*reply));
	int rc = reply ? 0 : error_set(err, ENOMEM, "out of memory");

	for (uint32_t position = 0; position < run->n_slots && rc == 0; position++) {
		uint32_t index = order[position];

		if (run->slots[index].dropped)
			continue;
		if (observer->progress)
			observer->progress(observer->arg, run->slots[index].spec.label, run->done, total);
		rc = start_one(run, index, position, warmup, reply, err);
	}
	if (rc == 0 && nothing_left(run))
		return error_set(err, ENODEV, "no driver can start an instance here; see 'bench doctor'");
	return rc;
}

static int compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Median of the control loop in the blocks so far; 0 until there are five. */
static int64_t usual_spin(const struct run *run)
{
	int64_t sorted[SPIN_HISTORY];
	size_t count = run->n_spins < SPIN_HISTORY ? run->n_spins : SPIN_HISTORY;

	if (count < 5)
		return 0;
	memcpy(sorted, run->spins, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), compare_ns);
	return sorted[count / 2];
}

/* Does nothing run here but declared durations? Those no disturbance can spoil. */
static bool is_virtual(const struct run *run)
{
	for (size_t i = 0; i < run->n_slots; i++) {
		const struct driver *driver = driver_find(run->slots[i].spec.name);

		if (!(driver->caps & DRIVER_VIRTUAL_CLOCK) && strcmp(driver->name, "null") != 0)
			return false;
	}
	return true;
}

/* One block. A block that was interrupted in the middle is still reported, with what it has. */
static int run_block(struct run *run, struct plan_shuffle *shuffle, uint32_t total, bool warmup, bool *ret_tainted, struct error *err)
{
	struct quality_reading before, after;
	struct block block = {.warmup = warmup};
	int64_t spin_ns = quality_spin_ns();

	quality_read("", &run->cpus, &before);
	int rc = run_drivers(run, plan_shuffle_next(shuffle), total, warmup, err);
	quality_read("", &run->cpus, &after);
	int64_t spin_after_ns = quality_spin_ns();
	if (spin_after_ns > spin_ns)
		spin_ns = spin_after_ns;
	block.start_ns = before.at_ns;
	block.duration_ns = after.at_ns - before.at_ns;
	quality_difference(&before, &after, spin_ns, &block.disturbance);
	block.tainted = !is_virtual(run) && quality_is_tainted(&block.disturbance, block.duration_ns, after.n_cpus, usual_spin(run),
							       block.taint_reason, sizeof(block.taint_reason));
	run->spins[run->n_spins++ % SPIN_HISTORY] = spin_ns;
	int block_rc = run->setup.observer->block(run->setup.observer->arg, &block, rc < 0 ? NULL : err);
	run->n_blocks++;
	*ret_tainted = block.tainted && !warmup;
	return rc < 0 ? rc : block_rc;
}

/* The measuring process sits where the control loop is to be trusted; steal is read of the CPUs that matter. */
static void bind_run(struct run *run)
{
	const struct run_plan *plan = run->setup.plan;
	cpu_set_t other;

	CPU_ZERO(&run->cpus);
	if (!plan->cpuset_measure[0] || spawn_parse_cpuset(plan->cpuset_instance, &run->cpus, NULL) < 0 ||
	    spawn_parse_cpuset(plan->cpuset_measure, &other, NULL) < 0)
		return;
	CPU_OR(&run->cpus, &run->cpus, &other);
	spawn_bind(plan->cpuset_measure);
}

int run_blocks(struct run *run, struct error *err)
{
	const struct run_plan *plan = run->setup.plan;
	struct plan_shuffle *shuffle = plan_shuffle_new(plan->seed, run->n_slots);
	uint32_t planned = plan->warmup + plan->n, spare = plan->n / 10;
	_cleanup_free_ uint32_t *tainted = calloc(planned + spare + 1, sizeof(*tainted));
	uint32_t n_tainted = 0, repeated = 0;
	bind_run(run);
	int rc = shuffle && tainted ? 0 : error_set(err, ENOMEM, "out of memory");

	for (uint32_t i = 0; i < planned && rc == 0; i++) {
		bool is_tainted = false;

		rc = run_block(run, shuffle, planned * (uint32_t)run->n_slots, i < plan->warmup, &is_tainted, err);
		if (is_tainted)
			tainted[n_tainted++] = run->n_blocks - 1;
	}
	/* Tainted blocks are run again, at most a tenth of the plan; one that is clean this time takes the place of the earliest. */
	for (uint32_t i = 0; i < n_tainted && i < spare && rc == 0; i++) {
		bool is_tainted = false;

		rc = run_block(run, shuffle, (planned + i + 1) * (uint32_t)run->n_slots, false, &is_tainted, err);
		if (rc == 0)
			run->setup.observer->replaced(run->setup.observer->arg, is_tainted ? run->n_blocks - 1 : tainted[repeated++]);
	}
	plan_shuffle_free(shuffle);
	return rc;
}
