#include "worker.h"

#include "ladder.h"

#include <bench/cleanup.h>

#include <base/files.h>
#include <base/journal.h>
#include <drivers/registry.h>
#include <drivers/spawn.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct worker {
	const struct spawn_request *setup;
	int socket_fd;
	const struct driver *driver;
	char run_dir[160];
	struct journal *journal;
	struct driver_config config;
	void *state;
	bool is_open;
};

static void send_note(void *arg, const char *text)
{
	struct worker *worker = arg;
	struct worker_reply reply = {.kind = REPLY_NOTE};

	snprintf(reply.note, sizeof(reply.note), "%s", text);
	message_send(worker->socket_fd, &reply, sizeof(reply), -1);
}

static int open_driver(struct worker *worker, struct driver_info *ret_info, struct error *err)
{
	const struct spawn_request *setup = worker->setup;
	char journal_path[256];

	worker->driver = driver_find(setup->spec.name);
	if (!worker->driver)
		return error_set(err, ENOENT, "no driver '%s'", setup->spec.name);
	spawn_bind(setup->cpuset_measure);
	snprintf(worker->run_dir, sizeof(worker->run_dir), "%s/w%u", setup->run_path, setup->index);
	snprintf(journal_path, sizeof(journal_path), "%s/w%u.journal", setup->run_path, setup->index);
	if (dir_make(worker->run_dir, 0700, err) < 0 || journal_open(journal_path, &worker->journal, err) < 0)
		return -err->code;
	worker->config = (struct driver_config){
		.spec = &setup->spec,
		.agent_path = setup->agent_path,
		.run_dir = worker->run_dir,
		.cache_dir = setup->cache_dir,
		.journal = worker->journal,
		.memory_bytes = setup->memory_bytes,
		.vcpus = setup->vcpus,
		.record_steps = setup->record_steps,
		.note = send_note,
		.note_arg = worker,
	};
	snprintf(worker->config.cpuset, sizeof(worker->config.cpuset), "%s", setup->cpuset_instance);
	int rc = worker->driver->open(&worker->config, &worker->state, ret_info, err);
	worker->is_open = rc == 0;
	return rc;
}

static void climb(struct worker *worker, const struct worker_request *request, struct worker_reply *reply)
{
	char id[48];

	/* The run folder's name makes it unique on this host, the worker's and sample's number inside the run. */
	snprintf(id, sizeof(id), "bench-%s-%u-%u", strrchr(worker->setup->run_path, '/') + 1, worker->setup->index, request->sequence);
	reply->kind = REPLY_SAMPLE;
	if (!worker->is_open) {
		error_set(&reply->error, ENOTCONN, "the driver is not open");
		return;
	}
	int rc = ladder_climb(worker->driver, worker->state, id, request->timeout_ns, &reply->sample,
			      worker->setup->record_steps ? &reply->steps : NULL, &reply->error);
	if (rc < 0) {
		error_prefix(&reply->error, "stop");
		reply->sample.status = SAMPLE_FAILED;
		snprintf(reply->sample.reason, sizeof(reply->sample.reason), "%s", reply->error.message);
	}
}

static void close_driver(struct worker *worker)
{
	if (worker->is_open)
		worker->driver->close(worker->state);
	worker->is_open = false;
	journal_close(worker->journal);
	worker->journal = NULL;
	dir_remove(worker->run_dir, NULL);
}

int worker_main(const struct spawn_request *setup, int socket_fd)
{
	struct worker worker = {.setup = setup, .socket_fd = socket_fd};
	struct worker_request request;

	signal(SIGPIPE, SIG_IGN);
	while (message_receive(socket_fd, &request, sizeof(request), NULL) == 1) {
		struct worker_reply reply = {.kind = REPLY_CLOSED};

		if (request.op == WORKER_OPEN) {
			reply.kind = REPLY_OPENED;
			if (open_driver(&worker, &reply.info, &reply.error) == 0)
				reply.error = (struct error){0}; /* what failed on the way to success is no error */
		} else if (request.op == WORKER_SAMPLE) {
			climb(&worker, &request, &reply);
		} else {
			close_driver(&worker);
		}
		if (message_send(socket_fd, &reply, sizeof(reply), -1) < 0)
			return 1;
		if (request.op == WORKER_CLOSE)
			return 0;
	}
	/* bench is gone without a word: the supervisor undoes what we would have. */
	return 0;
}
