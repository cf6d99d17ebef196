#include "cgroup_usage.h"

#include "cgroup_inside.h"

#include <base/files.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 16384 };

/* Where a reader reads: one group's folder of each controller. */
struct place {
	const struct cgroup_tree *tree;
	const struct cgroup *group;
};

static bool read_text(const struct place *place, enum cgroup_controller controller, const char *file, char *ret, size_t size)
{
	const char *dir = cgroup_dir(place->tree, place->group, controller);
	char path[PATH_MAX];

	return dir && path_format(path, sizeof(path), NULL, "%s/%s", dir, file) == 0 &&
	       file_read(place->tree->root, path, ret, size, NULL) >= 0;
}

/* A whole number that is all of the text; anything else, and what does not fit, is absent. */
static int64_t number(const char *text)
{
	char *end;

	errno = 0;
	int64_t value = strtoll(text, &end, 10);
	return errno || end == text || *end || value < 0 ? -1 : value;
}

static int64_t read_number(const struct place *place, enum cgroup_controller controller, const char *file)
{
	char text[64];

	return read_text(place, controller, file, text, sizeof(text)) ? number(text) : -1;
}

static int64_t field(const char *text, const char *key)
{
	char value[64];

	return text_field(text, key, value, sizeof(value)) ? number(value) : -1;
}

static int64_t scale(int64_t value, int64_t factor)
{
	return value < 0 || value > INT64_MAX / factor ? -1 : value * factor;
}

/* ---- disks ---- */

/* The entry of a disk; NULL when there is no room. */
static struct cgroup_usage_io *disk_of(struct cgroup_usage *usage, unsigned device_major, unsigned device_minor)
{
	for (size_t i = 0; i < usage->n_disks; i++)
		if (usage->disks[i].device_major == device_major && usage->disks[i].device_minor == device_minor)
			return &usage->disks[i].io;
	if (usage->n_disks == CGROUP_USAGE_DISKS_MAX)
		return NULL;
	usage->disks[usage->n_disks] = (struct cgroup_usage_disk){device_major, device_minor, {0}};
	return &usage->disks[usage->n_disks++].io;
}

/* "254:0 " at the start of a line; returns what follows, or NULL. */
static const char *read_device(const char *line, unsigned *ret_major, unsigned *ret_minor)
{
	char *end;
	unsigned long major = strtoul(line, &end, 10), minor;

	if (end == line || *end != ':')
		return NULL;
	line = end + 1;
	minor = strtoul(line, &end, 10);
	if (end == line || *end != ' ')
		return NULL;
	*ret_major = (unsigned)major;
	*ret_minor = (unsigned)minor;
	return end + 1;
}

static void count(struct cgroup_usage *usage, struct cgroup_usage_io *disk, size_t at, int64_t value)
{
	struct cgroup_usage_io *const both[] = {&usage->io, disk};

	if (value < 0)
		return;
	for (int i = 0; i < 2; i++)
		if (both[i])
			*(int64_t *)((char *)both[i] + at) += value;
}

/* Version 2: "254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0". */
static void add_v2_disk(char *line, struct cgroup_usage *usage)
{
	static const struct {
		const char *key;
		size_t at;
	} keys[] = {{"rbytes", offsetof(struct cgroup_usage_io, read_bytes)},
		    {"wbytes", offsetof(struct cgroup_usage_io, write_bytes)},
		    {"rios", offsetof(struct cgroup_usage_io, read_ops)},
		    {"wios", offsetof(struct cgroup_usage_io, write_ops)}};
	unsigned major, minor;
	const char *rest = read_device(line, &major, &minor);
	char *save = NULL;

	if (!rest)
		return;
	struct cgroup_usage_io *disk = disk_of(usage, major, minor);
	for (char *word = strtok_r(line + (rest - line), " ", &save); word; word = strtok_r(NULL, " ", &save))
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			size_t length = strlen(keys[i].key);

			if (strncmp(word, keys[i].key, length) == 0 && word[length] == '=')
				count(usage, disk, keys[i].at, number(word + length + 1));
		}
}

/* Version 1: "254:0 Read 4096", one line a kind; in one file bytes, in another operations. */
static void add_v1_disk(char *line, bool ops, struct cgroup_usage *usage)
{
	unsigned major, minor;
	const char *rest = read_device(line, &major, &minor);

	if (!rest)
		return;
	if (strncmp(rest, "Read ", 5) == 0)
		count(usage, disk_of(usage, major, minor),
		      ops ? offsetof(struct cgroup_usage_io, read_ops) : offsetof(struct cgroup_usage_io, read_bytes), number(rest + 5));
	if (strncmp(rest, "Write ", 6) == 0)
		count(usage, disk_of(usage, major, minor),
		      ops ? offsetof(struct cgroup_usage_io, write_ops) : offsetof(struct cgroup_usage_io, write_bytes), number(rest + 6));
}

static void read_disks(const struct place *place, struct cgroup_usage *usage)
{
	static const char *const v2[] = {"io.stat"};
	static const char *const v1[] = {"blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"};
	bool is_v2 = place->tree->ops == &cgroup_v2_ops;
	char text[TEXT_MAX], *save;

	for (size_t i = 0; i < (is_v2 ? 1 : 2); i++) {
		if (!read_text(place, CGROUP_IO, is_v2 ? v2[i] : v1[i], text, sizeof(text)))
			continue;
		if (usage->io.read_bytes < 0)
			usage->io = (struct cgroup_usage_io){0}; /* a group that did no I/O has an empty file */
		save = NULL;
		for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			if (is_v2)
				add_v2_disk(line, usage);
			else
				add_v1_disk(line, i == 1, usage);
	}
}

