/* Real control groups: names of others, limits that the kernel refuses, members that fork, folders with a cpuset. */
#include "runtime_fixture.h"

#include <base/journal.h>
#include <cgroup/cgroup_inside.h>
#include <limits.h>
#include <signal.h>

TestSuite(container_cgroup, .init = setup, .fini = teardown, .timeout = 60);

/* A plan that has a group of its own on this host. */
static struct container_plan *plan_with_group(const struct container_options *options)
{
	struct container_plan *plan = plan_for(options);

	if (plan->tree.n_dirs > 0)
		return plan;
	container_plan_free(plan);
	if (geteuid() == 0)
		cannot_run("no cgroup");
	skip("this user may not make cgroups");
	return NULL;
}

Test(container_cgroup, a_name_that_is_taken_is_left_alone)
{
	struct container_options options = options_here();
	struct error err = {0};
	char journal_path[128], text[1024], dir[CGROUP_PATH_MAX];

	snprintf(journal_path, sizeof(journal_path), "%s/journal", root);
	cr_assert_eq(journal_open(journal_path, &options.journal, &err), 0, "%s", err.message);
	struct container_plan *plan = plan_with_group(&options);
	size_t last = plan->tree.n_dirs - 1;
	snprintf(dir, sizeof(dir), "%s", plan->tree.dirs[last]);
	cr_assert_eq(mkdir(dir, 0755), 0);
	cr_expect_eq(container_plan_open(plan, &err), -EEXIST, "%s", err.message);
	cr_expect_not_null(strstr(err.message, dir), "%s", err.message);
	for (size_t i = 0; i < last; i++)
		cr_expect_not(path_exists(plan->tree.dirs[i]), "what was made before is undone");
	container_plan_free(plan);
	cr_expect(path_exists(dir), "not ours, not removed");
	rmdir(dir);
	journal_close(options.journal);
	cr_assert_geq(file_read("", journal_path, text, sizeof(text), &err), 0, "%s", err.message);
	cr_expect_null(strstr(text, dir), "what is not ours must not be undone by others either:\n%s", text);
}

/* No kernel takes this many processes as a limit. */
Test(container_cgroup, a_limit_that_cannot_be_set_is_a_note_or_an_error)
{
	struct container_options options = options_here();
	struct container container = CONTAINER_NONE;
	struct error err = {0};

	options.limits.pids_max = INT_MAX;
	struct container_plan *plan = plan_with_group(&options);
	if (plan->tree.dir_of[CGROUP_PIDS] < 0) {
		container_plan_free(plan);
		skip("no pids controller");
	}
	const struct container_facts *facts = container_plan_facts(plan);
	cr_assert_eq(container_plan_open(plan, &err), 0, "%s", err.message);
	cr_expect_null(strstr(facts->cgroup, "pids"), "%s", facts->cgroup);
	cr_expect_null(strstr(facts->limits, "pids"), "%s", facts->limits);
	cr_expect_not_null(strstr(facts->limits, "memory=67108864"), "%s", facts->limits);
	cr_assert_geq(facts->n_notes, 1);
	const char *note = facts->notes[facts->n_notes - 1];
	cr_expect_not_null(strstr(note, "no cgroup limit for a controller: "), "%s", note);
	cr_expect_not_null(strstr(note, "pids.max"), "%s", note);
	cr_assert_eq(container_start(plan, "c-1", (int[]){0, 1, 2}, 0, &container, &err), 0, "%s", err.message);
	cr_expect_not_null(container_memory_dir(plan, &container), "the others hold");
	cr_assert_eq(container_stop(plan, &container, &err), 0, "%s", err.message);
	container_plan_free(plan);

	options.cgroup = CONTAINER_ON;
	plan = plan_for(&options);
	cr_expect_eq(container_plan_open(plan, &err), -EINVAL, "%s", err.message);
	cr_expect_not_null(strstr(err.message, "pids.max"), "%s", err.message);
	cr_expect_not_null(strstr(err.hint, "cgroup=auto"), "%s", err.hint);
	container_plan_free(plan);
}

/* The host's pid namespace: nothing but the cgroup knows the family, which grows while it is being ended. */
Test(container_cgroup, a_family_that_keeps_forking_ends)
{
	static const char script[] = "spawn() { while :; do spawn & done; }; spawn & echo x\n";
	struct container_options options = options_here();
	char byte;

	options.namespaces = CONTAINER_NS_ALL & ~(unsigned)CONTAINER_NS_PID;
	options.limits.pids_max = 100;
	options.limits.cpu_percent = 100;
	struct container_plan *plan = plan_with_group(&options);
	bool counted = plan->tree.dir_of[CGROUP_PIDS] >= 0;
	container_plan_free(plan);
	if (!counted)
		skip("no pids controller: forks without an end would harm this host");
	struct run run = start(&options);
	cr_assert_eq(write(run.stream, script, sizeof(script) - 1), (ssize_t)sizeof(script) - 1);
	cr_assert_eq(read(run.stream, &byte, 1), 1);
	char path[PATH_MAX];
	int64_t living = 0, deadline_ns = clock_now_ns() + INT64_C(10000000000);
	snprintf(path, sizeof(path), "%s/pids.current", run.container.cgroup.dirs[run.plan->tree.dir_of[CGROUP_PIDS]]);
	while (living < 50 && clock_now_ns() < deadline_ns)
		cr_assert_eq(file_read_int("", path, &living, NULL), 0);
	cr_expect_geq(living, 50);
	end(&run); /* teardown finds the cgroup gone, so all of them are */
}

