/* Detection and placing of control groups on the trees of four kinds of hosts. Making and removing them for real is in test_runtime_container.c. */
#include <cgroup/cgroup.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct cgroup_layout detect(const char *tree)
{
	struct cgroup_layout layout;
	struct error err = {0};
	char root[512];

	snprintf(root, sizeof(root), "%s/%s", BENCH_TEST_DATA, tree);
	cr_assert_eq(cgroup_detect(root, &layout, &err), 0, "%s", err.message);
	return layout;
}

Test(cgroup, detects_hybrid)
{
	struct cgroup_layout layout = detect("cgroup-hybrid");

	cr_assert_eq(layout.mode, CGROUP_MODE_HYBRID);
	cr_assert_str_eq(layout.v1[CGROUP_CPU], "/sys/fs/cgroup/cpu");
	cr_assert_str_eq(layout.v1[CGROUP_MEMORY], "/sys/fs/cgroup/memory");
	cr_assert_str_eq(layout.v1[CGROUP_PIDS], "/sys/fs/cgroup/pids");
	cr_assert_str_eq(layout.v2, "/sys/fs/cgroup/unified");
	cr_assert_str_eq(layout.own, "/");
}

Test(cgroup, detects_v1_with_shared_hierarchy)
{
	struct cgroup_layout layout = detect("cgroup-v1");

	cr_assert_eq(layout.mode, CGROUP_MODE_V1);
	cr_assert_str_eq(layout.v1[CGROUP_CPU], "/sys/fs/cgroup/cpu,cpuacct", "cpuset and cpuacct are not cpu");
	cr_assert_str_eq(layout.v1[CGROUP_PIDS], "");
	cr_assert_str_eq(layout.own, "");
}

Test(cgroup, detects_v2)
{
	struct cgroup_layout layout = detect("cgroup-v2");

	cr_assert_eq(layout.mode, CGROUP_MODE_V2);
	cr_assert_str_eq(layout.v2, "/sys/fs/cgroup");
	cr_assert_str_eq(layout.own, "/user.slice/user-1000.slice/user@1000.service/app.slice/run-u7.scope");
}

Test(cgroup, detects_none_among_garbage)
{
	cr_assert_eq(detect("cgroup-none").mode, CGROUP_MODE_NONE);
}

Test(cgroup, detection_needs_proc)
{
	struct cgroup_layout layout;
	struct error err = {0};

	cr_assert_lt(cgroup_detect("/nonexistent", &layout, &err), 0);
	cr_assert_not_null(strstr(err.message, "/nonexistent/proc/self/mountinfo"));
}

/* A tree that this user may write to, as far as the tree itself says; whoever runs the tests, its owner is somebody else or not. */
enum { BASE = CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS) };

static struct cgroup_tree place(const char *name, unsigned wanted)
{
	struct cgroup_layout layout = detect(name);
	struct cgroup_tree tree;
	struct error err = {0};
	char root[512];

	snprintf(root, sizeof(root), "%s/%s", BENCH_TEST_DATA, name);
	if (faccessat(AT_FDCWD, root, W_OK, AT_EACCESS) < 0)
		cr_skip_test("this user may not write to the test data");
	if (strlen(root) >= CGROUP_PATH_MAX)
		cr_skip_test("the path of the test data is too long");
	cr_assert_eq(cgroup_tree_plan(root, &layout, "bench-1-x", wanted, &tree, &err), 0, "%s", err.message);
	return tree;
}

Test(cgroup, places_hybrid_in_three_hierarchies)
{
	struct cgroup_tree tree = place("cgroup-hybrid", BASE);

	cr_assert_eq(tree.ops, &cgroup_v1_ops);
	cr_assert_eq(tree.n_dirs, 3);
	cr_assert_str_eq(tree.dirs[tree.dir_of[CGROUP_MEMORY]], "/sys/fs/cgroup/memory/bench-1-x");
	cr_assert_str_eq(tree.note, "");
}

Test(cgroup, says_what_v1_lacks)
{
	struct cgroup_tree tree = place("cgroup-v1", BASE);

	cr_assert_eq(tree.n_dirs, 2);
	cr_assert_eq(tree.dir_of[CGROUP_PIDS], -1);
	cr_assert_str_eq(tree.note, "no cgroup limit for pids: no version 1 hierarchy has the controller");
}

Test(cgroup, places_v2_in_one_folder)
{
	struct cgroup_tree tree = place("cgroup-v2", BASE);

	cr_assert_eq(tree.ops, &cgroup_v2_ops);
	cr_assert_eq(tree.n_dirs, 1);
	cr_assert_str_eq(tree.dirs[0], "/sys/fs/cgroup/bench-1-x");
	cr_assert_str_eq(tree.note, "");
}

Test(cgroup, null_object_makes_nothing)
{
	struct cgroup_tree none = place("cgroup-none", BASE), off = place("cgroup-hybrid", 0);
	struct cgroup group = {0};
	struct cgroup_limits limits = {.memory_bytes = 1};
	struct error err = {0};

	cr_assert_eq(none.ops, &cgroup_null_ops);
	cr_assert_str_eq(none.note, "no cgroup limits: no cgroup file system is mounted");
	cr_assert_eq(off.ops, &cgroup_null_ops);
	cr_assert_str_eq(off.note, "");
	cr_assert_eq(cgroup_tree_open(&none, NULL, &err), 0);
	cr_assert_eq(cgroup_create(&none, "a", &limits, &group, &err), 0);
	cr_assert_eq(group.n_dirs, 0);
	cr_assert_null(cgroup_memory_dir(&none, &group));
	cr_assert_eq(cgroup_remove(&none, &group, &err), 0);
	cr_assert_eq(cgroup_tree_close(&none, &err), 0);
}

Test(cgroup, long_names_are_refused)
{
	struct cgroup_layout layout = detect("cgroup-hybrid");
	struct cgroup_tree tree;
	struct error err = {0};
	char name[CGROUP_PATH_MAX + 1];

	if (geteuid() != 0)
		cr_skip_test("needs a writable tree");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_eq(cgroup_tree_plan(BENCH_TEST_DATA "/cgroup-hybrid", &layout, name, BASE, &tree, &err), -ENAMETOOLONG);
}

Test(cgroup, run_names_are_plain)
{
	static const char *const others[] = {"",
					     "/",
					     "w0",
					     "/run/bench/0a1b2c3/w0",
					     "/run/bench/0a1b2c3d/x0",
					     "/tmp/bench-test",
					     "0a1b2c3d/w0",
					     "/run/0A1B2C3D/w0",
					     "/run/0a1b2c3d/w0/..",
					     "/run/0a1b2c3d/w"};
	char name[64], second[64];

	cr_assert_str_eq(cgroup_run_name("/run/bench/0a1b2c3d/w12", name, sizeof(name)), "bench-0a1b2c3d-w12");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		cgroup_run_name(others[i], name, sizeof(name));
		cgroup_run_name(others[i], second, sizeof(second));
		cr_assert_eq(strspn(name + 6, "0123456789abcdef"), 16, "'%s' gives %s", others[i], name);
		cr_assert_eq(strlen(name), 22, "'%s' gives %s", others[i], name);
		cr_assert_str_neq(name, second, "random, so never the same");
	}
}
