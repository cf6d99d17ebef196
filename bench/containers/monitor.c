#include "monitor.h"

#include "config_json.h"
#include "keeper.h"
#include "session.h"
#include "state.h"

#include <base/files.h>
#include <base/journal.h>
#include <base/process.h>
#include <base/units.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_TIMED_OUT = 124, EXIT_KILLED = 128 + SIGKILL };

struct monitor {
	struct run_spec *spec;
	const struct run_program *program;
	struct folder folder;
	struct keeper keeper;
	struct journal *journal;
	struct container_plan *plan;
	struct container container;
	struct session session;
	struct container_state state;
	char cgroup_name[64], bridge_name[16];
};

/* ---- the state ---- */

static int describe(struct monitor *monitor, struct error *err)
{
	struct container_state *state = &monitor->state;
	const struct run_spec *spec = monitor->spec;
	time_t now = time(NULL);
	struct tm utc;

	memcpy(state->id, monitor->folder.id, sizeof(state->id));
	snprintf(state->name, sizeof(state->name), "%s", spec->name ? spec->name : "");
	memcpy(state->image, monitor->program->image, sizeof(state->image));
	strftime(state->created_at, sizeof(state->created_at), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	snprintf(state->working_dir, sizeof(state->working_dir), "%s", monitor->program->working_dir);
	state->status = STATE_CREATED;
	state->monitor_pid = getpid();
	state->pid_ticks = state->exit_status = -1;
	state->keep = spec->keep;
	state->detached = spec->detach;
	state->terminal = spec->terminal;
	state->seccomp_off = spec->options.seccomp_off;
	state->own_pids = spec->options.namespaces & CONTAINER_NS_PID;
	state->uid = monitor->program->uid;
	state->gid = monitor->program->gid;
	texts_add_all(&state->command, (const char *const *)monitor->program->argv.list);
	texts_add_all(&state->environment, (const char *const *)monitor->program->envp.list);
	return texts_check(&state->environment, err);
}

static int tell_started(struct monitor *monitor, struct error *err)
{
	const struct container_facts *facts = container_plan_facts(monitor->plan);
	struct container_state *state = &monitor->state;

	state->status = STATE_RUNNING;
	state->pid = monitor->container.pid;
	state->pid_ticks = process_start_ticks(monitor->container.pid);
	state->started_ns = state_now_ns();
	snprintf(state->address, sizeof(state->address), "%s", monitor->container.link.address);
	for (size_t i = 0; i < monitor->container.cgroup.n_dirs; i++)
		texts_add(&state->cgroup_dirs, "%s", monitor->container.cgroup.dirs[i]);
	for (size_t i = 0; i < facts->n_notes; i++)
		texts_add(&state->notes, "%s", facts->notes[i]);
	state->config = config_json(&monitor->spec->options, monitor->plan, &monitor->container, monitor->folder.id);
	return state_write(monitor->folder.path, state, err);
}

/* ---- making and undoing ---- */

/* One bridge for all who see the same state: they reach each other. Those of another folder hold no lock that we see, so theirs is another
 * bridge. Who names a subnet alone gets a bridge of his own. */
static void choose_bridge(struct monitor *monitor, const char *base)
{
	struct container_options *options = &monitor->spec->options;
	uint32_t hash = 2166136261;

	if (options->network != CONTAINER_NETWORK_BRIDGE || options->bridge || options->subnet)
		return;
	for (const char *at = base; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619;
	snprintf(monitor->bridge_name, sizeof(monitor->bridge_name), "bench-%08x", hash);
	options->bridge = monitor->bridge_name;
}

static int open_folder(struct monitor *monitor, const char *base, struct error *err)
{
	int rc = folder_create(base, monitor->spec->name, &monitor->folder, err);

	if (rc == 0)
		snprintf(monitor->cgroup_name, sizeof(monitor->cgroup_name), "bench-%s", monitor->folder.id);
	choose_bridge(monitor, base);
	return rc;
}

/* Who asks for a limit gets it, or is told. What was wanted beside it (counters, the freezer) may be missing. */
static int check_limits(const struct monitor *monitor, struct error *err)
{
	const struct container_facts *facts = container_plan_facts(monitor->plan);
	struct cgroup_limits asked = monitor->spec->options.limits;

	if (!monitor->spec->limited || monitor->spec->cgroup_chosen)
		return 0;
	asked.devices_closed = asked.freezable = false;
	asked.n_devices = 0;
	unsigned needed = cgroup_limits_controllers(&asked);
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
		if (!(needed & CGROUP_BIT(i)) || strstr(facts->cgroup, cgroup_controller_names[i]))
			continue;
		error_set(err, ENOTSUP, "a limit cannot be set: there is no cgroup controller '%s' for us%s%s", cgroup_controller_names[i],
			  facts->n_notes ? "; " : "", facts->n_notes ? facts->notes[0] : "");
		return error_hint(err, "go without it, or with --cgroup auto: then it is a note");
	}
	return 0;
}

/* What is written to the root's folder itself is seen inside as the mode of "/". */
static int make_upper_folder(const char *path, mode_t mode, struct error *err)
{
	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : error_errno(err, "make %s", path);
	return chmod(path, mode) < 0 ? error_errno(err, "mode of %s", path) : 0;
}

static int make_upper(const struct container_options *options, struct error *err)
{
	char path[PATH_MAX];
	int rc = 0;

	if (options->root != CONTAINER_ROOT_UPPER)
		return 0;
	rc = path_format(path, sizeof(path), err, "%s/upper", options->upper);
	if (rc == 0)
		rc = make_upper_folder(path, 0755, err);
	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/work", options->upper);
	return rc == 0 ? make_upper_folder(path, 0700, err) : rc;
}

/* The plan is made after the journal that it holds, and in the process that walks it. */
static int prepare(struct monitor *monitor, struct error *err)
{
	struct container_options *options = &monitor->spec->options;
	char path[FOLDER_PATH_MAX];
	int rc = keeper_start(monitor->folder.path, monitor->folder.lock_fd, monitor->spec->keep, &monitor->keeper, err);

	if (rc == 0)
		rc = folder_file(monitor->folder.path, "journal", path, sizeof(path), err);
	if (rc == 0)
		rc = journal_open(path, &monitor->journal, err);
	options->journal = monitor->journal;
	options->cgroup_name = monitor->cgroup_name;
	if (rc == 0)
		rc = make_upper(options, err);
	if (rc == 0)
		rc = container_prepare(options, &monitor->plan, err);
	if (rc == 0)
		rc = container_plan_open(monitor->plan, err);
	if (rc == 0)
		rc = check_limits(monitor, err);
	if (rc == 0)
		rc = describe(monitor, err);
	if (rc == 0)
		rc = state_write(monitor->folder.path, &monitor->state, err);
	return rc;
}

/* A container without cgroup is named by its process. */
static int name_process(struct monitor *monitor, struct error *err)
{
	char line[64];

	if (monitor->container.cgroup.n_dirs > 0)
		return 0;
	snprintf(line, sizeof(line), "%d %lld", (int)monitor->container.pid, (long long)process_start_ticks(monitor->container.pid));
	return journal_add(monitor->journal, JOURNAL_PROCESS, line, err);
}

static int start(struct monitor *monitor, struct error *err)
{
	struct session_options session = {.interactive = monitor->spec->interactive,
					  .terminal = monitor->spec->terminal,
					  .log_folder = monitor->spec->detach ? monitor->folder.path : NULL};
	int rc = session_open(&monitor->session, &session, err);

	if (rc == 0)
		rc = container_start(monitor->plan, monitor->folder.id, session_stdio(&monitor->session), 0, &monitor->container, err);
	if (rc == 0)
		rc = name_process(monitor, err);
	if (rc == 0)
		rc = tell_started(monitor, err);
	if (rc == 0)
		rc = session_attach(&monitor->session, take_fd(&monitor->container.terminal_fd), err);
	return rc;
}

/* Gives back all of it; the folder stays where it was asked for and the container had run. */
static int undo(struct monitor *monitor, bool had_run, struct error *err)
{
	int rc = 0;

	session_close(&monitor->session);
	if (monitor->plan)
		rc = container_stop(monitor->plan, &monitor->container, err);
	container_plan_free(monitor->plan);
	journal_close(monitor->journal);
	if (rc == 0)
		keeper_dismiss(&monitor->keeper);
	if (rc == 0 && !(had_run && monitor->spec->keep))
		rc = folder_remove(&monitor->folder, err);
	cleanup_close(&monitor->folder.lock_fd);
	state_done(&monitor->state);
	return rc;
}

/* ---- running ---- */

/* The counters go with the cgroup: read before the container is stopped. */
static void tell_memory(const struct monitor *monitor, struct monitor_end *end)
{
	const char *dir = container_memory_dir(monitor->plan, &monitor->container);
	int64_t limit = monitor->spec->options.limits.memory_bytes;
	char text[4096], count[32], size[32], path[PATH_MAX];

	if (!dir || path_format(path, sizeof(path), NULL, "%s/memory.oom_control", dir) < 0)
		return;
	if (!path_exists(path) && path_format(path, sizeof(path), NULL, "%s/memory.events", dir) < 0)
		return;
	if (file_read("", path, text, sizeof(text), NULL) < 0 || !text_field(text, "oom_kill", count, sizeof(count)) || count[0] == '0')
		return;
	snprintf(end->reason, sizeof(end->reason), "%s: %s process%s killed because the memory limit of %s was reached",
		 state_title(&monitor->state), count, strcmp(count, "1") == 0 ? " was" : "es were",
		 format_bytes(limit, size, sizeof(size)));
}

static void tell_timeout(const struct monitor *monitor, struct monitor_end *end)
{
	char duration[32];

	end->exit_status = EXIT_TIMED_OUT;
	snprintf(end->reason, sizeof(end->reason), "%s: killed after %s (--timeout)", state_title(&monitor->state),
		 format_duration(monitor->spec->timeout_ns, duration, sizeof(duration)));
}

static int run_to_end(struct monitor *monitor, struct monitor_end *ret, struct error *err)
{
	const struct run_spec *spec = monitor->spec;
	struct container *container = &monitor->container;
	int64_t deadline_ns = spec->timeout_ns ? clock_now_ns() + spec->timeout_ns : 0;
	int how = session_run(&monitor->session, container->pid, container->pidfd, monitor->state.own_pids, deadline_ns, err);

	if (how < 0)
		return how;
	tell_memory(monitor, ret);
	state_thaw(&monitor->state);
	int rc = container_stop(monitor->plan, container, err);
	if (rc < 0)
		return rc;
	session_drain(&monitor->session);
	ret->exit_status = container->status;
	if (how == SESSION_TIMED_OUT)
		tell_timeout(monitor, ret);
	else if (container->status == EXIT_KILLED && monitor->session.instead_of)
		ret->exit_status = 128 + monitor->session.instead_of;
	return 0;
}

static void tell_ended(struct monitor *monitor, const struct monitor_end *end)
{
	struct container_state *state = &monitor->state;

	state->status = STATE_EXITED;
	state->ended_ns = state_now_ns();
	state->exit_status = end->exit_status;
	snprintf(state->ended_by, sizeof(state->ended_by), "%s", end->reason);
	state_write(monitor->folder.path, state, NULL); /* the end itself is not undone by a full disk */
}

/* `ready_fd` >= 0: told, in the form of an error without code, that the program runs. */
static int monitor_run(struct monitor *monitor, int ready_fd, struct monitor_end *ret, struct error *err)
{
	struct error fine = {0};
	int rc = prepare(monitor, err);

	if (rc == 0)
		rc = start(monitor, err);
	bool had_run = rc == 0;
	memcpy(ret->id, monitor->folder.id, sizeof(ret->id));
	if (rc == 0 && ready_fd >= 0 && write(ready_fd, &fine, sizeof(fine)) == sizeof(fine))
		close(ready_fd);
	if (rc == 0)
		rc = run_to_end(monitor, ret, err);
	if (rc == 0)
		tell_ended(monitor, ret);
	int undone = undo(monitor, had_run, rc < 0 ? NULL : err);
	return rc < 0 ? rc : undone;
}

static struct monitor monitor_new(struct run_spec *spec, const struct run_program *program)
{
	return (struct monitor){.spec = spec,
				.program = program,
				.folder = FOLDER_NONE,
				.keeper = KEEPER_NONE,
				.container = CONTAINER_NONE,
				.session = SESSION_NONE};
}

int monitor_foreground(const char *base, struct run_spec *spec, const struct run_program *program, struct monitor_end *ret,
		       struct error *err)
{
	struct monitor monitor = monitor_new(spec, program);
	int rc = open_folder(&monitor, base, err);

	*ret = (struct monitor_end){0};
	return rc < 0 ? rc : monitor_run(&monitor, -1, ret, err);
}

/* ---- in the background ---- */

/* Nothing of the terminal that it was started from: no session, no streams, no folder. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (chdir("/") < 0)
		_exit(1);
}

static _Noreturn void be_background(struct monitor *monitor, int ready_fd)
{
	struct monitor_end end = {0};
	struct error found = {0};

	leave_terminal();
	if (monitor_run(monitor, ready_fd, &end, &found) < 0 && write(ready_fd, &found, sizeof(found)) < 0)
		_exit(1); /* nobody reads any more */
	_exit(0);
}

