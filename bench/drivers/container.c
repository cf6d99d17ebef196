/* container: the agent in the built-in runtime (runtime/container.h), everything made in line at every start: cgroup, namespaces, root, filter. */
#include "container_os.h"
#include "container_steps.h"

#include <base/files.h>
#include <base/journal.h>
#include <base/process.h>
#include <bench/cleanup.h>
#include <bench/driver.h>
#include <runtime/container.h>
#include <runtime/rootfs.h>
#include <runtime/support.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIDS_MAX = 512 };

static const struct driver_option options[] = {
	{"kind", "app|os",
	 "app: the agent alone; os: a whole Debian with systemd, the agent one of its services; container:os is short for it (default "
	 "app)"},
	{"net", "own|none|bridge|user|host",
	 "network namespace with loopback; none: lo down; bridge: eth0 on a bridge; user: pasta or slirp4netns (default own)"},
	{"pid", "own|host", "process namespace (default own)"},
	{"ipc", "own|host", "namespace of shared memory and message queues (default own)"},
	{"uts", "own|host", "namespace of the host name (default own)"},
	{"mount", "own|host", "mount namespace; host: chroot, writable, no /proc, /sys, /dev (default own)"},
	{"cgroupns", "own|host", "cgroup namespace (default own)"},
	{"time", "own|host", "time namespace, where the kernel gives one to a program (default own)"},
	{"userns", "auto|on|off", "user namespace (default auto: wherever one can be had)"},
	{"cgroup", "auto|on|off", "cgroup limits; auto: where permitted, on: or fail (default auto)"},
	{"cgroup-cpu", "on|off", "the cgroup's cpu controller (default on)"},
	{"cgroup-memory", "on|off", "the cgroup's memory controller (default on)"},
	{"cgroup-pids", "on|off", "the cgroup's pids controller (default on)"},
	{"cpuset", "LIST", "CPUs by the cgroup's cpuset controller, which holds (default: an affinity, which costs nothing)"},
	{"root", "read-only|overlay|copy", "a bind mount; an overlay written to a tmpfs; a copy in a tmpfs (default read-only)"},
	{"cpu", "PERCENT", "of one CPU: 200 is two CPUs (default: the run's limit, 100 a CPU)"},
	{"cpu-weight", "N", "against others, 1 to 10,000 (default 100)"},
	{"bridge", "NAME", "of net=bridge: one that other runs share (default: one of its own)"},
	{"capabilities", "default|all", "all: none but mknod and sys_rawio is given up (default default)"},
	{"seccomp", "on|off", "system call filter (default on)"},
	{"pool", "N", "this many roots, cgroups and namespaces are made ahead, outside the measurement: class \"warm\" (default 0)"},
	{"bare", "on|off", "clone with the namespaces and exec, nothing else: the floor, for comparisons (default off)"},
	{NULL, NULL, NULL},
};
struct state {
	struct container_plan *plan;
	struct journal *journal;
	struct container_os os; /* of kind os */
};

enum { KIND_APP, KIND_OS };

static const char *const kinds[] = {"app", "os", NULL};

static int read_kind(const struct driver_spec *spec, struct error *err)
{
	const char *kind = driver_option(spec, "kind", "app");

	if (strcmp(kind, "app") == 0 || strcmp(kind, "os") == 0)
		return kind[0] == 'o' ? KIND_OS : KIND_APP;
	error_set(err, EINVAL, "kind of container '%.60s' is not known", kind);
	return error_hint(err, "kinds: app, os");
}

/* The driver's options are the runtime's own, word for word. `name` keeps the text that the result points to. */
static int read_options(const struct driver_config *config, char name[64], struct container_options *ret, struct error *err)
{
	const struct driver_spec *spec = config->spec;

	int kind = read_kind(spec, err);

	if (kind < 0)
		return kind;
	*ret = container_options_default();
	if (kind == KIND_OS)
		container_os_options(ret);
	for (size_t i = 0; i < spec->n_options; i++)
		if (strcmp(spec->options[i].key, "label") != 0 && strcmp(spec->options[i].key, "kind") != 0 &&
		    container_options_set(ret, spec->options[i].key, spec->options[i].value, err) < 0)
			return error_prefix(err, "driver 'container'");
	ret->cpuset = ret->limits.cpus[0] ? ret->limits.cpus : config->cpuset; /* as a mask too, where there is no such controller */
	ret->journal = config->journal;
	ret->limits.memory_bytes = config->memory_bytes;
	if (!ret->limits.cpu_percent)
		ret->limits.cpu_percent = 100 * config->vcpus;
	if (!ret->limits.cpu_weight)
		ret->limits.cpu_weight = 100;
	ret->limits.pids_max = PIDS_MAX;
	ret->cgroup_name = cgroup_run_name(config->run_dir, name, 64);
	return 0;
}

_Static_assert((int)CONTAINER_SUPPORTED == PROBE_YES && (int)CONTAINER_LIMITED == PROBE_LIMITED && (int)CONTAINER_UNSUPPORTED == PROBE_NO,
	       "a verdict is a verdict");
static void container_probe(const struct driver_config *config, struct probe *ret)
{
	struct container_options chosen;
	struct error found = {0};
	char name[64];

	*ret = (struct probe){.verdict = PROBE_NO};
	if (read_options(config, name, &chosen, &found) == 0)
		ret->verdict = (enum probe_verdict)container_support(&chosen, &found);
	if (ret->verdict != PROBE_NO && chosen.system && container_os_probe(config, &found) < 0)
		ret->verdict = PROBE_NO;
	snprintf(ret->reason, sizeof(ret->reason), "%s", found.message);
	snprintf(ret->remedy, sizeof(ret->remedy), "%s", found.hint);
}

