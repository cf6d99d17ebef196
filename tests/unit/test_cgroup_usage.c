/* Counters, read from files of real groups of both versions; and the groups of a process that runs already. */
#include <cgroup/cgroup_usage.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

/* A group "bench-cap/c-1" in a tree of the test data. */
static void place(const char *name, bool v2, struct cgroup_tree *tree, struct cgroup *group)
{
	static const struct {
		enum cgroup_controller controller;
		const char *mount;
	} v1[] = {{CGROUP_CPU, "cpu"}, {CGROUP_MEMORY, "memory"}, {CGROUP_PIDS, "pids"}, {CGROUP_CPUACCT, "cpuacct"}, {CGROUP_IO, "blkio"}};

	*tree = (struct cgroup_tree){.ops = v2 ? &cgroup_v2_ops : &cgroup_v1_ops, .dir_of = CGROUP_NO_DIRS};
	*group = (struct cgroup){0};
	if (strlen(BENCH_TEST_DATA) + strlen(name) + 2 > CGROUP_PATH_MAX)
		cr_skip_test("the path of the test data is too long");
	snprintf(tree->root, sizeof(tree->root), "%s/%s", BENCH_TEST_DATA, name);
	for (size_t i = 0; i < sizeof(v1) / sizeof(v1[0]); i++) {
		tree->dir_of[v1[i].controller] = v2 ? 0 : (int)i;
		snprintf(group->dirs[i], CGROUP_PATH_MAX, "/sys/fs/cgroup%s%s/bench-cap/c-1", v2 ? "" : "/", v2 ? "" : v1[i].mount);
	}
	group->n_dirs = v2 ? 1 : sizeof(v1) / sizeof(v1[0]);
}

Test(cgroup_usage, reads_version_1)
{
	struct cgroup_tree tree;
	struct cgroup group;
	struct cgroup_usage usage;
	struct error err = {0};

	place("cgroup-usage-v1", false, &tree, &group);
	cr_assert_eq(cgroup_usage_read(&tree, &group, &usage, &err), 0, "%s", err.message);
	cr_expect_eq(usage.cpu_ns, 360204356);
	cr_expect_eq(usage.cpu_user_ns, 407979990);
	cr_expect_eq(usage.cpu_system_ns, 44000000);
	cr_expect_eq(usage.periods, 5);
	cr_expect_eq(usage.throttled_periods, 4);
	cr_expect_eq(usage.throttled_ns, 137939737);
	cr_expect_eq(usage.memory_bytes, 32768);
	cr_expect_eq(usage.memory_peak_bytes, 33554432);
	cr_expect_eq(usage.kernel_bytes, 32768);
	cr_expect_eq(usage.swap_bytes, 0);
	cr_expect_eq(usage.oom_kills, 2);
	cr_expect_eq(usage.pids, 2);
	cr_expect_eq(usage.pids_max_events, 4);
	cr_expect_eq(usage.io.read_bytes, 667648);
	cr_expect_eq(usage.io.write_bytes, 1310720);
	cr_expect_eq(usage.io.read_ops, 13);
	cr_expect_eq(usage.io.write_ops, 20);
	cr_expect_eq(usage.high_events, -1, "version 1 does not count that");
	cr_expect_eq(usage.cpu_pressure.some_ns, -1);
	cr_expect_eq(usage.n_disks, 1);
	cr_expect_eq(usage.disks[0].device_major, 254);
	cr_expect_eq(usage.disks[0].io.read_bytes, usage.io.read_bytes);
}

