/* Hierarchies: the file with its mistakes, the expected shares, and spinning members that are measured against them. */
#include <cgroup/cgroup_hierarchy.h>
#include <cgroup/cgroup_usage.h>

#include <base/files.h>
#include <base/journal.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

static const char faculty[] = BENCH_SOURCE_DIR "/docs/examples/faculty.json";

static struct cgroup_hierarchy read_faculty(void)
{
	struct cgroup_hierarchy hierarchy;
	struct error err = {0};

	cr_assert_eq(cgroup_hierarchy_read(faculty, &hierarchy, &err), 0, "%s", err.message);
	return hierarchy;
}

Test(cgroup_hierarchy, reads_the_example)
{
	struct cgroup_hierarchy hierarchy = read_faculty();
	char path[256];

	cr_assert_eq(hierarchy.n_nodes, 4);
	cr_assert_str_eq(cgroup_hierarchy_path(&hierarchy, 1, path, sizeof(path)), "Faculty/Web");
	cr_assert_eq(cgroup_hierarchy_find(&hierarchy, "Students"), 3);
	cr_assert_eq(cgroup_hierarchy_find(&hierarchy, "Web"), -1);
	cr_assert_eq(hierarchy.nodes[0].limits.cpu_weight, 4000);
	cr_assert_eq(hierarchy.nodes[0].n_children, 2);
	cr_assert_eq(hierarchy.nodes[2].parent, 0);
	cr_assert_float_eq(cgroup_hierarchy_share(&hierarchy, 0), 0.4, 1e-9);
	cr_assert_float_eq(cgroup_hierarchy_share(&hierarchy, 1), 0.2, 1e-9);
	cr_assert_float_eq(cgroup_hierarchy_share(&hierarchy, 2), 0.2, 1e-9);
	cr_assert_float_eq(cgroup_hierarchy_share(&hierarchy, 3), 0.6, 1e-9);
	cgroup_hierarchy_free(&hierarchy);
}

Test(cgroup_hierarchy, reads_all_keys)
{
	static const char text[] =
		"{\"groups\": {\"a\": {\"memory\": \"64M\", \"memory_high\": 33554432, \"memory_low\": \"1M\", \"swap\": \"8M\","
		"\"pids\": 9, \"cpus\": \"0-1\", \"mems\": \"0\", \"io_weight\": 50, \"cpu_percent\": 150}, \"b\": {}}}";
	struct cgroup_hierarchy hierarchy;
	struct error err = {0};

	cr_assert_eq(cgroup_hierarchy_parse(text, strlen(text), "x", &hierarchy, &err), 0, "%s", err.message);
	const struct cgroup_limits *limits = &hierarchy.nodes[0].limits;
	cr_expect_eq(limits->memory_bytes, 64 << 20);
	cr_expect_eq(limits->memory_high_bytes, 32 << 20);
	cr_expect_eq(limits->memory_low_bytes, 1 << 20);
	cr_expect_eq(limits->swap_bytes, 8 << 20);
	cr_expect_eq(limits->pids_max, 9);
	cr_expect_str_eq(limits->cpus, "0-1");
	cr_expect_str_eq(limits->mems, "0");
	cr_expect_eq(limits->io_weight, 50);
	cr_expect_eq(limits->cpu_percent, 150);
	cr_expect_eq(limits->cpu_weight, 0, "equal parts need no weight");
	cr_expect_float_eq(cgroup_hierarchy_share(&hierarchy, 1), 0.5, 1e-9);
	cgroup_hierarchy_free(&hierarchy);
}

static void refuse(const char *text, const char *message)
{
	struct cgroup_hierarchy hierarchy = {0};
	struct error err = {0};

	cr_expect_eq(cgroup_hierarchy_parse(text, strlen(text), "x.json", &hierarchy, &err), -EBADMSG, "%s", text);
	cr_expect_str_eq(err.message, message);
	cr_expect_null(hierarchy.nodes);
}

