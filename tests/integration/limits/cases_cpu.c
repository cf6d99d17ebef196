#include "scene.h"

#include <sched.h>

enum { ACCOUNTED = CGROUP_BIT(CGROUP_CPUACCT) };

enum verdict case_quota(char *text, size_t size)
{
	enum { ASKED = 20 };
	struct scene scene;
	enum verdict verdict = scene_open(&(struct cgroup_limits){.cpu_percent = ASKED}, ACCOUNTED, &scene, text, size);

	if (verdict != BITES)
		return verdict;
	pid_t pid = member_start(&scene, spin, NULL);
	let_run(100); /* the first period may be a free one */
	int64_t start_ns = clock_now_ns(), before_ns = usage_of(&scene).cpu_ns;
	let_run(1500);
	struct cgroup_usage usage = usage_of(&scene);
	double percent = 100.0 * (double)(usage.cpu_ns - before_ns) / (double)(clock_now_ns() - start_ns);
	member_kill(pid);
	scene_close(&scene);
	return SAY(percent > ASKED / 4.0 && /* others may keep it from its part */ percent < ASKED + 3 && usage.throttled_periods > 0
			   ? BITES
			   : FAILED,
		   "asked %d %% of a CPU, used %.1f %%, throttled in %lld of %lld periods", ASKED, percent,
		   (long long)usage.throttled_periods, (long long)usage.periods);
}

enum verdict case_weight(char *text, size_t size)
{
	struct scene light, heavy;
	int cpu = last_cpu();
	enum verdict verdict = scene_open(&(struct cgroup_limits){.cpu_weight = 200}, ACCOUNTED, &light, text, size);

	if (verdict != BITES)
		return verdict;
	heavy = light;
	struct error err = {0};
	if (cgroup_create(&light.tree, "b", &(struct cgroup_limits){.cpu_weight = 600}, &heavy.group, &err) < 0) {
		scene_close(&light);
		return SAY(FAILED, "%s", err.message);
	}
	pid_t pids[] = {member_start(&light, spin, &cpu), member_start(&heavy, spin, &cpu)};
	let_run(2000);
	int64_t used_ns[] = {usage_of(&light).cpu_ns, usage_of(&heavy).cpu_ns};
	member_kill(pids[0]);
	member_kill(pids[1]);
	cgroup_remove(&heavy.tree, &heavy.group, NULL);
	scene_close(&light);
	double ratio = used_ns[0] > 0 ? (double)used_ns[1] / (double)used_ns[0] : 0;
	return SAY(ratio > 2.7 && ratio < 3.3 ? BITES : FAILED, "asked 3 : 1 on one CPU, used %.2f : 1", ratio);
}

/* Its mask is the cpuset; leaving it is refused. Exit status: what is wrong. */
static int look_at_cpus(void *arg)
{
	int cpu = *(int *)arg;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) != 1 || !CPU_ISSET((size_t)cpu, &set))
		return 1;
	CPU_ZERO(&set);
	CPU_SET(cpu == 0 ? 1 : 0, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 ? 2 : sched_getcpu() == cpu ? 0 : 3;
}

enum verdict case_cpuset(char *text, size_t size)
{
	struct cgroup_limits limits = {.mems = "0"};
	int cpu = last_cpu();
	struct scene scene;

	if (cpu == 0)
		return SAY(ABSENT, "this host has one CPU");
	snprintf(limits.cpus, sizeof(limits.cpus), "%d", cpu);
	enum verdict verdict = scene_open(&limits, 0, &scene, text, size);
	if (verdict != BITES)
		return verdict;
	int status = member_wait(member_start(&scene, look_at_cpus, &cpu), 5000);
	scene_close(&scene);
	return SAY(status == 0 ? BITES : FAILED, "asked CPU %d, the member's mask has it alone and cannot be left (status %#x)", cpu,
		   (unsigned)status);
}

enum verdict case_freezer(char *text, size_t size)
{
	struct error err = {0};
	struct scene scene;
	enum verdict verdict = scene_open(&(struct cgroup_limits){.freezable = true}, ACCOUNTED, &scene, text, size);

	if (verdict != BITES)
		return verdict;
	pid_t pid = member_start(&scene, spin, NULL);
	let_run(100);
	int64_t start_ns = clock_now_ns();
	int rc = cgroup_freeze(&scene.tree, &scene.group, true, &err);
	int64_t took_ns = clock_now_ns() - start_ns, before_ns = usage_of(&scene).cpu_ns;
	let_run(300);
	int64_t frozen_ns = usage_of(&scene).cpu_ns - before_ns;
	if (rc == 0)
		rc = cgroup_freeze(&scene.tree, &scene.group, false, &err);
	before_ns = usage_of(&scene).cpu_ns;
	let_run(300);
	int64_t thawed_ns = usage_of(&scene).cpu_ns - before_ns;
	/* A frozen group can be removed all the same. */
	if (rc == 0)
		rc = cgroup_freeze(&scene.tree, &scene.group, true, &err);
	if (rc == 0)
		rc = cgroup_remove(&scene.tree, &scene.group, &err);
	member_kill(pid);
	scene_close(&scene);
	if (rc < 0)
		return SAY(FAILED, "%s", err.message);
	return SAY(frozen_ns < 1000000 && thawed_ns > 20000000 ? BITES : FAILED,
		   "frozen after %.2f ms; in 300 ms a spinner used %.3f ms frozen, %.0f ms thawed", (double)took_ns / 1e6,
		   (double)frozen_ns / 1e6, (double)thawed_ns / 1e6);
}
