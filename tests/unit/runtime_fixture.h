/* What the tests of real containers share: a root with busybox, a container with a stream, and the look around at the end.
 * Skipped with the reason where the host does not allow containers, unless BENCH_MUST_RUN names "container". */
#pragma once

#include <runtime/container.h>
#include <runtime/plan.h>
#include <runtime/plan_build.h>
#include <runtime/rootfs.h>
#include <runtime/support.h>

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const shell[] = {"/busybox", "sh", NULL};
static const char *const environment[] = {"PATH=/", "GREETING=hello", NULL};
static char root[64], group_name[64], mounts_before[32768];

/* A skip leaves at once, past the teardown. */
static inline void skip(const char *reason)
{
	dir_remove(root, NULL);
	cr_skip_test("%s", reason);
}

static inline void cannot_run(const char *reason)
{
	const char *must = getenv("BENCH_MUST_RUN");

	cr_assert(!must || !strstr(must, "container"), "must run, but: %s", reason);
	skip(reason);
}

static inline struct container_options options_here(void)
{
	struct container_options options = container_options_default();

	options.rootfs = root;
	options.argv = shell;
	options.envp = environment;
	if (!group_name[0])
		cgroup_run_name("", group_name, sizeof(group_name));
	options.cgroup_name = group_name;
	options.limits = (struct cgroup_limits){.memory_bytes = 64 << 20, .cpu_percent = 150, .cpu_weight = 200, .pids_max = 20};
	return options;
}

static inline void setup(void)
{
	struct container_options options = container_options_default();
	struct error err = {0};

	strcpy(root, "/tmp/bench-root-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	chmod(root, 0755);
	if (access("/bin/busybox", X_OK) < 0)
		cannot_run("/bin/busybox is missing (package busybox-static)");
	if (container_support(&options, &err) == CONTAINER_UNSUPPORTED)
		cannot_run(err.message);
	cr_assert_eq(runtime_rootfs_prepare(root, "/bin/busybox", &err), 0, "%s", err.message);
	char from[80], to[80];
	snprintf(from, sizeof(from), "%s/agent", root);
	snprintf(to, sizeof(to), "%s/busybox", root); /* it looks at the name it is called by */
	cr_assert_eq(rename(from, to), 0);
	cr_assert_geq(file_read("", "/proc/self/mountinfo", mounts_before, sizeof(mounts_before), &err), 0, "%s", err.message);
}

/* Nothing is left: no child, no mount, no cgroup. */
static inline void teardown(void)
{
	char mounts[32768], path[128];
	const char *parents[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"};

	if (mounts_before[0]) {
		file_read("", "/proc/self/mountinfo", mounts, sizeof(mounts), NULL);
		cr_expect_str_eq(mounts, mounts_before);
	}
	cr_expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
	for (size_t i = 0; group_name[0] && i < sizeof(parents) / sizeof(parents[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", parents[i], group_name);
		cr_expect_not(path_exists(path), "%s is left", path);
	}
	dir_remove(root, NULL);
}

/* Gives up root for good, as far as this test's own process goes. */
static inline void become_ordinary(void)
{
	if (geteuid() != 0)
		return;
	cr_assert_eq(chown(root, 65534, 65534), 0);
	cr_assert(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	prctl(PR_SET_DUMPABLE, 1); /* as after an exec: /proc/self belongs to us again */
}

/* A started container with both ends of its stream. */
struct run {
	struct container_plan *plan;
	struct container container;
	int stream;
};

static inline struct run start(const struct container_options *options)
{
	struct run run = {.stream = -1};
	struct error err = {0};
	int pair[2];

	cr_assert_eq(container_prepare(options, &run.plan, &err), 0, "%s", err.message);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	const int stdio[3] = {pair[1], pair[1], pair[1]};
	int rc = container_start(run.plan, "c-1", stdio, 0, &run.container, &err);
	close(pair[1]);
	cr_assert_eq(rc, 0, "%s (%s)", err.message, err.hint);
	run.stream = pair[0];
	return run;
}

static inline struct container_plan *plan_for(const struct container_options *options)
{
	struct container_plan *plan = NULL;
	struct error err = {0};

	cr_assert_eq(container_prepare(options, &plan, &err), 0, "%s", err.message);
	return plan;
}

/* Gives a plan without a cgroup one of version 2, controllers or not. */
static inline void use_v2_group(struct container_plan *plan, const struct cgroup_layout *layout)
{
	plan->tree = (struct cgroup_tree){.ops = &cgroup_v2_ops, .n_dirs = 1, .dir_of = CGROUP_NO_DIRS};
	snprintf(plan->tree.dirs[0], CGROUP_PATH_MAX, "%.100s/%s", layout->v2, group_name);
	plan_add_parent(plan, (struct parent_step){.name = "make-cgroup", .apply = parent_make_cgroup, .arg = "", .before_clone = true});
}

/* Sends a script, closes that direction and collects what comes until the end. */
static inline void talk(struct run *run, const char *script, char *ret, size_t size)
{
	size_t used = 0;
	ssize_t got;

	cr_assert_eq(write(run->stream, script, strlen(script)), (ssize_t)strlen(script));
	shutdown(run->stream, SHUT_WR);
	while (used < size - 1 && (got = read(run->stream, ret + used, size - 1 - used)) > 0)
		used += (size_t)got;
	ret[used] = '\0';
}

static inline void end(struct run *run)
{
	struct error err = {0};

	cr_expect_eq(container_stop(run->plan, &run->container, &err), 0, "%s", err.message);
	cr_expect_eq(container_stop(run->plan, &run->container, &err), 0, "a second stop is fine");
	close(run->stream);
	container_plan_free(run->plan);
}

static inline void run_script(const struct container_options *options, const char *script, char *ret, size_t size)
{
	struct run run = start(options);

	talk(&run, script, ret, size);
	end(&run);
}

#define EXPECT_LINE(text, line) cr_expect_not_null(strstr(text, line), "no '%s' in:\n%s", line, text)
