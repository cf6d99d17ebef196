#include "footprint.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t field_kib(const char *text, const char *key)
{
	char value[64];

	return text_field(text, key, value, sizeof(value)) ? strtoll(value, NULL, 10) * 1024 : FOOTPRINT_UNKNOWN;
}

static void add(int64_t *sum, int64_t value)
{
	if (value != FOOTPRINT_UNKNOWN)
		*sum = *sum == FOOTPRINT_UNKNOWN ? value : *sum + value;
}

static void add_process(const char *root, pid_t pid, struct footprint *sum)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if (file_read(root, path, text, sizeof(text), NULL) < 0)
		return;
	add(&sum->uss_bytes, field_kib(text, "Private_Clean"));
	add(&sum->uss_bytes, field_kib(text, "Private_Dirty"));
	add(&sum->pss_bytes, field_kib(text, "Pss"));
	add(&sum->rss_bytes, field_kib(text, "Rss"));
}

/* A system of a few hundred processes: what is beyond that, or a list of children that is longer, is not counted. */
enum { FAMILY_MAX = 1024, CHILDREN_TEXT = 16384 };

struct family {
	pid_t pids[FAMILY_MAX];
	size_t n;
};

static void add_member(struct family *family, pid_t pid)
{
	for (size_t i = 0; i < family->n; i++)
		if (family->pids[i] == pid)
			return;
	if (family->n < FAMILY_MAX)
		family->pids[family->n++] = pid;
}

/* proc(5): each thread lists the children that it made. A kernel without CONFIG_PROC_CHILDREN has no such file: then a process stands alone. */
static void add_children(const char *root, pid_t pid, struct family *family)
{
	char path[PATH_MAX], text[CHILDREN_TEXT];

	if (path_format(path, sizeof(path), NULL, "%s/proc/%d/task", root, (int)pid) < 0)
		return;
	_cleanup_closedir_ DIR *threads = opendir(path);

	for (struct dirent *entry; threads && (entry = readdir(threads));) {
		char *at = text, *end;

		if (path_format(path, sizeof(path), NULL, "/proc/%d/task/%s/children", (int)pid, entry->d_name) < 0 ||
		    file_read(root, path, text, sizeof(text), NULL) < 0)
			continue;
		for (long child; (child = strtol(at, &end, 10)) > 0 && end != at; at = end)
			add_member(family, (pid_t)child);
	}
}

/* The first of two files that exists: cgroup v2's name, then v1's. */
static int64_t counter(const char *root, const char *cgroup, const char *v2, const char *v1)
{
	const char *const names[] = {v2, v1};
	char path[PATH_MAX];
	int64_t value;

	for (int i = 0; i < 2; i++)
		if (path_format(path, sizeof(path), NULL, "%s/%s", cgroup, names[i]) == 0 && file_read_int(root, path, &value, NULL) == 0)
			return value;
	return FOOTPRINT_UNKNOWN;
}

void footprint_read(const char *root, const struct instance *instance, struct footprint *ret)
{
	struct footprint sum = FOOTPRINT_NONE;
	struct family family = {.n = 0};

	for (size_t i = 0; i < instance->n_pids; i++)
		add_member(&family, instance->pids[i]);
	/* The list grows while it is walked: grandchildren come, too. */
	for (size_t i = 0; i < family.n; i++) {
		add_process(root, family.pids[i], &sum);
		add_children(root, family.pids[i], &family);
	}
	if (instance->cgroup[0]) {
		sum.cgroup_bytes = counter(root, instance->cgroup, "memory.current", "memory.usage_in_bytes");
		sum.cgroup_peak_bytes = counter(root, instance->cgroup, "memory.peak", "memory.max_usage_in_bytes");
	}
	*ret = sum;
}