Test(cgroup_hierarchy, mistakes_have_a_place)
{
	refuse("", "x.json: line 1, column 0: this is no JSON");
	refuse("{\"groups\": {\"a\": {}\n", "x.json: line 2, column 0: this is no JSON");
	refuse("[]", "x.json: line 1: expected an object");
	refuse("{}", "x.json: line 1: no 'groups'");
	refuse("{\"groups\": {}}", "x.json: line 1: groups: expected an object with at least one group");
	refuse("{\n\"group\": {}}", "x.json: line 2: group: no such key; there is groups");
	refuse("{\"groups\": {\n\"a\": {},\n\"a\": {}}}", "x.json: line 3, column 3: a key that is there already");
	refuse("{\"groups\": {\n\"A\": {\"cpu_share\": 40},\n\"B\": {\"cpu_share\":\n 0}}}",
	       "x.json: line 3: groups.B.cpu_share: expected a number from 0.01 to 100 (percent of the group above)");
	refuse("{\"groups\": {\"A\": {\"cpu_share\": 40}, \"B\": {\"cpu_share\": 50}}}",
	       "x.json: line 1: groups: the cpu_shares of these groups sum up to 90: expected 100");
	refuse("{\"groups\": {\"A\": {\n\"groups\":{\"x\":{\"cpu_share\": 100}, \"y\":{}}}}}",
	       "x.json: line 2: groups.A.groups: 1 of 2 groups have a cpu_share: expected all or none");
	refuse("{\"groups\": {\"a/b\": {}}}", "x.json: line 1: groups.?: a group's name is 1 to 48 letters, digits, '-' and '_'");
	refuse("{\"groups\": {\"x\": {\"pids\": 1},\n \"..\": {}}}",
	       "x.json: line 2: groups.?: a group's name is 1 to 48 letters, digits, '-' and '_'");
	refuse("{\"groups\": {\"tasks\": {}}}",
	       "x.json: line 1: groups.tasks: the kernel has a file of that name in each group: choose another");
	refuse("{\"groups\": {\"a\": {\"pids\": \"9\"}}}", "x.json: line 1: groups.a.pids: expected a whole number from 1 to 4194304");
	refuse("{\"groups\": {\"a\": {\"memory\": \"much\"}}}",
	       "x.json: line 1: groups.a.memory: expected a size above 0: a number of bytes, or text as \"64M\"");
	refuse("{\"groups\": {\"a\": {\"cpus\": \"1-0\"}}}", "x.json: line 1: groups.a.cpus: expected a list of numbers as \"0-3,7\"");
	refuse("{\"groups\": {\"a\": 3}}", "x.json: line 1: groups.a: expected an object");
}

Test(cgroup_hierarchy, depth_and_number_are_bounded)
{
	char text[4096] = "", message[256];
	struct cgroup_hierarchy hierarchy = {0};
	struct error err = {0};
	size_t used = 0;

	for (int i = 0; i < CGROUP_DEPTH_MAX + 1; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "{\"groups\":{\"a\":");
	used += (size_t)snprintf(text + used, sizeof(text) - used, "{}");
	for (int i = 0; i < CGROUP_DEPTH_MAX + 1; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "}}");
	cr_expect_eq(cgroup_hierarchy_parse(text, used, "x", &hierarchy, &err), -EBADMSG);
	snprintf(message, sizeof(message), "groups are nested more than %d deep", CGROUP_DEPTH_MAX);
	cr_expect_not_null(strstr(err.message, message), "%s", err.message);

	used = (size_t)snprintf(text, sizeof(text), "{\"groups\":{");
	for (int i = 0; i <= CGROUP_NODES_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\"g%d\":{}", i ? "," : "", i);
	used += (size_t)snprintf(text + used, sizeof(text) - used, "}}");
	cr_expect_eq(cgroup_hierarchy_parse(text, used, "x", &hierarchy, &err), -EBADMSG);
	cr_expect_not_null(strstr(err.message, "groups.g64: more than 64 groups"), "%s", err.message);
}