/* Version 1 can mount cpuset together with what we use; then a new folder takes nobody before it has CPUs and memory nodes. */
Test(container_cgroup, folders_with_a_cpuset_take_members)
{
	static const char top[] = "/sys/fs/cgroup/cpuset";
	struct container_options options = options_here();
	char path[128], text[512], want[128];

	if (!path_exists("/sys/fs/cgroup/cpuset/cgroup.clone_children") || faccessat(AT_FDCWD, top, W_OK, AT_EACCESS) < 0)
		skip("no version 1 hierarchy with a cpuset that this user may write to");
	struct run run = {.plan = plan_for(&options), .container = CONTAINER_NONE, .stream = -1};
	struct error err = {0};
	run.plan->tree = (struct cgroup_tree){.ops = &cgroup_v1_ops, .n_dirs = 1, .dir_of = CGROUP_NO_DIRS};
	snprintf(run.plan->tree.dirs[0], CGROUP_PATH_MAX, "%s/%s", top, group_name);
	cr_assert_eq(cgroup_tree_open(&run.plan->tree, NULL, &err), 0, "%s", err.message);
	int pair[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	int rc = container_start(run.plan, "c-1", (int[]){pair[1], pair[1], pair[1]}, 0, &run.container, &err);
	close(pair[1]);
	run.stream = pair[0];
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)run.container.pid);
	snprintf(want, sizeof(want), "cpuset:/%s/c-1", group_name);
	file_read("", path, text, sizeof(text), NULL);
	end(&run);
	cr_assert_eq(rc, 0, "%s", err.message);
	EXPECT_LINE(text, want);
	snprintf(path, sizeof(path), "%s/%s", top, group_name);
	cr_expect_not(path_exists(path), "%s is left", path);
}

/* What a kernel without cgroup.kill makes us do. */
Test(container_cgroup, members_are_killed_one_by_one)
{
	enum { MEMBERS = 5 };
	struct container_options options = options_here();
	struct container_plan *plan = plan_with_group(&options);
	struct error err = {0};
	char path[PATH_MAX], text[32];
	pid_t pids[MEMBERS], outside = fork();

	if (outside == 0)
		for (;;)
			pause();
	cr_assert_eq(container_plan_open(plan, &err), 0, "%s", err.message);
	struct cgroup group = {0};
	cr_assert_eq(cgroup_create(&plan->tree, "g", &(struct cgroup_limits){0}, &group, &err), 0, "%s", err.message);
	snprintf(path, sizeof(path), "%s/cgroup.procs", group.dirs[0]);
	for (int i = 0; i < MEMBERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			for (;;)
				pause();
		snprintf(text, sizeof(text), "%d", (int)pids[i]);
		cr_assert_eq(file_write_kernel(path, text, &err), 0, "%s", err.message);
	}
	cr_expect_eq(cgroup_kill_members(group.dirs[0], clock_now_ns() + INT64_C(5000000000)), MEMBERS);
	for (int i = 0; i < MEMBERS; i++) {
		int status = 0;

		cr_expect_eq(waitpid(pids[i], &status, WNOHANG), pids[i], "waited for");
		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	cr_expect_eq(cgroup_kill_members(group.dirs[0], 0), 0);
	cr_expect_eq(waitpid(outside, NULL, WNOHANG), 0, "who is no member lives");
	int pids_at = plan->tree.dir_of[CGROUP_PIDS];
	if (plan->tree.ops == &cgroup_v1_ops && pids_at >= 0) {
		plan->tree.ops->empty(group.dirs[pids_at], 0);
		snprintf(path, sizeof(path), "%s/pids.max", group.dirs[pids_at]);
		cr_expect(file_read("", path, text, sizeof(text), NULL) == 1 && text[0] == '0', "who is in it does not fork any more");
	}
	kill(outside, SIGKILL);
	waitpid(outside, NULL, 0);
	cr_expect_eq(cgroup_remove(&plan->tree, &group, &err), 0, "%s", err.message);
	container_plan_free(plan);
}

/* A group below a threaded one takes no process. */
Test(container_cgroup, being_born_in_the_wrong_place_names_the_group)
{
	struct container_options options = options_here();
	struct container container = CONTAINER_NONE;
	struct cgroup_layout layout;
	struct error err = {0};
	char path[PATH_MAX];

	cr_assert_eq(cgroup_detect("", &layout, &err), 0, "%s", err.message);
	if (!layout.v2[0] || faccessat(AT_FDCWD, layout.v2, W_OK, AT_EACCESS) < 0)
		skip("no unified hierarchy that this user may write to");
	options.cgroup = CONTAINER_OFF;
	struct container_plan *plan = plan_for(&options);
	use_v2_group(plan, &layout);
	cr_assert_eq(cgroup_tree_open(&plan->tree, NULL, &err), 0, "%s", err.message);
	snprintf(path, sizeof(path), "%s/cgroup.type", plan->tree.dirs[0]);
	int rc = file_write_kernel(path, "threaded", &err);
	if (rc == 0)
		rc = container_start(plan, "c-1", (int[]){0, 1, 2}, 0, &container, &err);
	container_stop(plan, &container, NULL);
	snprintf(path, sizeof(path), "start in cgroup %s/c-1: ", plan->tree.dirs[0]);
	container_plan_free(plan);
	cr_expect_eq(rc, -EOPNOTSUPP, "%s", err.message);
	cr_expect_not_null(strstr(err.message, path), "%s", err.message);
	cr_expect_not_null(strstr(err.hint, "cgroup=off"), "%s", err.hint);
}
