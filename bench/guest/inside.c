#include "inside.h"

#include <base/files.h>
#include <bench/guest.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fact(int fd, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void fact(int fd, const char *key, const char *format, ...)
{
	char line[480];
	va_list ap;
	int length = snprintf(line, sizeof(line), GUEST_FACT "%s=", key);

	va_start(ap, format);
	vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, ap);
	va_end(ap);
	for (char *at = line; *at; at++)
		if (*at == '\n' || *at == '\t')
			*at = ' ';
	strcat(line, "\n");
	(void)!write(fd, line, strlen(line));
}

/* Namespaces in which the container is, and we are not. */
static void tell_namespaces(int fd, pid_t pid)
{
	static const char *const names[] = {"mnt", "pid", "net", "uts", "ipc", "cgroup", "time", "user"};
	char own[96] = "", shared[96] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64], ours[64] = "", theirs[64] = "";

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		bool known = readlink(path, ours, sizeof(ours) - 1) > 0;
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, names[i]);
		known = known && readlink(path, theirs, sizeof(theirs) - 1) > 0;
		char *list = known && strcmp(ours, theirs) != 0 ? own : shared;
		snprintf(list + strlen(list), sizeof(own) - strlen(list), "%s%s", list[0] ? " " : "", names[i]);
	}
	fact(fd, "namespaces", "%s", own);
	if (shared[0])
		fact(fd, "namespaces shared", "%s", shared);
}

/* The first line of its map: first id inside, first id outside, how many. */
static void tell_ids(int fd, pid_t pid)
{
	char path[64], text[512], *at = text;
	long numbers[3];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	if (file_read("", path, text, sizeof(text), NULL) <= 0)
		return;
	for (int i = 0; i < 3; i++)
		numbers[i] = strtol(at, &at, 10);
	fact(fd, "ids", "%ld-%ld are %ld-%ld of the guest", numbers[0], numbers[0] + numbers[2] - 1, numbers[1],
	     numbers[1] + numbers[2] - 1);
}

static void tell_process(int fd, pid_t pid)
{
	static const char *const keys[][2] = {
		{"NSpid", "pids"},           {"Seccomp", "seccomp mode"},  {"Seccomp_filters", "seccomp filters"},
		{"CapBnd", "caps bounding"}, {"CapEff", "caps effective"}, {"NoNewPrivs", "no new privileges"}};
	char path[64], text[4096], value[128];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read("", path, text, sizeof(text), NULL) < 0)
		return;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (text_field(text, keys[i][0], value, sizeof(value)))
			fact(fd, keys[i][1], "%s", value);
	tell_ids(fd, pid);
}

static void tell_group(int fd, const char *dir)
{
	static const char *const files[] = {"cgroup.controllers", "memory.max", "memory.swap.max", "cpu.max", "pids.max"};
	char path[PATH_MAX], text[256];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (path_format(path, sizeof(path), NULL, "%s/%s", dir, files[i]) == 0 && file_read("", path, text, sizeof(text), NULL) > 0)
			fact(fd, files[i], "%s", text);
}

int64_t inside_oom_kills(const struct container_plan *plan, const struct container *container)
{
	const char *dir = container_memory_dir(plan, container);
	char path[PATH_MAX], text[512], value[32];

	if (!dir || path_format(path, sizeof(path), NULL, "%s/memory.events", dir) < 0 ||
	    file_read("", path, text, sizeof(text), NULL) < 0 || !text_field(text, "oom_kill", value, sizeof(value)))
		return 0;
	return strtoll(value, NULL, 10);
}

void inside_tell(int fd, const struct container_plan *plan, const struct container *container)
{
	const struct container_facts *facts = container_plan_facts(plan);
	const char *dir = container_memory_dir(plan, container);

	if (container->pid > 0) {
		tell_namespaces(fd, container->pid);
		tell_process(fd, container->pid);
	}
	if (dir)
		tell_group(fd, dir);
	fact(fd, "oom kills", "%lld", (long long)inside_oom_kills(plan, container));
	fact(fd, "cgroup", "%s", facts->cgroup);
	fact(fd, "limits", "%s", facts->limits);
	fact(fd, "seccomp", "%s", facts->seccomp);
	fact(fd, "capabilities", "%s", facts->capabilities);
	for (size_t i = 0; i < facts->n_notes; i++)
		fact(fd, "note", "%s", facts->notes[i]);
	(void)!write(fd, GUEST_FACTS_END "\n", strlen(GUEST_FACTS_END "\n"));
}
