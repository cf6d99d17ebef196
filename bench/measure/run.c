#include "run.h"

#include "plan.h"
#include "quality.h"
#include "supervisor.h"

#include <bench/cleanup.h>

#include <drivers/registry.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum {
	OPEN_TIMEOUT_S = 900, /* the first run may download and unpack a kernel */
	STOP_GRACE_S = 60,    /* beyond the sample's own limit, for stopping and verifying */
	CLOSE_TIMEOUT_S = 20,
	FAILURES_IN_A_ROW = 5,
	SPIN_HISTORY = 31,
};

struct slot {
	struct driver_spec spec;
	int fd; /* to its worker; -1: none */
	uint32_t sequence;
	uint32_t failures_in_a_row;
	bool has_started; /* one sample was ok */
};

struct run {
	struct run_setup setup;
	struct supervisor supervisor;
	sigset_t signals_before;
	int signal_fd;
	struct slot slots[RESULT_DRIVERS_MAX];
	size_t n_slots;
	uint32_t n_blocks, done;
	int64_t spins[SPIN_HISTORY]; /* of the last blocks, for the usual value */
	size_t n_spins;
};

/* ---- waiting: for a worker's answer, the end of a worker, a signal, the end of the supervisor, the end of patience ---- */

/* Waits until the supervisor has seen a worker end and has undone what it left. */
static int await_exit(struct run *run, size_t index, struct exit_notice *ret, struct error *err)
{
	for (;;) {
		struct pollfd pfd = {.fd = run->supervisor.socket_fd, .events = POLLIN};

		if (poll(&pfd, 1, STOP_GRACE_S * 1000) <= 0)
			return error_set(err, EIO, "its worker ended, and the supervisor is silent");
		int rc = supervisor_notice(&run->supervisor, ret);
		if (rc <= 0 && rc != -EAGAIN)
			return error_set(err, EOWNERDEAD, "the supervisor is gone");
		if (rc == 1 && ret->index == index)
			return 0;
	}
}

/* The worker's connection closed: fetch why. -ECHILD unless the supervisor is in trouble too. */
static int worker_lost(struct run *run, size_t index, struct error *err)
{
	struct exit_notice notice;

	close(take_fd(&run->slots[index].fd));
	int rc = await_exit(run, index, &notice, err);
	if (rc < 0)
		return rc;
	if (err && notice.error.code)
		*err = notice.error;
	else
		error_set(err, ECHILD, "its worker ended unexpectedly");
	return -ECHILD;
}

/* 0: the worker's socket is readable. -EINTR, -ETIMEDOUT, -EOWNERDEAD (supervisor gone). */
static int wait_for(struct run *run, int fd, int64_t deadline_ns, struct error *err)
{
	for (;;) {
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;
		struct pollfd pfd[] = {{.fd = fd, .events = POLLIN},
				       {.fd = run->signal_fd, .events = POLLIN},
				       {.fd = run->supervisor.socket_fd, .events = POLLRDHUP}};

		if (left_ms <= 0)
			return error_set(err, ETIMEDOUT, "its worker does not answer");
		if (poll(pfd, 3, left_ms < 60000 ? (int)left_ms : 60000) < 0 && errno != EINTR)
			return error_errno(err, "wait for a worker");
		if (pfd[1].revents)
			return error_set(err, EINTR, "interrupted");
		if (pfd[0].revents)
			return 0;
		if (pfd[2].revents & (POLLHUP | POLLRDHUP | POLLERR))
			return error_set(err, EOWNERDEAD, "the supervisor was killed");
	}
}

/* Sends a request and waits for its answer; notes on the way go to the observer. */
static int ask(struct run *run, size_t index, const struct worker_request *request, int64_t patience_ns, struct worker_reply *ret,
	       struct error *err)
{
	struct slot *slot = &run->slots[index];
	int64_t deadline_ns = clock_now_ns() + patience_ns;

	if (slot->fd < 0)
		return error_set(err, ECHILD, "it has no worker");
	if (message_send(slot->fd, request, sizeof(*request), -1) < 0)
		return worker_lost(run, index, err);
	for (;;) {
		int rc = wait_for(run, slot->fd, deadline_ns, err);

		if (rc < 0)
			return rc;
		if (message_receive(slot->fd, ret, sizeof(*ret), NULL) != 1)
			return worker_lost(run, index, err);
		if (ret->kind != REPLY_NOTE)
			return 0;
		if (run->setup.observer->note)
			run->setup.observer->note(run->setup.observer->arg, slot->spec.label, ret->note);
	}
}

