/* What the kernel counts by user or by process, and a container must not inherit or take from others. */
#include "runtime_fixture.h"

#include <sched.h>
#include <sys/resource.h>

TestSuite(runtime_quotas, .init = setup, .fini = teardown, .timeout = 60);

Test(runtime_quotas, limits_of_the_process_are_its_own)
{
	static const struct {
		int resource;
		rlim_t most;
	} kinds[] = {{RLIMIT_CORE, 1},          {RLIMIT_SIGPENDING, 4096}, {RLIMIT_MSGQUEUE, 400 * 1024},
		     {RLIMIT_MEMLOCK, 8 << 20}, {RLIMIT_RTPRIO, 0},        {RLIMIT_NICE, 0}};
	struct container_options options = options_here();
	struct run run = start(&options);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct rlimit theirs, ours;

		cr_assert_eq(prlimit(run.container.pid, kinds[i].resource, NULL, &theirs), 0, "%s", strerror(errno));
		cr_assert_eq(getrlimit(kinds[i].resource, &ours), 0);
		cr_expect(theirs.rlim_max <= kinds[i].most && theirs.rlim_cur <= theirs.rlim_max, "%d", kinds[i].resource);
		cr_expect_eq(theirs.rlim_max, ours.rlim_max < kinds[i].most ? ours.rlim_max : kinds[i].most, "%d", kinds[i].resource);
	}
	end(&run);
}

Test(runtime_quotas, user_namespaces_have_quotas)
{
	static const char script[] = "cd /proc/sys/user; echo $(/busybox cat max_inotify_instances max_user_namespaces)\n";
	struct container_options options = options_here();
	char text[256];

	options.userns = CONTAINER_ON;
	run_script(&options, script, text, sizeof(text));
	cr_expect_str_eq(text, "32 0\n");
	options.userns = CONTAINER_OFF;
	if (geteuid() == 0) { /* then they are the host's, and must stay */
		char ours[32];

		run_script(&options, script, text, sizeof(text));
		file_read("", "/proc/sys/user/max_inotify_instances", ours, sizeof(ours), NULL);
		cr_expect_eq(strncmp(text, ours, strlen(ours)), 0, "%s and %s", text, ours);
		cr_expect_null(strstr(text, " 0\n"));
	}
}

/* As where the caller is kept from being killed; a test may not have the right to be. */
Test(runtime_quotas, an_oom_score_is_its_own)
{
	struct container_options options = options_here();
	struct run run = {.plan = plan_for(&options), .container = CONTAINER_NONE, .stream = -1};
	struct error err = {0};
	char path[64], ours[16], before[16], theirs[16];
	int pair[2];

	run.plan->sets_oom_score = true;
	run.plan->oom_score = 77;
	file_read("", "/proc/self/oom_score_adj", before, sizeof(before), NULL);
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	cr_assert_eq(container_start(run.plan, "c-1", (int[]){pair[0], -1, -1}, 0, &run.container, &err), 0, "%s", err.message);
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)run.container.pid);
	file_read("", path, theirs, sizeof(theirs), NULL);
	file_read("", "/proc/self/oom_score_adj", ours, sizeof(ours), NULL);
	cr_expect_str_eq(theirs, "77");
	cr_expect_str_eq(ours, before);
	close(pair[0]);
	run.stream = pair[1];
	end(&run);
}

/* The mask of a process is its own to widen, the group's is not. */
Test(runtime_quotas, cpus_of_the_group_hold)
{
	struct container_options options = options_here();
	struct error err = {0};
	char text[256];
	cpu_set_t cpus;

	cr_expect_eq(container_options_set(&options, "cpuset", "0;1", &err), -EINVAL);
	cr_expect_eq(container_options_set(&options, "cpuset", "", &err), -EINVAL);
	cr_assert_eq(container_options_set(&options, "cpuset", "0", &err), 0, "%s", err.message);
	struct run run = start(&options);
	if (run.plan->tree.dir_of[CGROUP_CPUSET] < 0) {
		end(&run);
		skip("no cpuset controller for this user");
	}
	cr_assert_eq(sched_getaffinity(run.container.pid, sizeof(cpus), &cpus), 0);
	cr_expect(CPU_COUNT(&cpus) == 1 && CPU_ISSET(0, &cpus));
	talk(&run, "/busybox taskset -p 3 $$ >/dev/null 2>&1; /busybox grep Cpus_allowed_list /proc/self/status\n", text, sizeof(text));
	cr_expect_str_eq(text, "Cpus_allowed_list:\t0\n");
	end(&run);
}

/* Who starts thousands has as many descriptors; the container has none of them, and as many as it may have. */
Test(runtime_quotas, a_launcher_with_many_descriptors)
{
	enum { MANY = 2000 };
	struct container_options options = options_here();
	struct rlimit ours;
	char text[64];

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &ours), 0);
	ours.rlim_cur = ours.rlim_max;
	setrlimit(RLIMIT_NOFILE, &ours);
	if (ours.rlim_max < 2 * MANY)
		cr_skip_test("only %llu descriptors allowed here", (unsigned long long)ours.rlim_max);
	for (int i = 0; i < MANY; i++)
		cr_assert_geq(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	run_script(&options, "ulimit -n; ls /proc/self/fd | wc -l\n", text, sizeof(text));
	cr_expect_str_eq(text, "1024\n4\n");
	close_range(3 + 64, ~0U, 0);
}
