#include "exec.h"

#include "run_program.h"
#include "session.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <runtime/container.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int exec_spec_variable(struct exec_spec *spec, const char *assignment, struct error *err)
{
	size_t length = strcspn(assignment, "=");
	const char *own = assignment[length] ? NULL : getenv(assignment);

	if (length == 0)
		return error_set(err, EINVAL, "--env: '%.80s': expected NAME=VALUE, or NAME for its value here", assignment);
	if (assignment[length])
		texts_add(&spec->environment, "%s", assignment);
	else if (own)
		texts_add(&spec->environment, "%s=%s", assignment, own);
	return texts_check(&spec->environment, err);
}

void exec_spec_done(struct exec_spec *spec)
{
	texts_done(&spec->environment);
}

/* Names are looked up in the container's own files, through the root of its first process. */
static int find_user(const struct exec_spec *spec, const struct container_state *state, struct container_exec_options *options,
		     struct error *err)
{
	char root[64], *layers[] = {root, NULL};
	struct image folder = {.layers = layers, .n_layers = 1};
	uint32_t uid = state->uid, gid = state->gid;
	int rc = 0;

	snprintf(root, sizeof(root), "/proc/%d/root", (int)state->pid);
	if (spec->user)
		rc = run_program_user(&folder, spec->user, &uid, &gid, err);
	options->run_uid = uid;
	options->run_gid = gid;
	return rc;
}

static int list_environment(const struct exec_spec *spec, const struct container_state *state, struct texts *ret, struct error *err)
{
	const char *term = getenv("TERM");

	texts_add_all(ret, (const char *const *)state->environment.list);
	if (spec->terminal && !texts_variable(ret, "TERM"))
		texts_add(ret, "TERM=%s", term && *term ? term : "xterm");
	for (size_t i = 0; i < spec->environment.n; i++)
		texts_set_variable(ret, spec->environment.list[i]);
	return texts_check(ret, err);
}

static int attend(const struct exec_spec *spec, const struct container_exec_options *options, struct session *session, int *ret_status,
		  struct error *err)
{
	struct session_options wish = {.interactive = spec->interactive, .terminal = spec->terminal};
	struct container process = CONTAINER_NONE;
	int rc = session_open(session, &wish, err);

	if (rc == 0)
		rc = container_exec(options, session_stdio(session), &process, err);
	if (rc == 0)
		rc = session_attach(session, take_fd(&process.terminal_fd), err);
	if (rc == 0)
		rc = session_run(session, process.pid, process.pidfd, false, 0, err);
	int stopped = container_stop(NULL, &process, rc < 0 ? NULL : err);
	if (rc < 0 || stopped < 0)
		return rc < 0 ? rc : stopped;
	session_drain(session);
	*ret_status = process.status;
	return 0;
}

int exec_run(const struct exec_spec *spec, const struct container_state *state, int *ret_status, struct error *err)
{
	struct session session = SESSION_NONE;
	struct texts environment = {0};
	struct container_exec_options options = {.pid = (pid_t)state->pid,
						 .start_ticks = state->pid_ticks,
						 .argv = spec->argv,
						 .working_dir = spec->working_dir ? spec->working_dir : state->working_dir,
						 .capabilities = UINT64_MAX, /* all that the container has */
						 .seccomp_off = state->seccomp_off,
						 .terminal = spec->terminal};
	int rc;

	if (state_is_paused(state)) {
		error_set(err, EBUSY, "container %s is paused: a process that enters would be, too", state_title(state));
		return error_hint(err, "bench container resume %s", state->id);
	}
	for (size_t i = 0; i < state->cgroup_dirs.n && i < CGROUP_CONTROLLER_COUNT; i++)
		options.cgroup_dirs[i] = state->cgroup_dirs.list[i];
	rc = find_user(spec, state, &options, err);
	if (rc == 0)
		rc = list_environment(spec, state, &environment, err);
	options.envp = (const char *const *)environment.list;
	if (rc == 0)
		rc = attend(spec, &options, &session, ret_status, err);
	session_close(&session);
	texts_done(&environment);
	return rc < 0 ? error_prefix(err, "container %s", state_title(state)) : 0;
}