/* ---- begin, open, end ---- */

int run_begin(const struct run_setup *setup, struct run **ret, struct error *err)
{
	_cleanup_free_ struct run *run = calloc(1, sizeof(*run));
	sigset_t ends;

	if (!run)
		return error_set(err, ENOMEM, "out of memory");
	run->setup = *setup;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	/* The supervisor first: it must not inherit these as blocked, and everything after it is undone by it. */
	int rc = supervisor_start(&run->supervisor, err);
	if (rc < 0)
		return rc;
	sigprocmask(SIG_BLOCK, &ends, &run->signals_before);
	run->signal_fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signal_fd < 0) {
		error_errno(err, "signalfd");
		supervisor_end(&run->supervisor, NULL);
		return -EIO;
	}
	*ret = take_ptr(run);
	return 0;
}

static int open_slot(struct run *run, size_t index, struct driver_info *ret_info, struct error *err)
{
	struct slot *slot = &run->slots[index];
	const struct run_plan *plan = run->setup.plan;
	_cleanup_free_ struct spawn_request *spawn = calloc(1, sizeof(*spawn));
	_cleanup_free_ struct worker_reply *reply = calloc(1, sizeof(*reply));

	if (!spawn || !reply)
		return error_set(err, ENOMEM, "out of memory");
	*spawn = (struct spawn_request){
		.index = (unsigned)index, .spec = slot->spec, .memory_bytes = plan->memory_bytes, .vcpus = plan->vcpus};
	snprintf(spawn->agent_path, sizeof(spawn->agent_path), "%s", run->setup.agent_path);
	snprintf(spawn->cpuset_measure, sizeof(spawn->cpuset_measure), "%s", plan->cpuset_measure);
	snprintf(spawn->cpuset_instance, sizeof(spawn->cpuset_instance), "%s", plan->cpuset_instance);
	int rc = supervisor_spawn(&run->supervisor, spawn, &slot->fd, err);
	if (rc == 0)
		rc = ask(run, index, &(struct worker_request){.op = WORKER_OPEN}, OPEN_TIMEOUT_S * INT64_C(1000000000), reply, err);
	if (rc < 0)
		return rc;
	if (reply->error.code) {
		if (err)
			*err = reply->error;
		return -reply->error.code;
	}
	*ret_info = reply->info;
	return 0;
}

static void close_slot(struct run *run, size_t index)
{
	struct slot *slot = &run->slots[index];
	_cleanup_free_ struct worker_reply *reply = calloc(1, sizeof(*reply));

	if (slot->fd < 0 || !reply)
		return;
	struct exit_notice notice;
	int rc = ask(run, index, &(struct worker_request){.op = WORKER_CLOSE}, CLOSE_TIMEOUT_S * INT64_C(1000000000), reply, NULL);
	if (slot->fd >= 0)
		close(take_fd(&slot->fd));
	if (rc == 0)
		await_exit(run, index, &notice, NULL);
}

int run_open_driver(struct run *run, const struct driver_spec *spec, struct driver_info *ret_info, struct error *err)
{
	size_t index = run->n_slots;

	if (index == RESULT_DRIVERS_MAX)
		return error_set(err, E2BIG, "more than %d drivers", RESULT_DRIVERS_MAX);
	run->slots[index] = (struct slot){.spec = *spec, .fd = -1};
	int rc = open_slot(run, index, ret_info, err);
	if (rc < 0) {
		if (rc != -EINTR)
			close_slot(run, index);
		return rc;
	}
	run->n_slots++;
	return (int)index;
}

int run_end(struct run *run, struct error *err)
{
	if (!run)
		return 0;
	/* In the middle of a sample (interrupted, timed out) a worker would not hear us: the supervisor ends it. A quiet one tidies up by itself. */
	struct pollfd pfd = {.fd = run->signal_fd, .events = POLLIN};
	bool interrupted = poll(&pfd, 1, 0) > 0;

	for (size_t i = 0; i < run->n_slots; i++)
		if (!interrupted)
			close_slot(run, i);
		else if (run->slots[i].fd >= 0)
			close(take_fd(&run->slots[i].fd));
	int rc = supervisor_end(&run->supervisor, err);
	close(run->signal_fd);
	if (!interrupted)
		sigprocmask(SIG_SETMASK, &run->signals_before, NULL);
	free(run);
	return rc;
}

const char *run_cache_dir(const struct run *run)
{
	return run->supervisor.run_dir.cache;
}

