/* A container in each leaf, and the counters of the groups before and after each window.
 *
 *   bench-<id>                       the hierarchy's top, beside the host's own groups
 *     Faculty/Web                    a leaf: its counters are what is measured
 *       member                       group of the plan of this leaf's container, which knows the leaf alone as its place
 *         Web                        the container's own group, the only one in there: it has all that the leaf gets
 *
 * The containers are all there before the first begins to spin, so that a small share does not make a start slow. */
#include "shares.h"

#include "folder.h"
#include "keeper.h"

#include <base/files.h>
#include <base/journal.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <cgroup/cgroup_usage.h>
#include <runtime/container.h>
#include <runtime/rootfs.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BEGIN_WAIT_MS = 20000, WARMUP_MS = 500, TELL_MS = 100, EDGES = SHARES_WINDOWS + 1 };

struct member {
	struct container_plan *plan;
	struct container container;
	int stream; /* to the agent */
};

/* Counters at one moment. */
struct edge {
	int64_t at_ns;
	int64_t cpu_ns[CGROUP_NODES_MAX];
};

struct scene {
	const struct cgroup_hierarchy *hierarchy;
	const struct shares_options *options;
	bool idle[CGROUP_NODES_MAX]; /* as the options say, with all below */
	struct folder folder;
	struct keeper keeper;
	struct journal *journal;
	struct cgroup_layout layout;
	struct cgroup_hierarchy_groups groups;
	char rootfs[FOLDER_PATH_MAX], cgroup_name[64], cpu[16];
	struct member members[CGROUP_NODES_MAX]; /* of the leaves */
	struct edge edges[EDGES];
	cpu_set_t before; /* our own CPUs */
	bool moved;
};

static bool is_leaf(const struct scene *scene, size_t node)
{
	return scene->hierarchy->nodes[node].n_children == 0;
}

static int in_group(const struct scene *scene, size_t node, struct error *err)
{
	char path[CGROUP_PATH_MAX * 2];

	return error_prefix(err, "group %.160s", cgroup_hierarchy_path(scene->hierarchy, node, path, sizeof(path)));
}

static void tell(const struct scene *scene, const char *phase, int64_t done_ns, int64_t total_ns)
{
	if (scene->options->tell)
		scene->options->tell(phase, done_ns, total_ns, scene->options->arg);
}

