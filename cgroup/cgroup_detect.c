/* What kind of cgroups a host has, and where they are mounted. */
#include "cgroup_inside.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

const char *const cgroup_controller_names[] = {"cpu", "memory",  "pids",    "cpuacct",  "cpuset",
					       "io",  "devices", "hugetlb", "net_prio", "freezer"};
_Static_assert(sizeof(cgroup_controller_names) / sizeof(cgroup_controller_names[0]) == CGROUP_CONTROLLER_COUNT, "one name a controller");

/* As the mount options of version 1 have them. */
static const char *const v1_names[] = {"cpu", "memory", "pids", "cpuacct", "cpuset", "blkio", "devices", "hugetlb", "net_prio", "freezer"};
_Static_assert(sizeof(v1_names) / sizeof(v1_names[0]) == CGROUP_CONTROLLER_COUNT, "one name a controller");

const char *const cgroup_v2_names[] = {"cpu", "memory", "pids", NULL, "cpuset", "io", NULL, "hugetlb", NULL, NULL};
_Static_assert(sizeof(cgroup_v2_names) / sizeof(cgroup_v2_names[0]) == CGROUP_CONTROLLER_COUNT, "one name a controller");

const char *const cgroup_mode_names[] = {"none", "v1", "hybrid", "v2"};
_Static_assert(sizeof(cgroup_mode_names) / sizeof(cgroup_mode_names[0]) == CGROUP_MODE_COUNT, "one name a mode");

bool cgroup_list_has(const char *list, char separator, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; at; at = strchr(at, separator) ? strchr(at, separator) + 1 : NULL)
		if (strncmp(at, word, length) == 0 && (at[length] == separator || at[length] == '\0'))
			return true;
	return false;
}

/* One line of mountinfo: "id parent dev root MOUNTPOINT options [optional…] - TYPE source SUPEROPTIONS". Cut up in place. */
static void detect_mount(char *line, struct cgroup_layout *layout)
{
	char *tail = strstr(line, " - "), *save = NULL, *point = line, *type, *options;

	if (!tail)
		return;
	*tail = '\0';
	for (int i = 0; i < 4 && point; i++) {
		point = strchr(point, ' ');
		point = point ? point + 1 : NULL;
	}
	type = strtok_r(tail + 3, " ", &save);
	if (!point || !type || !strtok_r(NULL, " ", &save))
		return;
	options = strtok_r(NULL, " ", &save);
	point[strcspn(point, " ")] = '\0';
	if (strlen(point) >= CGROUP_PATH_MAX)
		return;
	if (strcmp(type, "cgroup2") == 0 && !layout->v2[0])
		strcpy(layout->v2, point);
	for (int i = 0; strcmp(type, "cgroup") == 0 && options && i < CGROUP_CONTROLLER_COUNT; i++)
		if (cgroup_list_has(options, ',', v1_names[i]) && !layout->v1[i][0])
			strcpy(layout->v1[i], point);
}

static bool has_v1(const struct cgroup_layout *layout)
{
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (layout->v1[i][0])
			return true;
	return false;
}

int cgroup_detect(const char *root, struct cgroup_layout *ret, struct error *err)
{
	struct cgroup_layout layout = {0};
	char path[PATH_MAX], *line = NULL;
	_cleanup_free_ char *buffer = NULL;
	size_t size = 0;

	if (path_format(path, sizeof(path), err, "%s/proc/self/mountinfo", root) < 0)
		return -ENAMETOOLONG;
	_cleanup_fclose_ FILE *mounts = fopen(path, "re");
	if (!mounts)
		return error_errno(err, "open %s", path);
	while (getline(&buffer, &size, mounts) > 0) {
		buffer[strcspn(buffer, "\n")] = '\0';
		detect_mount(buffer, &layout);
	}

	if (path_format(path, sizeof(path), err, "%s/proc/self/cgroup", root) < 0)
		return -ENAMETOOLONG;
	_cleanup_fclose_ FILE *groups = fopen(path, "re");
	while (groups && getline(&buffer, &size, groups) > 0) {
		line = buffer;
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) == 0 && strlen(line + 3) < sizeof(layout.own))
			strcpy(layout.own, line + 3);
	}
	if (has_v1(&layout))
		layout.mode = layout.v2[0] ? CGROUP_MODE_HYBRID : CGROUP_MODE_V1;
	else if (layout.v2[0])
		layout.mode = CGROUP_MODE_V2;
	*ret = layout;
	return 0;
}

const char *cgroup_run_name(const char *run_dir, char *ret, size_t size)
{
	const char *last = strrchr(run_dir, '/'), *id = last ? memrchr(run_dir, '/', (size_t)(last - run_dir)) : NULL;
	uint64_t number;

	if (id && last - id == 9 && strspn(id + 1, "0123456789abcdef") == 8 && last[1] == 'w' && last[2] && strlen(last + 2) <= 9 &&
	    strspn(last + 2, "0123456789") == strlen(last + 2)) {
		snprintf(ret, size, "bench-%.8s-%s", id + 1, last + 1);
		return ret;
	}
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint64_t)clock_now_ns() ^ (uint64_t)getpid() << 40; /* the first moments of a boot */
	snprintf(ret, size, "bench-%016llx", (unsigned long long)number);
	return ret;
}
