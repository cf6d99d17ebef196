#include "scene.h"

#include <base/files.h>
#include <sys/mman.h>

enum { MIB = 1 << 20 };

/* Touches as much memory as it is told, page by page. */
static int touch(void *arg)
{
	size_t bytes = *(size_t *)arg;
	volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < bytes; i += 4096)
		memory[i] = 1;
	return 0;
}

static bool was_killed(int status)
{
	return status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

enum verdict case_memory(char *text, size_t size)
{
	size_t inside = 8 * MIB, beyond = 64 * MIB;
	struct scene scene;
	enum verdict verdict = scene_open(&(struct cgroup_limits){.memory_bytes = 32 * MIB}, 0, &scene, text, size);

	if (verdict != BITES)
		return verdict;
	int fits = member_wait(member_start(&scene, touch, &inside), 20000);
	int status = member_wait(member_start(&scene, touch, &beyond), 20000);
	struct cgroup_usage usage = usage_of(&scene);
	scene_close(&scene);
	bool holds = usage.memory_peak_bytes <= 32 * MIB; /* -1 where the kernel does not tell */
	return SAY(fits == 0 && was_killed(status) && usage.oom_kills == 1 && holds ? BITES : FAILED,
		   "asked 32 MiB, touched 64: killed, %lld OOM kill counted, peak %.1f MiB; 8 MiB fit (status %#x, %#x)",
		   (long long)usage.oom_kills, (double)usage.memory_peak_bytes / MIB, (unsigned)status, (unsigned)fits);
}

enum verdict case_high(char *text, size_t size)
{
	const struct cgroup_limits limits = {.memory_high_bytes = 16 * MIB};
	size_t beyond = 256 * MIB;
	struct scene scene;
	char lacking[200];
	enum verdict verdict = scene_open(&limits, 0, &scene, text, size);

	if (verdict != BITES)
		return verdict;
	if (cgroup_limits_lacking(&scene.tree, &limits, lacking, sizeof(lacking))) {
		scene_close(&scene);
		return SAY(ABSENT, "%s", lacking);
	}
	pid_t pid = member_start(&scene, touch, &beyond);
	int status = member_wait(pid, 1500);
	struct cgroup_usage usage = usage_of(&scene);
	scene_close(&scene);
	return SAY(status == -1 && usage.high_events > 0 && usage.oom_kills == 0 ? BITES : FAILED,
		   "asked 16 MiB, touching 256 was throttled: not done after 1.5 s, %lld events (status %#x)", (long long)usage.high_events,
		   (unsigned)status);
}

enum verdict case_swap(char *text, size_t size)
{
	const struct cgroup_limits some = {.memory_bytes = 32 * MIB, .swap_bytes = 32 * MIB}, none = {.memory_bytes = 32 * MIB};
	char info[4096], total[64] = "0 kB";
	size_t fits = 40 * MIB, beyond = 96 * MIB;
	struct scene scene;

	file_read("", "/proc/meminfo", info, sizeof(info), NULL);
	text_field(info, "SwapTotal", total, sizeof(total));
	if (strtol(total, NULL, 10) < 32 * 1024)
		return SAY(ABSENT, "this host has no swap");
	enum verdict verdict = scene_open(&some, 0, &scene, text, size);
	if (verdict != BITES)
		return verdict;
	if (!scene.tree.counts_swap) {
		scene_close(&scene);
		return SAY(ABSENT, "this kernel does not count swap");
	}
	int inside = member_wait(member_start(&scene, touch, &fits), 30000);
	int status = member_wait(member_start(&scene, touch, &beyond), 30000);
	struct cgroup_usage usage = usage_of(&scene);
	scene_close(&scene);
	verdict = scene_open(&none, 0, &scene, text, size);
	if (verdict != BITES)
		return verdict;
	int without = member_wait(member_start(&scene, touch, &fits), 30000);
	scene_close(&scene);
	return SAY(inside == 0 && was_killed(status) && was_killed(without) && usage.oom_kills == 1 ? BITES : FAILED,
		   "asked 32 MiB and 32 of swap: touching 40 worked, 96 was killed; with no swap 40 was killed (status %#x, %#x, %#x)",
		   (unsigned)inside, (unsigned)status, (unsigned)without);
}

enum verdict case_hugetlb(char *text, size_t size)
{
	enum { PAGE = 2 * MIB };
	struct cgroup_limits limits = {.n_hugetlb = 1, .hugetlb = {{.page_bytes = PAGE, .bytes = 2 * PAGE}}};
	int64_t pages = 0;
	struct scene scene;

	file_read_int("", "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", &pages, NULL);
	if (pages < 4)
		return SAY(ABSENT, "this host has set %lld huge pages of 2 MiB aside; 4 are needed", (long long)pages);
	enum verdict verdict = scene_open(&limits, 0, &scene, text, size);
	if (verdict != BITES)
		return verdict;
	int result[2];
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			size_t bytes = (size_t)(i == 0 ? 2 : 3) * PAGE;

			if (cgroup_join(&scene.tree, &scene.group, NULL) < 0)
				_exit(125);
			volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
			if (memory == MAP_FAILED)
				_exit(errno == ENOMEM ? 12 : 1);
			for (size_t at = 0; at < bytes; at += PAGE)
				memory[at] = 1;
			_exit(0);
		}
		result[i] = member_wait(pid, 10000);
	}
	scene_close(&scene);
	bool refused = result[1] != -1 && ((WIFEXITED(result[1]) && WEXITSTATUS(result[1]) == 12) ||
					   (WIFSIGNALED(result[1]) && WTERMSIG(result[1]) == SIGBUS));
	return SAY(result[0] == 0 && refused ? BITES : FAILED, "asked 2 pages of 2 MiB: 2 worked, 3 ended with %s (status %#x, %#x)",
		   WIFEXITED(result[1]) ? "ENOMEM" : "SIGBUS", (unsigned)result[0], (unsigned)result[1]);
}