static int wait_ready(int fd, struct error *err)
{
	struct error said;
	ssize_t got;

	do
		got = read(fd, &said, sizeof(said));
	while (got < 0 && errno == EINTR);
	if (got != sizeof(said))
		return error_set(err, ECHILD, "the monitor ended before the container ran");
	if (said.code && err)
		*err = said;
	return -said.code;
}

/* Forks twice: the monitor is nobody's child, and can never get a terminal again. What fails is told as the monitor would. */
static int fork_monitor(struct monitor *monitor, const int pair[2], struct error *err)
{
	pid_t between = fork();

	if (between < 0)
		return error_errno(err, "fork the monitor");
	if (between == 0) {
		struct error found = {0};

		close(pair[0]);
		setsid();
		pid_t pid = fork();
		if (pid == 0)
			be_background(monitor, pair[1]);
		if (pid < 0)
			error_errno(&found, "fork the monitor");
		_exit(pid < 0 && write(pair[1], &found, sizeof(found)) < 0 ? 1 : 0);
	}
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* A monitor that came to be removes what it made, or its keeper does. Where neither lives and a folder is there, it falls to us. */
static void undo_abandoned(struct folder *folder)
{
	if (path_exists(folder->path) && !folder_is_held(folder->path) && folder_undo(folder->path, NULL) == 0)
		folder_remove(folder, NULL);
}

int monitor_background(const char *base, struct run_spec *spec, const struct run_program *program, char ret_id[FOLDER_ID_HEX + 1],
		       struct error *err)
{
	struct monitor monitor = monitor_new(spec, program);
	int rc = open_folder(&monitor, base, err), pair[2];

	if (rc < 0)
		return rc;
	if (pipe2(pair, O_CLOEXEC) < 0) {
		rc = error_errno(err, "pipe to the monitor");
		folder_remove(&monitor.folder, NULL);
		return rc;
	}
	rc = fork_monitor(&monitor, pair, err);
	close(pair[1]);
	memcpy(ret_id, monitor.folder.id, sizeof(monitor.folder.id));
	cleanup_close(&monitor.folder.lock_fd);
	monitor.folder.lock_fd = -1;
	_cleanup_close_ int ready_fd = pair[0];
	if (rc == 0)
		rc = wait_ready(ready_fd, err);
	if (rc < 0)
		undo_abandoned(&monitor.folder);
	return rc;
}