/* Until `fd` (-1: none) is readable: 1; or the time has come: 0; -EINTR when we are to give up. */
static int wait_for(const struct scene *scene, int fd, int64_t until_ns, struct error *err)
{
	struct pollfd fds[] = {{.fd = scene->options->stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	for (;;) {
		int64_t left_ns = until_ns - clock_now_ns();
		int n = poll(fds, 2, left_ns <= 0 ? 0 : (int)((left_ns + 999999) / 1000000));

		if (n < 0 && errno != EINTR)
			return error_errno(err, "poll");
		if (n > 0 && fds[0].revents)
			return error_set(err, EINTR, "interrupted");
		if (n > 0)
			return 1;
		if (n == 0)
			return 0;
	}
}

/* ---- making ---- */

/* Who has no right, or no controller, is told what to do; the library says only what is missing. */
static int explain(const struct scene *scene, struct error *err)
{
	const char *mounted = scene->layout.v1[CGROUP_CPU];

	if (!err || err->hint[0])
		return -EPERM;
	if (geteuid() != 0)
		return error_hint(err, "run as root");
	if (mounted[0])
		return error_hint(err, "it is mounted read-only here: mount -o remount,rw,bind %s", mounted);
	return error_hint(err, "mount it: mount -t cgroup -o cpu,cpuacct cgroup /sys/fs/cgroup/cpu,cpuacct");
}

/* This process only waits, but each of its moments would be taken from a member: it does that elsewhere, where there is another CPU. */
static void move_away(struct scene *scene)
{
	cpu_set_t others;

	if (sched_getaffinity(0, sizeof(scene->before), &scene->before) < 0)
		return;
	others = scene->before;
	CPU_CLR((size_t)scene->options->cpu, &others);
	scene->moved = CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof(others), &others) == 0;
}

static int make_folder(struct scene *scene, struct error *err)
{
	char path[FOLDER_PATH_MAX];
	int rc = folder_create(scene->options->base, NULL, &scene->folder, err);

	if (rc == 0)
		rc = keeper_start(scene->folder.path, scene->folder.lock_fd, false, &scene->keeper, err);
	if (rc == 0)
		rc = folder_file(scene->folder.path, "journal", path, sizeof(path), err);
	if (rc == 0)
		rc = journal_open(path, &scene->journal, err);
	if (rc == 0)
		rc = folder_file(scene->folder.path, "rootfs", scene->rootfs, sizeof(scene->rootfs), err);
	if (rc == 0)
		rc = runtime_rootfs_prepare(scene->rootfs, scene->options->agent_path, err);
	return rc;
}

static int make_groups(struct scene *scene, struct error *err)
{
	int rc = cgroup_detect("", &scene->layout, err);

	snprintf(scene->cgroup_name, sizeof(scene->cgroup_name), "bench-%s", scene->folder.id);
	if (rc == 0)
		rc = cgroup_hierarchy_open(scene->hierarchy, &scene->layout, scene->cgroup_name, CGROUP_BIT(CGROUP_CPUACCT), scene->journal,
					   &scene->groups, err);
	return rc == -EPERM ? explain(scene, err) : rc;
}

static int prepare_member(struct scene *scene, size_t leaf, struct container_plan **ret, struct error *err)
{
	static const char *const argv[] = {"/agent", NULL};
	struct container_options options = container_options_default();
	struct cgroup_layout inside;
	int rc = cgroup_hierarchy_inside(&scene->groups, leaf, &scene->layout, &inside, err);

	options.rootfs = scene->rootfs;
	options.root_is_program = true;
	options.argv = argv;
	options.cpuset = scene->cpu;
	options.cgroup = CONTAINER_ON;
	options.accounting = scene->groups.tree.wanted; /* it lies below the leaf in each hierarchy, and in no other */
	options.without = ~scene->groups.tree.wanted & (CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS));
	options.cgroup_name = "member";
	options.cgroup_layout = &inside;
	options.die_with_parent = true;
	options.journal = NULL; /* the hierarchy's top is in it, and is undone with all that is below */
	if (rc == 0)
		rc = container_prepare(&options, ret, err);
	return rc < 0 ? rc : container_plan_open(*ret, err);
}

static int start_member(struct scene *scene, size_t leaf, struct error *err)
{
	struct member *member = &scene->members[leaf];
	int pair[2], rc = prepare_member(scene, leaf, &member->plan, err);

	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "control stream");
	member->stream = pair[0];
	_cleanup_close_ int theirs = pair[1];
	const int stdio[3] = {theirs, theirs, -1};
	return container_start(member->plan, scene->hierarchy->nodes[leaf].name, stdio, 0, &member->container, err);
}

static int start_members(struct scene *scene, struct error *err)
{
	int rc = 0;

	snprintf(scene->cpu, sizeof(scene->cpu), "%d", scene->options->cpu);
	for (size_t i = 0; i < scene->hierarchy->n_nodes && rc == 0; i++) {
		if (!is_leaf(scene, i))
			continue;
		if (start_member(scene, i, err) < 0)
			return in_group(scene, i, err);
		rc = wait_for(scene, -1, 0, err);
	}
	return rc;
}

/* ---- spinning ---- */

/* Reads what the agent says up to the word that it begins. */
static int wait_begin(const struct scene *scene, size_t leaf, int64_t deadline_ns, struct error *err)
{
	int stream = scene->members[leaf].stream;
	char text[512] = "";
	size_t used = 0;

	while (!strstr(text, "\nbegin\n")) {
		int rc = wait_for(scene, stream, deadline_ns, err);

		if (rc == 0)
			return error_set(err, ETIMEDOUT, "its container does not begin to spin within %d s", BEGIN_WAIT_MS / 1000);
		if (rc < 0)
			return rc;
		ssize_t got = read(stream, text + used, sizeof(text) - 1 - used);
		if (got <= 0)
			return error_set(err, ECHILD, "its container ended before it began to spin");
		used += (size_t)got;
		text[used] = '\0';
	}
	return 0;
}