/* ---- blocks ---- */

/* A worker that died takes one sample with it, not the run: give the driver a new one. */
static int replace_worker(struct run *run, size_t index, struct error *err)
{
	struct driver_info info = {0};

	return open_slot(run, index, &info, err);
}

static int one_sample(struct run *run, size_t index, struct worker_reply *reply, struct error *err)
{
	struct slot *slot = &run->slots[index];
	struct worker_request request = {.op = WORKER_SAMPLE, .sequence = slot->sequence++, .timeout_ns = run->setup.plan->timeout_ns};
	int rc = ask(run, index, &request, request.timeout_ns + STOP_GRACE_S * INT64_C(1000000000), reply, err);

	if (rc == 0) {
		if (err)
			*err = reply->error;
		return 0;
	}
	if (rc != -ECHILD)
		return rc;
	memset(&reply->sample, 0, sizeof(reply->sample));
	reply->sample.status = SAMPLE_FAILED;
	reply->sample.footprint = FOOTPRINT_NONE;
	snprintf(reply->sample.reason, sizeof(reply->sample.reason), "%s", err->message);
	struct error again = {0};
	rc = replace_worker(run, index, &again);
	if (rc < 0)
		*err = again;
	return rc;
}

/* Ends the run when going on makes no sense. */
static int judge(struct slot *slot, const struct sample *sample, struct error *err)
{
	if (sample->status == SAMPLE_OK) {
		slot->has_started = true;
		slot->failures_in_a_row = 0;
		return 0;
	}
	slot->failures_in_a_row++;
	if (slot->has_started && slot->failures_in_a_row < FAILURES_IN_A_ROW)
		return 0;
	if (!err->code)
		error_set(err, EIO, "%s", sample->reason);
	error_prefix(err, slot->has_started ? "%s: failed %d times in a row" : "%s", slot->spec.label, FAILURES_IN_A_ROW);
	return -err->code;
}

static int run_drivers(struct run *run, const uint32_t *order, uint32_t total, bool warmup, struct error *err)
{
	const struct run_observer *observer = run->setup.observer;
	_cleanup_free_ struct worker_reply *reply = calloc(1, sizeof(*reply));
	int rc = reply ? 0 : error_set(err, ENOMEM, "out of memory");

	for (uint32_t position = 0; position < run->n_slots && rc == 0; position++) {
		uint32_t index = order[position];
		struct slot *slot = &run->slots[index];
		struct error sample_error = {0};

		if (observer->progress)
			observer->progress(observer->arg, slot->spec.label, run->done, total);
		rc = one_sample(run, index, reply, &sample_error);
		if (rc < 0) {
			if (err)
				*err = sample_error;
			return rc == -EINTR ? rc : error_prefix(err, "%s", slot->spec.label);
		}
		struct sample sample = reply->sample;
		sample.driver = index;
		sample.block = run->n_blocks;
		sample.position = position;
		sample.warmup = warmup;
		run->done++;
		rc = observer->sample(observer->arg, &sample, err);
		if (rc == 0)
			rc = judge(slot, &sample, &sample_error);
		if (rc < 0 && sample_error.code && err)
			*err = sample_error;
	}
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

	quality_read("", &before);
	int rc = run_drivers(run, plan_shuffle_next(shuffle), total, warmup, err);
	quality_read("", &after);
	block.start_ns = before.at_ns;
	block.duration_ns = after.at_ns - before.at_ns;
	quality_difference(&before, &after, spin_ns, &block.disturbance);
	block.tainted = !is_virtual(run) && quality_is_tainted(&block.disturbance, block.duration_ns, usual_spin(run), block.taint_reason,
							       sizeof(block.taint_reason));
	run->spins[run->n_spins++ % SPIN_HISTORY] = spin_ns;
	int block_rc = run->setup.observer->block(run->setup.observer->arg, &block, rc < 0 ? NULL : err);
	run->n_blocks++;
	*ret_tainted = block.tainted && !warmup;
	return rc < 0 ? rc : block_rc;
}

int run_blocks(struct run *run, struct error *err)
{
	const struct run_plan *plan = run->setup.plan;
	struct plan_shuffle *shuffle = plan_shuffle_new(plan->seed, run->n_slots);
	uint32_t planned = plan->warmup + plan->n, spare = plan->n / 10;
	_cleanup_free_ uint32_t *tainted = calloc(planned + spare + 1, sizeof(*tainted));
	uint32_t n_tainted = 0, repeated = 0;
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
