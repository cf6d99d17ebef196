/* Detection and placing of control groups on the trees of four kinds of hosts. Making and removing them for real is in test_runtime_container.c. */
#include <cgroup/cgroup.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

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
	cr_assert_str_eq(layout.v1[CGROUP_CPUACCT], "/sys/fs/cgroup/cpuacct");
	cr_assert_str_eq(layout.v1[CGROUP_FREEZER], "/sys/fs/cgroup/freezer");
	cr_assert_str_eq(layout.v1[CGROUP_IO], "", "this host has no blkio");
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

Test(cgroup, touches_only_what_is_wanted)
{
	struct cgroup_tree one = place("cgroup-hybrid", CGROUP_BIT(CGROUP_FREEZER));
	struct cgroup_tree shared = place("cgroup-v1", CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_CPUACCT));

	cr_assert_eq(one.n_dirs, 1);
	cr_assert_str_eq(one.dirs[0], "/sys/fs/cgroup/freezer/bench-1-x");
	cr_assert_eq(one.dir_of[CGROUP_CPU], -1);
	cr_assert_str_eq(one.note, "");
	cr_assert_eq(shared.n_dirs, 1, "mounted together");
	cr_assert_str_eq(shared.dirs[0], "/sys/fs/cgroup/cpu,cpuacct/bench-1-x");
}

Test(cgroup, says_what_v2_lacks)
{
	struct cgroup_tree tree =
		place("cgroup-v2", BASE | CGROUP_BIT(CGROUP_NET_PRIO) | CGROUP_BIT(CGROUP_HUGETLB) | CGROUP_BIT(CGROUP_FREEZER));

	cr_assert_eq(tree.dir_of[CGROUP_FREEZER], 0, "needs no controller");
	cr_assert_str_eq(tree.note,
			 "no cgroup limit for net_prio: version 2 has no such controller; no cgroup limit for hugetlb: not enabled in "
			 "/sys/fs/cgroup/cgroup.subtree_control");
	cr_assert_str_eq(tree.remedy, "echo +hugetlb | sudo tee /sys/fs/cgroup/cgroup.subtree_control");
}

/* ---- a user's part of a host with systemd ---- */

static const char user_part[] = "/sys/fs/cgroup/user.slice/user-1000.slice";

/* A copy of the tree in which an ordinary user, who we become, may write to the folders in `writable` alone. */
static struct scratch delegate(const char *const *writable)
{
	struct scratch scratch = scratch_make();
	char command[1024];

	snprintf(command, sizeof(command),
		 "cp -r '%s/cgroup-v2-user/.' '%s' && cd '%s' && if [ $(id -u) = 0 ]; then chown -R 65534:65534 . ; fi && "
		 "find . -type d -exec chmod 555 {} + && find . -type f -exec chmod 444 {} +",
		 BENCH_TEST_DATA, scratch.path, scratch.path);
	cr_assert_eq(system(command), 0);
	for (size_t i = 0; writable[i]; i++) {
		snprintf(command, sizeof(command), "chmod u+w '%s%s%s'", scratch.path, user_part, writable[i]);
		cr_assert_eq(system(command), 0);
	}
	if (geteuid() == 0)
		cr_assert(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	return scratch;
}

static void end_delegation(struct scratch *scratch)
{
	char command[256];

	snprintf(command, sizeof(command), "chmod -R u+w '%s'", scratch->path);
	cr_expect_eq(system(command), 0);
	/* Its folder in /tmp was root's: what it holds goes, and it is removed by whoever may. */
	dir_remove(scratch->path, NULL);
}

static struct cgroup_tree place_delegated(const struct scratch *scratch, unsigned wanted)
{
	struct cgroup_layout layout;
	struct cgroup_tree tree;
	struct error err = {0};

	cr_assert_eq(cgroup_detect(scratch->path, &layout, &err), 0, "%s", err.message);
	cr_assert_eq(cgroup_tree_plan(scratch->path, &layout, "bench-1-x", wanted, &tree, &err), 0, "%s", err.message);
	return tree;
}

#define SERVICE      "/user@1000.service"
#define FOLDER(path) path, path "/cgroup.procs", path "/cgroup.subtree_control"
enum { MEMORY_PIDS = CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS) };

Test(cgroup, a_user_gets_the_nearest_folder_that_serves_most)
{
	struct scratch scratch = delegate((const char *[]){FOLDER(SERVICE), FOLDER(SERVICE "/app.slice"), NULL});
	struct cgroup_tree near = place_delegated(&scratch, MEMORY_PIDS), far = place_delegated(&scratch, BASE);
	struct cgroup_tree lacks = place_delegated(&scratch, MEMORY_PIDS | CGROUP_BIT(CGROUP_IO));

	cr_expect_str_eq(near.dirs[0], "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/bench-1-x");
	cr_expect_str_eq(near.note, "");
	cr_expect_str_eq(far.dirs[0], "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/bench-1-x", "there is cpu as well");
	cr_expect_str_eq(far.note, "");
	cr_expect_eq(lacks.dir_of[CGROUP_IO], -1);
	cr_expect_eq(strncmp(lacks.note, "no cgroup limit for io: not enabled in ", 39), 0, "%s", lacks.note);
	end_delegation(&scratch);
}

Test(cgroup, nothing_above_the_users_part_is_taken)
{
	struct scratch scratch = delegate((const char *[]){FOLDER(""), FOLDER(SERVICE), FOLDER(SERVICE "/app.slice"), NULL});
	struct cgroup_tree tree = place_delegated(&scratch, BASE | CGROUP_BIT(CGROUP_IO));

	cr_expect_str_eq(tree.dirs[0], "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/bench-1-x",
			 "the slice above would serve io, and is writable, but is not the user's");
	end_delegation(&scratch);
}

/* Without cgroup.procs nobody can be moved or born there; a part of a delegation is none. */
Test(cgroup, half_a_delegation_is_none)
{
	struct scratch scratch =
		delegate((const char *[]){FOLDER(SERVICE), SERVICE "/app.slice", SERVICE "/app.slice/cgroup.subtree_control", NULL});
	struct cgroup_tree tree = place_delegated(&scratch, MEMORY_PIDS);

	cr_expect_eq(tree.ops, &cgroup_null_ops);
	cr_expect_str_eq(tree.note, "no cgroup limits: no version 2 folder is delegated to this user");
	end_delegation(&scratch);
}

/* As after a log-in: the user's manager has a part that is delegated, but we are not in it and cannot get there. */
Test(cgroup, a_session_has_no_delegation)
{
	struct scratch scratch = delegate((const char *[]){FOLDER(SERVICE), FOLDER(SERVICE "/app.slice"), NULL});
	struct cgroup_layout layout;
	struct cgroup_tree tree;

	cr_assert_eq(cgroup_detect(scratch.path, &layout, NULL), 0);
	strcpy(layout.own, "/user.slice/user-1000.slice/session-3.scope");
	cr_assert_eq(cgroup_tree_plan(scratch.path, &layout, "bench-1-x", BASE, &tree, NULL), 0);
	cr_expect_eq(tree.ops, &cgroup_null_ops);
	cr_expect_not_null(strstr(tree.remedy, "Delegate=yes"), "%s", tree.remedy);
	end_delegation(&scratch);
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