Test(cgroup_usage, reads_version_2)
{
	struct cgroup_tree tree;
	struct cgroup group;
	struct cgroup_usage usage;
	struct error err = {0};

	place("cgroup-usage-v2", true, &tree, &group);
	cr_assert_eq(cgroup_usage_read(&tree, &group, &usage, &err), 0, "%s", err.message);
	cr_expect_eq(usage.cpu_ns, 2773147000);
	cr_expect_eq(usage.cpu_user_ns, 2527960000);
	cr_expect_eq(usage.cpu_system_ns, 245186000);
	cr_expect_eq(usage.periods, 56);
	cr_expect_eq(usage.throttled_periods, 55);
	cr_expect_eq(usage.throttled_ns, 2695818000);
	cr_expect_eq(usage.memory_bytes, 65536);
	cr_expect_eq(usage.memory_peak_bytes, 33554432);
	cr_expect_eq(usage.swap_bytes, 0);
	cr_expect_eq(usage.kernel_bytes, 4096);
	cr_expect_eq(usage.oom_kills, 1);
	cr_expect_eq(usage.high_events, 0);
	cr_expect_eq(usage.pids, 0);
	cr_expect_eq(usage.pids_max_events, 1);
	cr_expect_eq(usage.n_disks, 1);
	cr_expect_eq(usage.io.read_bytes, 0);
	cr_expect_eq(usage.io.write_bytes, 1310720);
	cr_expect_eq(usage.io.read_ops, 0);
	cr_expect_eq(usage.io.write_ops, 20);
	cr_expect_eq(usage.disks[0].device_major, 7);
	cr_expect_eq(usage.cpu_pressure.some_ns, 2378463000);
	cr_expect_eq(usage.cpu_pressure.full_ns, 2377237000);
	cr_expect_eq(usage.memory_pressure.some_ns, 14134000);
	cr_expect_eq(usage.memory_pressure.full_ns, 14134000);
	cr_expect_eq(usage.io_pressure.some_ns, 1429000);
	cr_expect_eq(usage.io_pressure.full_ns, 1429000);
	cr_expect_float_eq(usage.cpu_pressure.some_percent, 15.28, 1e-9);
}

Test(cgroup_usage, what_is_not_there_is_not_guessed)
{
	struct scratch scratch = scratch_make();
	struct cgroup_tree tree = {.ops = &cgroup_v2_ops, .dir_of = CGROUP_NO_DIRS};
	struct cgroup group = {.n_dirs = 1, .dirs = {"/g"}};
	struct cgroup_usage usage;
	struct error err = {0};

	snprintf(tree.root, sizeof(tree.root), "%s", scratch.path);
	cr_expect_eq(cgroup_usage_read(&tree, &group, &usage, &err), -ENOENT);
	cr_assert_eq(dir_make(scratch_path(&scratch, "g"), 0755, NULL), 0);
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		tree.dir_of[i] = 0;
	scratch_write(&scratch, "g/memory.current", "a lot\n");
	scratch_write(&scratch, "g/cpu.stat", "usage_usec 99999999999999999999\nuser_usec -4\nsystem_usec\n");
	scratch_write(&scratch, "g/io.stat", "254 rbytes=1\n254:x rbytes=1\n8:0 rbytes=x wbytes=2 wios=3\n8:0\n");
	scratch_write(&scratch, "g/cpu.pressure", "some avg10=x total=3\nfull total=1\n");
	cr_assert_eq(cgroup_usage_read(&tree, &group, &usage, &err), 0, "%s", err.message);
	const int64_t absent[] = {usage.cpu_ns,
				  usage.cpu_user_ns,
				  usage.cpu_system_ns,
				  usage.periods,
				  usage.throttled_ns,
				  usage.memory_bytes,
				  usage.memory_peak_bytes,
				  usage.swap_bytes,
				  usage.kernel_bytes,
				  usage.oom_kills,
				  usage.pids,
				  usage.pids_max_events,
				  usage.cpu_pressure.some_ns,
				  usage.cpu_pressure.full_ns,
				  usage.io_pressure.some_ns};
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		cr_expect_eq(absent[i], -1, "counter %zu", i);
	cr_expect_eq(usage.n_disks, 1);
	cr_expect_eq(usage.io.write_bytes, 2);
	cr_expect_eq(usage.io.write_ops, 3);
	cr_expect_eq(usage.io.read_bytes, 0);
	scratch_remove(&scratch);
}

