/* The limits among the options of `run`, and capabilities by name. */
#include "run_spec.h"

#include <base/units.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { CPUS_MAX = 4096, WEIGHT_MAX = 10000, SUGGESTION_DISTANCE_MAX = 3 };

static int parse_size(const char *value, int64_t *ret, struct error *err)
{
	int rc = parse_bytes(value, ret, err);

	return rc == 0 && *ret <= 0 ? error_set(err, EINVAL, "'%s': expected more than nothing", value) : rc;
}

static int set_memory(struct run_spec *spec, const char *value, struct error *err)
{
	return parse_size(value, &spec->options.limits.memory_bytes, err);
}

static int set_memory_high(struct run_spec *spec, const char *value, struct error *err)
{
	return parse_size(value, &spec->options.limits.memory_high_bytes, err);
}

static int set_memory_low(struct run_spec *spec, const char *value, struct error *err)
{
	return parse_size(value, &spec->options.limits.memory_low_bytes, err);
}

static int set_swap(struct run_spec *spec, const char *value, struct error *err)
{
	if (strcmp(value, "unlimited") != 0)
		return parse_bytes(value, &spec->options.limits.swap_bytes, err);
	spec->options.limits.swap_bytes = -1;
	return 0;
}

/* "0.5", "2": CPUs. The limits count hundredths. */
static int set_cpus(struct run_spec *spec, const char *value, struct error *err)
{
	char *end;
	double cpus = isdigit((unsigned char)value[0]) ? strtod(value, &end) : -1;

	if (cpus < 0 || *end || strspn(value, "0123456789.") != strlen(value) || cpus < 0.01 || cpus > CPUS_MAX)
		return error_set(err, EINVAL, "'%.40s': expected a number of CPUs from 0.01 to %d, e.g. 0.5", value, CPUS_MAX);
	spec->options.limits.cpu_percent = (int)lround(cpus * 100);
	return 0;
}

static int parse_int(const char *what, const char *value, int64_t max, int *ret, struct error *err)
{
	int64_t number;
	int rc = parse_integer(what, value, 1, max, &number, err);

	if (rc == 0)
		*ret = (int)number;
	return rc;
}

static int set_cpu_weight(struct run_spec *spec, const char *value, struct error *err)
{
	return parse_int("weight", value, WEIGHT_MAX, &spec->options.limits.cpu_weight, err);
}

static int set_io_weight(struct run_spec *spec, const char *value, struct error *err)
{
	return parse_int("weight", value, WEIGHT_MAX, &spec->options.limits.io_weight, err);
}

static int set_pids(struct run_spec *spec, const char *value, struct error *err)
{
	return parse_int("processes", value, INT32_MAX, &spec->options.limits.pids_max, err);
}

static int set_net_priority(struct run_spec *spec, const char *value, struct error *err)
{
	int rc = parse_int("priority", value, 7, &spec->options.limits.net_priority, err);

	spec->options.link_limits.priority = spec->options.limits.net_priority;
	return rc;
}

/* For the group, and as a mask of the process where there is no such controller. */
static int set_cpuset(struct run_spec *spec, const char *value, struct error *err)
{
	struct cgroup_limits *limits = &spec->options.limits;

	if (!isdigit((unsigned char)value[0]) || strspn(value, "0123456789,-") != strlen(value) || strlen(value) >= sizeof(limits->cpus))
		return error_set(err, EINVAL, "'%.60s': expected a list of CPUs, e.g. 0-1,3", value);
	strcpy(limits->cpus, value);
	spec->options.cpuset = value;
	return 0;
}

static int set_net_rate(struct run_spec *spec, const char *value, struct error *err)
{
	return parse_size(value, &spec->options.link_limits.rate_bytes, err);
}

/* ---- disks ---- */

static int find_disk(struct cgroup_limits *limits, const char *path, struct cgroup_io_limit **ret, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_errno(err, "disk %s", path);
	if (!S_ISBLK(st.st_mode))
		return error_set(err, ENOTBLK, "%s is no block device", path);
	for (size_t i = 0; i < limits->n_io; i++)
		if (limits->io[i].device_major == major(st.st_rdev) && limits->io[i].device_minor == minor(st.st_rdev)) {
			*ret = &limits->io[i];
			return 0;
		}
	if (limits->n_io == CGROUP_IO_MAX)
		return error_set(err, E2BIG, "more than %d disks", CGROUP_IO_MAX);
	*ret = &limits->io[limits->n_io++];
	**ret = (struct cgroup_io_limit){.device_major = major(st.st_rdev), .device_minor = minor(st.st_rdev)};
	return 0;
}

/* DEVICE:RATE; the rate is behind the last colon. */
static int split_rate(struct run_spec *spec, const char *value, bool is_count, struct cgroup_io_limit **ret, int64_t *ret_rate,
		      struct error *err)
{
	const char *colon = strrchr(value, ':');
	char path[256];

	if (!colon || colon == value || (size_t)(colon - value) >= sizeof(path))
		return error_set(err, EINVAL, "'%.200s': expected DEVICE:RATE, e.g. /dev/sda:10M", value);
	memcpy(path, value, (size_t)(colon - value));
	path[colon - value] = '\0';
	int rc = is_count ? parse_integer("requests", colon + 1, 1, INT32_MAX, ret_rate, err) : parse_size(colon + 1, ret_rate, err);
	return rc < 0 ? rc : find_disk(&spec->options.limits, path, ret, err);
}

