#include "run.h"

#include "run_state.h"

#include <bench/cleanup.h>

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
		if (rc == 1 && ret->index == run->slots[index].worker)
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

		int ready = poll(pfd, 3, left_ms < 0 ? 0 : left_ms < 60000 ? (int)left_ms : 60000);
		if (ready < 0 && errno != EINTR)
			return error_errno(err, "wait for a worker");
		if (pfd[1].revents)
			return error_set(err, EINTR, "interrupted");
		if (pfd[0].revents)
			return 0;
		if (pfd[2].revents & (POLLHUP | POLLRDHUP | POLLERR))
			return error_set(err, EOWNERDEAD, "the supervisor was killed");
		/* Only now: we may have been stopped (Ctrl-Z) while the answer was on its way. */
		if (left_ms <= 0)
			return error_set(err, ETIMEDOUT, "its worker does not answer");
	}
}

int run_ask(struct run *run, size_t index, const struct worker_request *request, int64_t patience_ns, struct worker_reply *ret,
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

/* Those that end a run early. A hang-up that is ignored (nohup) stays ignored. */
static void end_signals(sigset_t *ret)
{
	struct sigaction hangup;

	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(ret, SIGHUP);
}

bool run_was_interrupted(void)
{
	sigset_t ends, pending;

	end_signals(&ends);
	sigemptyset(&pending);
	sigpending(&pending);
	return sigandset(&pending, &pending, &ends) == 0 && !sigisemptyset(&pending);
}

int run_begin(const struct run_setup *setup, struct run **ret, struct error *err)
{
	_cleanup_free_ struct run *run = calloc(1, sizeof(*run));
	sigset_t ends;

	if (!run)
		return error_set(err, ENOMEM, "out of memory");
	run->setup = *setup;
	end_signals(&ends);
	/* The supervisor first: it must not inherit these as blocked, and everything after it is undone by it. */
	int rc = supervisor_start(&run->supervisor, err);
	if (rc < 0)
		return rc;
	sigprocmask(SIG_BLOCK, &ends, NULL);
	run->signal_fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signal_fd < 0) {
		error_errno(err, "signalfd");
		supervisor_end(&run->supervisor, NULL);
		return -EIO;
	}
	*ret = take_ptr(run);
	return 0;
}

int run_open_slot(struct run *run, size_t index, struct driver_info *ret_info, struct error *err)
{
	struct slot *slot = &run->slots[index];
	const struct run_plan *plan = run->setup.plan;
	_cleanup_free_ struct spawn_request *spawn = calloc(1, sizeof(*spawn));
	_cleanup_free_ struct worker_reply *reply = calloc(1, sizeof(*reply));

	if (!spawn || !reply)
		return error_set(err, ENOMEM, "out of memory");
	if (run->next_worker == RUN_WORKERS_MAX)
		return error_set(err, EAGAIN, "%d of its workers have died", RUN_WORKERS_MAX);
	slot->worker = run->next_worker++; /* never twice: folder, journal and exit notice of a dead one are its own */
	*spawn = (struct spawn_request){.index = slot->worker,
					.spec = slot->spec,
					.memory_bytes = plan->memory_bytes,
					.vcpus = plan->vcpus,
					.record_steps = run->setup.record_steps};
	snprintf(spawn->agent_path, sizeof(spawn->agent_path), "%s", run->setup.agent_path);
	snprintf(spawn->cpuset_measure, sizeof(spawn->cpuset_measure), "%s", plan->cpuset_measure);
	snprintf(spawn->cpuset_instance, sizeof(spawn->cpuset_instance), "%s", plan->cpuset_instance);
	int rc = supervisor_spawn(&run->supervisor, spawn, &slot->fd, err);
	if (rc == 0)
		rc = run_ask(run, index, &(struct worker_request){.op = WORKER_OPEN}, OPEN_TIMEOUT_S * INT64_C(1000000000), reply, err);
	if (rc < 0)
		return rc;
	if (reply->error.code) {
		if (err)
			*err = reply->error;
		return -reply->error.code;
	}
	if (slot->sequence == 0)
		slot->info = reply->info;
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
	int rc = run_ask(run, index, &(struct worker_request){.op = WORKER_CLOSE}, CLOSE_TIMEOUT_S * INT64_C(1000000000), reply, NULL);
	if (slot->fd >= 0)
		close(take_fd(&slot->fd));
	if (rc == 0)
		await_exit(run, index, &notice, NULL);
}

int run_open_driver(struct run *run, const struct driver_spec *spec, bool may_drop, struct driver_info *ret_info, struct error *err)
{
	size_t index = run->n_slots;

	if (index == RESULT_DRIVERS_MAX)
		return error_set(err, E2BIG, "more than %d drivers", RESULT_DRIVERS_MAX);
	run->slots[index] = (struct slot){.spec = *spec, .may_drop = may_drop, .fd = -1};
	int rc = run_open_slot(run, index, ret_info, err);
	if (rc < 0) {
		if (rc != -EINTR)
			close_slot(run, index);
		return rc;
	}
	run->n_slots++;
	return (int)index;
}

void run_close_driver(struct run *run)
{
	close_slot(run, --run->n_slots);
}

int run_end(struct run *run, struct error *err)
{
	if (!run)
		return 0;
	/* In the middle of a sample (interrupted, timed out) a worker would not hear us: the supervisor ends it. A quiet one tidies up by itself. */
	for (size_t i = 0; i < run->n_slots; i++)
		if (!run_was_interrupted())
			close_slot(run, i);
		else if (run->slots[i].fd >= 0)
			close(take_fd(&run->slots[i].fd));
	int rc = supervisor_end(&run->supervisor, err);
	close(run->signal_fd);
	free(run);
	return rc;
}