static void tell(const struct container_facts *facts, struct driver_info *info)
{
	const char *const pairs[][2] = {{"namespaces", facts->namespaces},
					{"network", facts->network},
					{"cgroup", facts->cgroup},
					{"limits", facts->limits},
					{"capabilities", facts->capabilities},
					{"seccomp", facts->seccomp},
					{"rootless", facts->rootless ? "yes" : "no"},
					{"class", facts->start_class}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		driver_info_set(info, pairs[i][0], "%s", pairs[i][1]);
	for (size_t i = 0; i < facts->n_notes; i++)
		driver_info_note(info, "%s", facts->notes[i]);
}

static void container_close(void *arg)
{
	struct state *state = arg;

	container_plan_free(state->plan);
	container_os_close(&state->os);
	free(state);
}

/* The root of an application's container: the agent, and nothing else. */
static int open_app(const struct driver_config *config, char rootfs[PATH_MAX], struct container_options *ret, struct error *err)
{
	static const char *const argv[] = {"/agent", NULL};
	int rc = path_format(rootfs, PATH_MAX, err, "%s/rootfs", config->run_dir);

	if (rc == 0)
		rc = runtime_rootfs_prepare(rootfs, config->agent_path, err);
	ret->rootfs = rootfs;
	ret->root_is_program = true;
	ret->argv = argv;
	return rc;
}

static int prepare(const struct driver_config *config, struct state *state, struct error *err)
{
	struct container_options chosen;
	char name[64], rootfs[PATH_MAX];
	int rc = read_options(config, name, &chosen, err);

	if (rc == 0)
		rc = chosen.system ? container_os_open(config, &state->os, &chosen, err) : open_app(config, rootfs, &chosen, err);
	if (rc == 0)
		rc = container_prepare(&chosen, &state->plan, err);
	if (rc == 0)
		rc = container_plan_open(state->plan, err);
	return rc;
}

static int container_open(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return error_set(err, ENOMEM, "out of memory");
	state->journal = config->journal;
	int rc = prepare(config, state, err);
	if (rc < 0) {
		container_close(state);
		return rc;
	}
	tell(container_plan_facts(state->plan), ret_info);
	if (config->record_steps)
		container_steps_declare(state->plan, ret_info);
	*ret_state = state;
	return 0;
}

/* A container's cgroup was named in the journal with its parent; without one the process is. */
static int report(const struct state *state, const struct container *container, struct instance *instance, struct error *err)
{
	const char *dir = container_memory_dir(state->plan, container);
	char line[64];

	instance->pids[0] = container->pid;
	instance->n_pids = 1;
	if (dir)
		snprintf(instance->cgroup, sizeof(instance->cgroup), "%s", dir);
	if (container->cgroup.n_dirs > 0)
		return 0;
	snprintf(line, sizeof(line), "%d %lld", (int)container->pid, (long long)process_start_ticks(container->pid));
	return journal_add(state->journal, JOURNAL_PROCESS, line, err);
}

static int start(void *arg, struct instance *instance, struct timeline *timeline, struct error *err)
{
	struct state *state = arg;
	int64_t left_ms = (instance->deadline_ns - clock_now_ns()) / 1000000;
	struct container *container = calloc(1, sizeof(*container));
	int pair[2] = {-1, -1};

	if (!container)
		return error_set(err, ENOMEM, "out of memory");
	*container = CONTAINER_NONE;
	instance->priv = container;
	if (!state->os.used && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "control stream");
	instance->read_fd = instance->write_fd = pair[0];
	_cleanup_close_ int theirs = pair[1];
	const int stdio[3] = {theirs, theirs, state->os.used ? state->os.words_fd : -1};
	if (state->os.used)
		container_os_forget(&state->os);
	int rc = container_start(state->plan, instance->id, stdio, left_ms < 1 ? 1 : (int)left_ms, container, err);
	if (rc < 0)
		return rc;
	timeline_mark_at(timeline, MARK_LAUNCHED, container->trace.cloned_ns);
	timeline_mark_at(timeline, MARK_SANDBOX, container_sandbox_ns(state->plan, &container->trace));
	container_steps_report(state->plan, &container->trace, instance->steps);
	if (state->os.used) {
		rc = container_os_accept(&state->os, container, instance->deadline_ns, err);
		if (rc < 0)
			return rc;
		instance->read_fd = instance->write_fd = rc;
	}
	return report(state, container, instance, err);
}

static void between(void *arg)
{
	container_plan_refill(((struct state *)arg)->plan, NULL); /* an empty pool is told by the next start */
}

static int stop(void *arg, struct instance *instance, struct error *err)
{
	struct state *state = arg;
	struct container *container = instance->priv;

	if (container && state->os.used)
		container_os_halt(container);
	int rc = container ? container_stop(state->plan, container, err) : 0;

	if (instance->read_fd >= 0)
		close(instance->read_fd);
	instance->read_fd = instance->write_fd = -1;
	if (rc < 0)
		return rc; /* a second call tries again */
	free(container);
	instance->priv = NULL;
	return 0;
}

const struct driver container_driver = {
	.name = "container",
	.summary = "the agent in the built-in container runtime: namespaces, cgroup, own root, seccomp",
	.options = options,
	.preset = "kind",
	.kinds = kinds,
	.caps = DRIVER_SAME_KERNEL,
	.probe = container_probe,
	.open = container_open,
	.start = start,
	.stop = stop,
	.between = between,
	.close = container_close,
};