Test(cgroup_hierarchy, files_that_cannot_be_read_are_named)
{
	struct cgroup_hierarchy hierarchy = {0};
	struct error err = {0};

	cr_expect_eq(cgroup_hierarchy_read("/nonexistent/h.json", &hierarchy, &err), -ENOENT);
	cr_expect_not_null(strstr(err.message, "/nonexistent/h.json"), "%s", err.message);
	cr_expect_eq(cgroup_hierarchy_read("/dev/zero", &hierarchy, &err), -EINVAL);
	cr_expect_not_null(strstr(err.message, "not a regular file"), "%s", err.message);
}

/* ---- on this host ---- */

static void skip_or_fail(const char *reason)
{
	const char *must = getenv("BENCH_MUST_RUN");

	cr_assert(!must || !strstr(must, "container") || geteuid() != 0, "must run, but: %s", reason);
	cr_skip_test("%s", reason);
}

static struct cgroup_hierarchy_groups open_here(const struct cgroup_hierarchy *hierarchy, struct journal *journal)
{
	struct cgroup_hierarchy_groups groups;
	struct cgroup_layout layout;
	struct error err = {0};
	char name[64];

	cr_assert_eq(cgroup_detect("", &layout, &err), 0, "%s", err.message);
	int rc = cgroup_hierarchy_open(hierarchy, &layout, cgroup_run_name("", name, sizeof(name)), CGROUP_BIT(CGROUP_CPUACCT), journal,
				       &groups, &err);
	if (rc == -EPERM)
		skip_or_fail(err.message);
	cr_assert_eq(rc, 0, "%s", err.message);
	return groups;
}

/* In a child: joins, binds itself to a CPU and counts. */
static pid_t start_spinner(const struct cgroup_hierarchy_groups *groups, size_t node, int cpu)
{
	pid_t pid = fork();

	if (pid == 0) {
		volatile unsigned long count = 0;
		cpu_set_t set;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CPU_ZERO(&set);
		CPU_SET((size_t)cpu, &set);
		if (cgroup_join(&groups->tree, &groups->groups[node], NULL) < 0 || sched_setaffinity(0, sizeof(set), &set) < 0)
			_exit(1);
		for (;;)
			count++;
	}
	return pid;
}

static int last_cpu(void)
{
	cpu_set_t set;
	int last = 0;

	cr_assert_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((size_t)i, &set))
			last = i;
	return last;
}

Test(cgroup_hierarchy, busy_leaves_get_their_shares, .timeout = 60)
{
	enum { RUN_MS = 3000, NODES = 4 };
	struct cgroup_hierarchy hierarchy = read_faculty();
	struct cgroup_hierarchy_groups groups = open_here(&hierarchy, NULL);
	pid_t pids[NODES] = {0};
	double used[NODES] = {0}, sum = 0;
	char path[256];
	int cpu = last_cpu();

	for (size_t i = 0; i < NODES; i++)
		if (hierarchy.nodes[i].n_children == 0)
			pids[i] = start_spinner(&groups, i, cpu);
	for (int64_t end_ns = clock_now_ns() + RUN_MS * INT64_C(1000000), left_ns; (left_ns = end_ns - clock_now_ns()) > 0;)
		poll(NULL, 0, (int)(left_ns / 1000000) + 1);
	for (size_t i = 0; i < NODES; i++) {
		struct cgroup_usage usage = {.cpu_ns = -1};

		if (!pids[i])
			continue;
		cr_expect_eq(cgroup_usage_read(&groups.tree, &groups.groups[i], &usage, NULL), 0);
		cr_expect_gt(usage.cpu_ns, 0);
		used[i] = (double)usage.cpu_ns;
		sum += used[i];
	}
	for (size_t i = 0; i < NODES; i++) {
		if (!pids[i])
			continue;
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
		double measured = 100 * used[i] / sum, declared = 100 * cgroup_hierarchy_share(&hierarchy, i);
		fprintf(stderr, "MEASURED %s: declared %.1f %%, used %.1f %%\n", cgroup_hierarchy_path(&hierarchy, i, path, sizeof(path)),
			declared, measured);
		cr_expect_lt(fabs(measured - declared), 3.0, "%s: declared %.1f %%, used %.1f %%", path, declared, measured);
	}
	cr_expect_eq(cgroup_hierarchy_close(&groups, NULL), 0);
	cgroup_hierarchy_free(&hierarchy);
}