/* ---- pressure ---- */

/* "some avg10=0.12 avg60=… total=1234" (microseconds). */
static void read_pressure_line(const char *text, const char *kind, int64_t *ret_ns, double *ret_percent)
{
	char line[160];
	const char *total, *recent;
	char *end;

	if (!text_field(text, kind, line, sizeof(line)) || !(recent = strstr(line, "avg10=")) || !(total = strstr(line, "total=")))
		return;
	double percent = strtod(recent + 6, &end);
	if (end == recent + 6)
		return;
	*ret_ns = scale(number(total + 6), 1000);
	*ret_percent = percent;
}

static void read_pressure(const struct place *place, const char *file, struct cgroup_pressure *ret)
{
	char path[PATH_MAX], text[512];

	*ret = (struct cgroup_pressure){-1, -1, -1, -1};
	if (place->tree->ops != &cgroup_v2_ops || path_format(path, sizeof(path), NULL, "%s/%s", place->group->dirs[0], file) < 0 ||
	    file_read(place->tree->root, path, text, sizeof(text), NULL) < 0)
		return;
	read_pressure_line(text, "some", &ret->some_ns, &ret->some_percent);
	read_pressure_line(text, "full", &ret->full_ns, &ret->full_percent);
}

/* ---- CPU, memory, processes ---- */

static void read_v2(const struct place *place, struct cgroup_usage *usage)
{
	char path[PATH_MAX], text[TEXT_MAX];

	/* Every folder has it, with or without the controller. */
	if (path_format(path, sizeof(path), NULL, "%s/cpu.stat", place->group->dirs[0]) == 0 &&
	    file_read(place->tree->root, path, text, sizeof(text), NULL) >= 0) {
		usage->cpu_ns = scale(field(text, "usage_usec"), 1000);
		usage->cpu_user_ns = scale(field(text, "user_usec"), 1000);
		usage->cpu_system_ns = scale(field(text, "system_usec"), 1000);
		usage->periods = field(text, "nr_periods");
		usage->throttled_periods = field(text, "nr_throttled");
		usage->throttled_ns = scale(field(text, "throttled_usec"), 1000);
	}
	usage->memory_bytes = read_number(place, CGROUP_MEMORY, "memory.current");
	usage->memory_peak_bytes = read_number(place, CGROUP_MEMORY, "memory.peak");
	usage->swap_bytes = read_number(place, CGROUP_MEMORY, "memory.swap.current");
	if (read_text(place, CGROUP_MEMORY, "memory.stat", text, sizeof(text)))
		usage->kernel_bytes = field(text, "kernel");
	if (read_text(place, CGROUP_MEMORY, "memory.events", text, sizeof(text))) {
		usage->oom_kills = field(text, "oom_kill");
		usage->high_events = field(text, "high");
	}
}

static void read_v1(const struct place *place, struct cgroup_usage *usage)
{
	char text[TEXT_MAX];

	usage->cpu_ns = read_number(place, CGROUP_CPUACCT, "cpuacct.usage");
	usage->cpu_user_ns = read_number(place, CGROUP_CPUACCT, "cpuacct.usage_user");
	usage->cpu_system_ns = read_number(place, CGROUP_CPUACCT, "cpuacct.usage_sys");
	if (read_text(place, CGROUP_CPU, "cpu.stat", text, sizeof(text))) {
		usage->periods = field(text, "nr_periods");
		usage->throttled_periods = field(text, "nr_throttled");
		usage->throttled_ns = field(text, "throttled_time"); /* nanoseconds here */
	}
	usage->memory_bytes = read_number(place, CGROUP_MEMORY, "memory.usage_in_bytes");
	usage->memory_peak_bytes = read_number(place, CGROUP_MEMORY, "memory.max_usage_in_bytes");
	usage->kernel_bytes = read_number(place, CGROUP_MEMORY, "memory.kmem.usage_in_bytes");
	if (read_text(place, CGROUP_MEMORY, "memory.stat", text, sizeof(text)))
		usage->swap_bytes = field(text, "total_swap");
	if (read_text(place, CGROUP_MEMORY, "memory.oom_control", text, sizeof(text)))
		usage->oom_kills = field(text, "oom_kill");
}

int cgroup_usage_read(const struct cgroup_tree *tree, const struct cgroup *group, struct cgroup_usage *ret, struct error *err)
{
	const struct place place = {tree, group};
	struct cgroup_usage usage;
	char text[256], path[PATH_MAX];

	memset(&usage, 0xff, sizeof(usage)); /* every integer -1 */
	usage.n_disks = 0;
	if (group->n_dirs == 0)
		return error_set(err, ENOENT, "read the counters of a container: it has no cgroup");
	int rc = path_format(path, sizeof(path), err, "%s%s", tree->root, group->dirs[0]);
	if (rc < 0)
		return rc;
	if (access(path, F_OK) < 0)
		return error_errno(err, "read the counters of cgroup %s", path);
	if (tree->ops == &cgroup_v2_ops)
		read_v2(&place, &usage);
	else
		read_v1(&place, &usage);
	usage.pids = read_number(&place, CGROUP_PIDS, "pids.current");
	if (read_text(&place, CGROUP_PIDS, "pids.events", text, sizeof(text)))
		usage.pids_max_events = field(text, "max");
	read_disks(&place, &usage);
	read_pressure(&place, "cpu.pressure", &usage.cpu_pressure);
	read_pressure(&place, "memory.pressure", &usage.memory_pressure);
	read_pressure(&place, "io.pressure", &usage.io_pressure);
	*ret = usage;
	return 0;
}
