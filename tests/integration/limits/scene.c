#include "scene.h"

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum verdict scene_open(const struct cgroup_limits *limits, unsigned extra, struct scene *ret, char *text, size_t size)
{
	unsigned wanted = cgroup_limits_controllers(limits) | extra;
	struct cgroup_layout layout;
	struct error err = {0};
	char name[64];

	*ret = (struct scene){0};
	int rc = cgroup_limits_check("", limits, &err);
	if (rc == 0)
		rc = cgroup_detect("", &layout, &err);
	if (rc == 0)
		rc = cgroup_tree_plan("", &layout, cgroup_run_name("", name, sizeof(name)), wanted, &ret->tree, &err);
	if (rc == 0 && ret->tree.note[0])
		return SAY(ABSENT, "%s", ret->tree.note);
	if (rc == 0)
		rc = cgroup_tree_open(&ret->tree, NULL, &err);
	if (rc == 0)
		rc = cgroup_create(&ret->tree, "a", limits, &ret->group, &err);
	if (rc == 0)
		return BITES;
	scene_close(ret);
	return SAY(FAILED, "%s", err.message);
}

void scene_close(struct scene *scene)
{
	struct error err = {0};

	if (cgroup_remove(&scene->tree, &scene->group, &err) == 0 && cgroup_tree_close(&scene->tree, &err) == 0)
		return;
	fprintf(stderr, "left behind: %s\n", err.message);
	exit(EXIT_FAILURE);
}

pid_t member_start(const struct scene *scene, int (*work)(void *arg), void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (cgroup_join(&scene->tree, &scene->group, NULL) < 0)
			_exit(125);
		_exit(work(arg));
	}
	return pid;
}

void member_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int member_wait(pid_t pid, int timeout_ms)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int status = -1;

	if (fd < 0 || poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, timeout_ms) != 1) {
		member_kill(pid);
		return -1;
	}
	waitpid(pid, &status, 0);
	return status;
}

int last_cpu(void)
{
	cpu_set_t set;
	int last = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((size_t)i, &set))
			last = i;
	return last;
}

int spin(void *arg)
{
	volatile unsigned long count = 0;
	cpu_set_t set;

	if (arg) {
		CPU_ZERO(&set);
		CPU_SET((size_t) * (int *)arg, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0)
			return 1;
	}
	for (;;)
		count++;
}

void let_run(int ms)
{
	int64_t end_ns = clock_now_ns() + (int64_t)ms * 1000000;

	for (int64_t left_ns; (left_ns = end_ns - clock_now_ns()) > 0;)
		poll(NULL, 0, (int)(left_ns / 1000000) + 1);
}

struct cgroup_usage usage_of(const struct scene *scene)
{
	struct cgroup_usage usage = {.cpu_ns = -1};

	cgroup_usage_read(&scene->tree, &scene->group, &usage, NULL);
	return usage;
}