/* More steps than a CPU does in centuries: the members end with their containers. */
static int spin(const struct scene *scene, struct error *err)
{
	static const char request[] = "run spin seed=1 ops=18446744073709551615\n";
	int64_t deadline_ns = clock_now_ns() + BEGIN_WAIT_MS * INT64_C(1000000);

	for (size_t i = 0; i < scene->hierarchy->n_nodes; i++)
		if (is_leaf(scene, i) && !scene->idle[i] &&
		    send(scene->members[i].stream, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) {
			error_errno(err, "talk to its container");
			return in_group(scene, i, err);
		}
	for (size_t i = 0; i < scene->hierarchy->n_nodes; i++) {
		int rc = is_leaf(scene, i) && !scene->idle[i] ? wait_begin(scene, i, deadline_ns, err) : 0;

		if (rc < 0)
			return rc == -EINTR ? rc : in_group(scene, i, err);
	}
	return 0;
}

static int check_alive(const struct scene *scene, struct error *err)
{
	for (size_t i = 0; i < scene->hierarchy->n_nodes; i++)
		if (is_leaf(scene, i) && poll(&(struct pollfd){.fd = scene->members[i].container.pidfd, .events = POLLIN}, 1, 0) > 0) {
			error_set(err, ECHILD, "its container ended while it was measured");
			return in_group(scene, i, err);
		}
	return 0;
}

/* ---- measuring ---- */

static int read_edge(const struct scene *scene, struct edge *ret, struct error *err)
{
	struct cgroup_usage usage;

	ret->at_ns = clock_now_ns();
	for (size_t i = 0; i < scene->hierarchy->n_nodes; i++) {
		int rc = cgroup_usage_read(&scene->groups.tree, &scene->groups.groups[i], &usage, err);

		if (rc == 0 && usage.cpu_ns < 0)
			rc = error_set(err, ENOTSUP, "the kernel does not tell its CPU time");
		if (rc < 0)
			return in_group(scene, i, err);
		ret->cpu_ns[i] = usage.cpu_ns;
	}
	return 0;
}

static int pass_time(const struct scene *scene, const char *phase, int64_t begin_ns, int64_t until_ns, int64_t total_ns, struct error *err)
{
	int64_t now_ns;
	int rc = 0;

	while (rc == 0 && (now_ns = clock_now_ns()) < until_ns) {
		int64_t next_ns = now_ns + TELL_MS * INT64_C(1000000);

		tell(scene, phase, now_ns - begin_ns, total_ns);
		rc = wait_for(scene, -1, next_ns < until_ns ? next_ns : until_ns, err);
	}
	return rc;
}

static int measure(struct scene *scene, struct error *err)
{
	int64_t total_ns = scene->options->duration_ns, warm_ns = clock_now_ns();
	int rc = pass_time(scene, "warming up", warm_ns, warm_ns + WARMUP_MS * INT64_C(1000000), 0, err);

	if (rc == 0)
		rc = read_edge(scene, &scene->edges[0], err);
	for (int i = 1; i < EDGES && rc == 0; i++) {
		int64_t begin_ns = scene->edges[0].at_ns;

		rc = pass_time(scene, "measuring", begin_ns, begin_ns + total_ns * i / SHARES_WINDOWS, total_ns, err);
		if (rc == 0)
			rc = check_alive(scene, err);
		if (rc == 0)
			rc = read_edge(scene, &scene->edges[i], err);
	}
	return rc;
}

/* Percent of what all leaves used between two moments. */
static double percent(const struct scene *scene, size_t node, int from, int to)
{
	const struct edge *a = &scene->edges[from], *b = &scene->edges[to];
	int64_t sum_ns = 0;

	for (size_t i = 0; i < scene->hierarchy->n_nodes; i++)
		sum_ns += is_leaf(scene, i) ? b->cpu_ns[i] - a->cpu_ns[i] : 0;
	return sum_ns > 0 ? 100.0 * (double)(b->cpu_ns[node] - a->cpu_ns[node]) / (double)sum_ns : 0;
}

static void judge(const struct scene *scene, struct shares *ret)
{
	const struct edge *first = &scene->edges[0], *last = &scene->edges[EDGES - 1];
	double expected[CGROUP_NODES_MAX];
	int64_t sum_ns = 0;

	*ret = (struct shares){.duration_ns = last->at_ns - first->at_ns, .mode = scene->layout.mode};
	for (size_t i = 0; i < scene->hierarchy->n_nodes; i++) {
		struct shares_part *part = &ret->parts[i];

		part->idle = scene->idle[i];
		part->cpu_ns = last->cpu_ns[i] - first->cpu_ns[i];
		part->measured = part->least = part->most = percent(scene, i, 0, EDGES - 1);
		for (int w = 0; w < SHARES_WINDOWS; w++) {
			double share = percent(scene, i, w, w + 1);

			part->least = share < part->least ? share : part->least;
			part->most = share > part->most ? share : part->most;
		}
		sum_ns += is_leaf(scene, i) ? part->cpu_ns : 0;
	}
	ret->cpu_used = (double)sum_ns / (double)ret->duration_ns;
	shares_expect(scene->hierarchy, scene->options->idle, ret->cpu_used, expected);
	for (size_t i = 0; i < scene->hierarchy->n_nodes; i++)
		ret->parts[i].expected = 100 * expected[i];
}

/* ---- all of it ---- */

/* All at once: one that is to end needs the CPU for it, and would wait for its turn among those that still spin. */
static void end_members(const struct scene *scene)
{
	for (size_t i = 0; i < scene->hierarchy->n_nodes; i++)
		if (scene->members[i].container.pidfd >= 0)
			syscall(SYS_pidfd_send_signal, scene->members[i].container.pidfd, SIGKILL, NULL,
				0); /* one that has ended is fine */
}

/* In reverse order. What resists stays in the folder, for `bench clean`. */
static int undo(struct scene *scene, struct error *err)
{
	int rc = 0;

	end_members(scene);
	for (size_t i = scene->hierarchy->n_nodes; i-- > 0;) {
		struct member *member = &scene->members[i];

		cleanup_close(&member->stream);
		if (!member->plan)
			continue;
		int stopped = container_stop(member->plan, &member->container, err);
		rc = rc < 0 ? rc : stopped;
		container_plan_free(member->plan);
	}
	int closed = cgroup_hierarchy_close(&scene->groups, err);
	rc = rc < 0 ? rc : closed;
	if (scene->journal)
		journal_close(scene->journal);
	if (rc == 0)
		keeper_dismiss(&scene->keeper);
	if (rc == 0)
		rc = folder_remove(&scene->folder, err);
	cleanup_close(&scene->folder.lock_fd);
	if (scene->moved)
		sched_setaffinity(0, sizeof(scene->before), &scene->before);
	return rc;
}

static int run(struct scene *scene, struct shares *ret, struct error *err)
{
	tell(scene, "starting containers", 0, 0);
	int rc = make_folder(scene, err);

	if (rc == 0)
		rc = make_groups(scene, err);
	move_away(scene);
	if (rc == 0)
		rc = start_members(scene, err);
	if (rc == 0)
		rc = spin(scene, err);
	if (rc == 0)
		rc = measure(scene, err);
	if (rc == 0)
		judge(scene, ret);
	return rc;
}

int shares_measure(const struct cgroup_hierarchy *hierarchy, const struct shares_options *options, struct shares *ret, struct error *err)
{
	struct scene *scene = calloc(1, sizeof(*scene)); /* too large for a stack */

	if (!scene)
		return error_set(err, ENOMEM, "out of memory");
	scene->hierarchy = hierarchy;
	scene->options = options;
	scene->folder = FOLDER_NONE;
	scene->keeper = KEEPER_NONE;
	for (size_t i = 0; i < hierarchy->n_nodes; i++) {
		scene->members[i] = (struct member){.container = CONTAINER_NONE, .stream = -1};
		scene->idle[i] = shares_is_idle(hierarchy, options->idle, i);
	}
	int rc = run(scene, ret, err);
	int undone = undo(scene, rc < 0 ? NULL : err);
	free(scene);
	return rc < 0 ? rc : undone;
}
