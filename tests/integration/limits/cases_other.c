#include "scene.h"

#include <base/files.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { PIDS = 5, MANY = 20 };

/* Forks until it is refused; the exit status is how many children there were, or 100 + errno when the refusal is another. */
static int fork_many(void *arg)
{
	pid_t pids[MANY];
	int n = 0, failed = 0;

	while (n < MANY) {
		pids[n] = fork();
		if (pids[n] == 0)
			for (;;)
				pause();
		if (pids[n] < 0) {
			failed = errno;
			break;
		}
		n++;
	}
	for (int i = 0; i < n; i++)
		member_kill(pids[i]);
	return failed == EAGAIN ? n : 100 + failed;
}

enum verdict case_pids(char *text, size_t size)
{
	struct scene scene;
	enum verdict verdict = scene_open(&(struct cgroup_limits){.pids_max = PIDS}, 0, &scene, text, size);

	if (verdict != BITES)
		return verdict;
	int status = member_wait(member_start(&scene, fork_many, NULL), 10000);
	struct cgroup_usage usage = usage_of(&scene);
	scene_close(&scene);
	return SAY(status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == PIDS - 1 && usage.pids_max_events != 0 ? BITES : FAILED,
		   "asked %d processes: fork number %d failed with EAGAIN, %lld refusal counted (status %#x)", PIDS,
		   WEXITSTATUS(status) + 1, (long long)usage.pids_max_events, (unsigned)status);
}

/* The kernel's log is a node that root can open and no container needs. */
static const char node[] = "/dev/kmsg";

/* Bit 0: null opens; bit 1: the node opens for reading; bit 2: for writing; bit 3: another error than EPERM. */
static int open_nodes(void *arg)
{
	const int how[] = {O_RDONLY, O_WRONLY};
	int result = open("/dev/null", O_RDWR | O_CLOEXEC) >= 0 ? 1 : 0;

	for (int i = 0; i < 2; i++)
		if (open(node, how[i] | O_CLOEXEC | O_NONBLOCK) >= 0)
			result |= 2 << i;
		else if (errno != EPERM)
			result |= 8;
	return result;
}

enum verdict case_devices(char *text, size_t size)
{
	struct cgroup_limits limits = {.devices_closed = true};
	int results[2];
	struct stat info;

	if (stat(node, &info) < 0 || open_nodes(NULL) != 7)
		return SAY(ABSENT, "%s cannot be opened here", node);
	for (int i = 0; i < 2; i++) {
		struct scene scene;
		enum verdict verdict = scene_open(&limits, 0, &scene, text, size);

		if (verdict != BITES)
			return verdict;
		int status = member_wait(member_start(&scene, open_nodes, NULL), 5000);
		scene_close(&scene);
		results[i] = status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		limits.devices[limits.n_devices++] = (struct cgroup_device_rule){
			.type = 'c', .device_major = major(info.st_rdev), .device_minor = minor(info.st_rdev), .read = true};
	}
	return SAY(results[0] == 1 && results[1] == 3 ? BITES : FAILED,
		   "%s not listed: EPERM; listed for reading: opens, writing is EPERM; /dev/null always opens (%d, %d)", node, results[0],
		   results[1]);
}

enum verdict case_net_prio(char *text, size_t size)
{
	char path[PATH_MAX], map[4096], value[32] = "";
	struct scene scene;
	enum verdict verdict = scene_open(&(struct cgroup_limits){.net_priority = 5}, 0, &scene, text, size);

	if (verdict != BITES)
		return verdict;
	snprintf(path, sizeof(path), "%s/net_prio.ifpriomap", scene.group.dirs[0]);
	bool there = file_read("", path, map, sizeof(map), NULL) >= 0 && text_field(map, "lo", value, sizeof(value));
	scene_close(&scene);
	return SAY(there && strcmp(value, "5") == 0 ? BITES : FAILED, "asked priority 5: what the group sends by lo has %s", value);
}
