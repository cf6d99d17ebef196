/* process: the agent as a plain child process, no namespace, no limit: the baseline of every ratio. */
#include "spawn.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct process {
	const char *argv[2];
	struct spawn spawn;
	char agent_path[PATH_MAX];
};

static void process_probe(const struct driver_config *config, struct probe *ret)
{
	*ret = (struct probe){.verdict = PROBE_YES};
	if (access(config->agent_path, X_OK) == 0) {
		snprintf(ret->reason, sizeof(ret->reason), "vfork and exec; no isolation");
		return;
	}
	ret->verdict = PROBE_NO;
	snprintf(ret->reason, sizeof(ret->reason), "the agent %.200s cannot be executed: %s", config->agent_path, strerror(errno));
	snprintf(ret->remedy, sizeof(ret->remedy), "build it: make, or name it with --agent");
}

static int process_open(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err)
{
	_cleanup_free_ struct process *process = calloc(1, sizeof(*process));

	if (!process)
		return error_set(err, ENOMEM, "out of memory");
	int rc = spawn_parse_cpuset(config->cpuset, &process->spawn.cpus, err);
	if (rc < 0)
		return rc;
	snprintf(process->agent_path, sizeof(process->agent_path), "%s", config->agent_path);
	process->argv[0] = process->agent_path;
	process->spawn.argv = process->argv;
	process->spawn.stderr_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (process->spawn.stderr_fd < 0)
		return error_errno(err, "open /dev/null");
	driver_info_set(ret_info, "start", "vfork and exec");
	driver_info_note(ret_info, "no memory or CPU limit: a plain process; bound to the same CPUs as the other instances");
	*ret_state = take_ptr(process);
	return 0;
}

static int process_start(void *state, struct instance *instance, struct timeline *timeline, struct error *err)
{
	struct process *process = state;
	return spawn_start(&process->spawn, instance, timeline, err);
}

static int process_stop(void *state, struct instance *instance, struct error *err)
{
	if (instance->n_pids > 0)
		kill(instance->pids[0], SIGKILL);
	spawn_wait(instance, -1);
	spawn_close_stream(instance);
	return 0;
}

static void process_close(void *state)
{
	struct process *process = state;

	close(process->spawn.stderr_fd);
	free(process);
}

const struct driver process_driver = {
	.name = "process",
	.summary = "the agent as a plain process: the baseline",
	.caps = DRIVER_SAME_KERNEL,
	.probe = process_probe,
	.open = process_open,
	.start = process_start,
	.stop = process_stop,
	.close = process_close,
};