/* A child that has joined a node when this returns, and waits to be killed. */
static pid_t start_member(const struct cgroup_hierarchy_groups *groups, size_t node)
{
	int ready[2];
	char byte = 0;

	cr_assert_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		byte = cgroup_join(&groups->tree, &groups->groups[node], NULL) == 0 ? 'y' : 'n';
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	cr_expect_eq(byte, 'y', "joined");
	return pid;
}

Test(cgroup_hierarchy, closing_ends_members_and_removes_all, .timeout = 60)
{
	struct cgroup_hierarchy hierarchy = read_faculty();
	struct scratch scratch = scratch_make();
	struct journal *journal = NULL;
	struct error err = {0};
	char text[2048];

	cr_assert_eq(journal_open(scratch_path(&scratch, "journal"), &journal, &err), 0, "%s", err.message);
	struct cgroup_hierarchy_groups groups = open_here(&hierarchy, journal);
	journal_close(journal);
	pid_t pid = start_member(&groups, 1);
	cr_expect_eq(groups.n_made, 4);
	cr_assert_geq(file_read("", scratch_path(&scratch, "journal"), text, sizeof(text), &err), 0, "%s", err.message);
	for (size_t i = 0; i < groups.tree.n_dirs; i++)
		cr_expect_not_null(strstr(text, groups.tree.dirs[i]), "the journal names the top");
	char top[CGROUP_PATH_MAX], leaf[CGROUP_PATH_MAX];
	memcpy(top, groups.tree.dirs[0], sizeof(top));
	memcpy(leaf, groups.groups[1].dirs[0], sizeof(leaf));
	cr_expect(path_exists(leaf));
	cr_expect_not_null(strstr(leaf, "/Faculty/Web"));
	cr_expect_eq(cgroup_hierarchy_close(&groups, &err), 0, "%s", err.message);
	cr_expect_eq(cgroup_hierarchy_close(&groups, &err), 0, "a second close is fine");
	cr_expect_not(path_exists(top));
	cr_expect_eq(waitpid(pid, NULL, 0), pid, "ended with its group");
	cgroup_hierarchy_free(&hierarchy);
	scratch_remove(&scratch);
}

/* The journal's undoer ends what a dead run left, even members of a frozen leaf deep inside. */
Test(cgroup_hierarchy, the_journal_undoes_a_frozen_hierarchy, .timeout = 60)
{
	static const char text[] = "{\"groups\": {\"a\": {\"groups\": {\"b\": {}}}}}";
	struct cgroup_hierarchy hierarchy;
	struct cgroup_hierarchy_groups groups;
	struct cgroup_layout layout;
	struct scratch scratch = scratch_make();
	struct journal *journal = NULL;
	struct error err = {0};
	char name[64];

	cr_assert_eq(cgroup_hierarchy_parse(text, strlen(text), "x", &hierarchy, &err), 0, "%s", err.message);
	cr_assert_eq(journal_open(scratch_path(&scratch, "journal"), &journal, &err), 0, "%s", err.message);
	cr_assert_eq(cgroup_detect("", &layout, &err), 0, "%s", err.message);
	int rc = cgroup_hierarchy_open(&hierarchy, &layout, cgroup_run_name("", name, sizeof(name)), CGROUP_BIT(CGROUP_FREEZER), journal,
				       &groups, &err);
	journal_close(journal);
	if (rc == -EPERM) {
		scratch_remove(&scratch);
		cgroup_hierarchy_free(&hierarchy);
		skip_or_fail(err.message);
	}
	cr_assert_eq(rc, 0, "%s", err.message);
	pid_t pid = start_member(&groups, 1);
	rc = cgroup_freeze(&groups.tree, &groups.groups[1], true, &err);
	cr_expect_eq(rc, 0, "%s", err.message);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "journal"), NULL, NULL, &err), 0, "%s", err.message);
	cr_expect_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(cgroup_hierarchy_close(&groups, &err), 0, "what is gone is success: %s", err.message);
	cgroup_hierarchy_free(&hierarchy);
	scratch_remove(&scratch);
}