static int set_io_read(struct run_spec *spec, const char *value, struct error *err)
{
	struct cgroup_io_limit *disk;
	int64_t rate;
	int rc = split_rate(spec, value, false, &disk, &rate, err);

	if (rc == 0)
		disk->read_bytes = rate;
	return rc;
}

static int set_io_write(struct run_spec *spec, const char *value, struct error *err)
{
	struct cgroup_io_limit *disk;
	int64_t rate;
	int rc = split_rate(spec, value, false, &disk, &rate, err);

	if (rc == 0)
		disk->write_bytes = rate;
	return rc;
}

static int set_iops_read(struct run_spec *spec, const char *value, struct error *err)
{
	struct cgroup_io_limit *disk;
	int64_t rate;
	int rc = split_rate(spec, value, true, &disk, &rate, err);

	if (rc == 0)
		disk->read_ops = rate;
	return rc;
}

static int set_iops_write(struct run_spec *spec, const char *value, struct error *err)
{
	struct cgroup_io_limit *disk;
	int64_t rate;
	int rc = split_rate(spec, value, true, &disk, &rate, err);

	if (rc == 0)
		disk->write_ops = rate;
	return rc;
}

/* PAGE-SIZE:BYTES */
static int set_hugetlb(struct run_spec *spec, const char *value, struct error *err)
{
	struct cgroup_limits *limits = &spec->options.limits;
	const char *colon = strchr(value, ':');
	struct cgroup_hugetlb_limit limit;
	char page[32];

	if (!colon || colon == value || (size_t)(colon - value) >= sizeof(page))
		return error_set(err, EINVAL, "'%.60s': expected PAGE-SIZE:BYTES, e.g. 2M:64M", value);
	if (limits->n_hugetlb == CGROUP_HUGETLB_MAX)
		return error_set(err, E2BIG, "more than %d page sizes", CGROUP_HUGETLB_MAX);
	memcpy(page, value, (size_t)(colon - value));
	page[colon - value] = '\0';
	int rc = parse_size(page, &limit.page_bytes, err);
	if (rc == 0)
		rc = parse_bytes(colon + 1, &limit.bytes, err);
	if (rc == 0)
		limits->hugetlb[limits->n_hugetlb++] = limit;
	return rc;
}

const struct run_option run_limit_options[] = {
	{"memory", set_memory},
	{"memory-high", set_memory_high},
	{"memory-low", set_memory_low},
	{"swap", set_swap},
	{"cpus", set_cpus},
	{"cpu-weight", set_cpu_weight},
	{"cpuset", set_cpuset},
	{"pids", set_pids},
	{"io-weight", set_io_weight},
	{"io-read", set_io_read},
	{"io-write", set_io_write},
	{"iops-read", set_iops_read},
	{"iops-write", set_iops_write},
	{"hugetlb", set_hugetlb},
	{"net-rate", set_net_rate},
	{"net-priority", set_net_priority},
	{NULL, NULL},
};

/* ---- capabilities ---- */

/* How many letters must be put in, taken out or exchanged to make one of the other; texts of up to 31 letters. */
static int distance(const char *a, const char *b)
{
	int row[33], n = (int)strnlen(b, 31);

	for (int j = 0; j <= n; j++)
		row[j] = j;
	for (int i = 0; i < 31 && a[i]; i++) {
		int diagonal = row[0];

		row[0] = i + 1;
		for (int j = 0; j < n; j++) {
			int change = diagonal + (tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]));
			int either = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;

			diagonal = row[j + 1];
			row[j + 1] = change < either ? change : either;
		}
	}
	return row[n];
}

static int suggest(const char *name, struct error *err)
{
	int best = SUGGESTION_DISTANCE_MAX + 1;
	char nearest[64] = "";

	for (int cap = 0; cap < 64; cap++) {
		char *known = cap_to_name(cap);

		if (known && strncmp(known, "cap_", 4) == 0 && distance(name, known + 4) < best) {
			best = distance(name, known + 4);
			snprintf(nearest, sizeof(nearest), "%s", known + 4);
		}
		cap_free(known);
	}
	error_set(err, EINVAL, "'%.40s' is no capability", name);
	if (!nearest[0])
		return error_hint(err, "man 7 capabilities lists them, e.g. net_admin; ALL means each of them");
	return error_hint(err, "was '%s' meant?", nearest);
}

int run_capability(const char *text, uint64_t *ret, struct error *err)
{
	const char *name = strncasecmp(text, "cap_", 4) == 0 ? text + 4 : text;
	char full[64];
	cap_value_t value;

	if (strcasecmp(name, "all") == 0) {
		*ret = UINT64_MAX >> (63 - (cap_max_bits() - 1));
		return 0;
	}
	snprintf(full, sizeof(full), "cap_%s", name);
	if (!isalpha((unsigned char)name[0]) || cap_from_name(full, &value) < 0)
		return suggest(name, err);
	*ret = UINT64_C(1) << value;
	return 0;
}