Test(cgroup_usage, a_live_group_of_a_process_is_found)
{
	const struct cgroup_limits limits = {.pids_max = 7, .freezable = true};
	struct cgroup_layout layout;
	struct cgroup_tree tree, found_tree;
	struct cgroup group = {0}, found;
	struct cgroup_usage usage;
	struct error err = {0};
	char name[64], byte;
	int ready[2];

	cr_assert_eq(cgroup_detect("", &layout, &err), 0, "%s", err.message);
	cr_assert_eq(
		cgroup_tree_plan("", &layout, cgroup_run_name("", name, sizeof(name)), cgroup_limits_controllers(&limits), &tree, &err), 0);
	if (tree.n_dirs == 0 || tree.dir_of[CGROUP_PIDS] < 0)
		cr_skip_test("%s", tree.note);
	cr_assert_eq(cgroup_tree_open(&tree, NULL, &err), 0, "%s", err.message);
	cr_assert_eq(cgroup_create(&tree, "a", &limits, &group, &err), 0, "%s", err.message);
	cr_assert_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (cgroup_join(&tree, &group, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	bool joined = read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	int rc = cgroup_of_pid("", &layout, pid, &found_tree, &found, &err);
	cr_expect(joined);
	cr_expect_eq(rc, 0, "%s", err.message);
	if (rc == 0) {
		int at = found_tree.dir_of[CGROUP_PIDS];

		cr_expect_eq(found_tree.ops, tree.ops);
		cr_expect_geq(at, 0);
		cr_expect_str_eq(found.dirs[at], group.dirs[tree.dir_of[CGROUP_PIDS]]);
		cr_expect_eq(cgroup_usage_read(&found_tree, &found, &usage, &err), 0, "%s", err.message);
		cr_expect_eq(usage.pids, 1);
		cr_expect_eq(cgroup_freeze(&found_tree, &found, true, &err), 0, "%s", err.message);
	}
	cr_expect_eq(cgroup_remove(&tree, &group, &err), 0, "frozen, and removed all the same: %s", err.message);
	cr_expect_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(cgroup_tree_close(&tree, &err), 0, "%s", err.message);
}

Test(cgroup_usage, groups_of_a_process_on_other_hosts)
{
	struct cgroup_layout layout;
	struct cgroup_tree tree;
	struct cgroup group;
	struct error err = {0};
	char root[512];

	snprintf(root, sizeof(root), "%s/cgroup-pid", BENCH_TEST_DATA);
	if (strlen(root) >= CGROUP_PATH_MAX)
		cr_skip_test("the path of the test data is too long");
	cr_assert_eq(cgroup_detect(root, &layout, &err), 0, "%s", err.message);
	cr_assert_eq(cgroup_of_pid(root, &layout, 7, &tree, &group, &err), 0, "%s", err.message);
	cr_expect_eq(group.n_dirs, 2, "cpu and cpuacct are one; the top folder of cpuset is none of its own");
	cr_expect_str_eq(group.dirs[tree.dir_of[CGROUP_CPUACCT]], "/sys/fs/cgroup/cpu,cpuacct/docker/0a1b");
	cr_expect_eq(tree.dir_of[CGROUP_CPU], tree.dir_of[CGROUP_CPUACCT]);
	cr_expect_str_eq(tree.dirs[tree.dir_of[CGROUP_MEMORY]], "/sys/fs/cgroup/memory/docker");
	cr_expect_eq(tree.dir_of[CGROUP_CPUSET], -1);
	cr_expect_eq(cgroup_of_pid(root, &layout, 8, &tree, &group, &err), -ENOENT, "all top folders");
	cr_expect_eq(cgroup_of_pid(root, &layout, 9, &tree, &group, &err), -ENOENT, "no such process");
	cr_expect_not_null(strstr(err.message, "process 9"), "%s", err.message);
}
