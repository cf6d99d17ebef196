#include "control.h"

#include "deliver.h"

#include <base/process.h>
#include <bench/cleanup.h>
#include <cgroup/cgroup.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MONITOR_WAIT_MS = 10000 };

static int open_process(const struct container_state *state, int *ret_pidfd, struct error *err)
{
	int pidfd = state->status == STATE_RUNNING && state->pid > 1 ? process_open((pid_t)state->pid, state->pid_ticks) : -1;

	if (pidfd < 0)
		return error_set(err, ESRCH, "container %s does not run", state_title(state));
	*ret_pidfd = pidfd;
	return 0;
}

int control_signal(const struct container_state *state, int number, struct error *err)
{
	_cleanup_close_ int pidfd = -1;
	int rc = open_process(state, &pidfd, err);

	if (rc < 0)
		return rc;
	if (number == SIGKILL)
		state_thaw(state); /* a frozen task of cgroup v1 does not even die */
	rc = deliver_signal((pid_t)state->pid, pidfd, state->own_pids, number, err);
	return rc < 0 ? error_prefix(err, "container %s", state_title(state)) : 0;
}

int control_stop(const char *folder, const struct container_state *state, int grace_ms, struct error *err)
{
	_cleanup_close_ int pidfd = -1;

	if (open_process(state, &pidfd, NULL) == 0) {
		state_thaw(state);
		int rc = deliver_signal((pid_t)state->pid, pidfd, state->own_pids, SIGTERM, err);

		if (rc < 0 && rc != -ESRCH)
			return error_prefix(err, "container %s", state_title(state));
		if (poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, grace_ms) == 0)
			syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	}
	return folder_wait_free(folder, MONITOR_WAIT_MS, err);
}

static bool is_its_own(const struct container_state *state, const char *dir)
{
	for (size_t i = 0; i < state->cgroup_dirs.n; i++)
		if (strcmp(dir, state->cgroup_dirs.list[i]) == 0)
			return true;
	return false;
}

/* What the process is in is taken only where it was made for this container: another group holds processes of others. */
int control_cgroup(const struct container_state *state, struct cgroup_tree *ret_tree, struct cgroup *ret, struct error *err)
{
	struct cgroup_layout layout;

	if (!state_is_running(state) || state->cgroup_dirs.n == 0)
		return error_set(err, ENOENT, "container %s has no cgroup of its own", state_title(state));
	int rc = cgroup_detect("", &layout, err);
	if (rc == 0)
		rc = cgroup_of_pid("", &layout, (pid_t)state->pid, ret_tree, ret, err);
	for (int i = 0; rc == 0 && i < CGROUP_CONTROLLER_COUNT; i++)
		if (ret_tree->dir_of[i] >= 0 && !is_its_own(state, ret->dirs[ret_tree->dir_of[i]]))
			ret_tree->dir_of[i] = -1;
	return rc;
}

int control_pause(const struct container_state *state, bool frozen, struct error *err)
{
	struct cgroup_tree tree;
	struct cgroup group;

	if (!state_is_running(state))
		return error_set(err, ESRCH, "container %s does not run", state_title(state));
	int rc = control_cgroup(state, &tree, &group, err);
	if (rc == -ENOENT)
		return error_hint(err, "send it SIGSTOP instead: bench container kill -s STOP %s", state->id);
	if (rc == 0)
		rc = cgroup_freeze(&tree, &group, frozen, err);
	return rc < 0 ? error_prefix(err, "container %s", state_title(state)) : 0;
}

static int remove_dead(const char *path, struct error *err)
{
	struct folder folder = FOLDER_NONE;
	int resisted = folder_undo(path, err);

	if (resisted != 0) {
		if (resisted > 0 && err && err->code)
			return -err->code;
		return resisted < 0 ? resisted : -EIO;
	}
	memcpy(folder.path, path, strlen(path) + 1);
	return folder_remove(&folder, err);
}

int control_remove(const char *folder, bool force, struct error *err)
{
	struct container_state state = {0};
	const char *id = strrchr(folder, '/') + 1;
	int rc = 0;

	if (folder_is_held(folder)) {
		if (!force) {
			error_set(err, EBUSY, "container %s runs", id);
			return error_hint(err, "stop it first: bench container stop %s, or remove it by force: bench container rm -f %s",
					  id, id);
		}
		if (state_read(folder, &state, NULL) == 0) {
			control_signal(&state, SIGKILL, NULL); /* it may have ended by now */
			state_done(&state);
		}
		rc = folder_wait_free(folder, MONITOR_WAIT_MS, err);
	}
	return rc < 0 ? rc : remove_dead(folder, err);
}
