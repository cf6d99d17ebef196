#include "cgroup_inside.h"

#include <base/files.h>
#include <base/units.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WEIGHT_MAX = 10000, PERCENT_MAX = 100 * 8192, MAJOR_MAX = 4095, MINOR_MAX = (1 << 20) - 1 };

unsigned cgroup_limits_controllers(const struct cgroup_limits *limits)
{
	const bool needed[CGROUP_CONTROLLER_COUNT] = {
		[CGROUP_CPU] = limits->cpu_percent > 0 || (limits->cpu_weight > 0 && limits->cpu_weight != 100),
		[CGROUP_MEMORY] = limits->memory_bytes > 0 || limits->memory_high_bytes > 0 || limits->memory_low_bytes > 0,
		[CGROUP_PIDS] = limits->pids_max > 0,
		[CGROUP_CPUSET] = limits->cpus[0] || limits->mems[0],
		[CGROUP_IO] = limits->n_io > 0 || (limits->io_weight > 0 && limits->io_weight != 100),
		[CGROUP_DEVICES] = limits->devices_closed,
		[CGROUP_HUGETLB] = limits->n_hugetlb > 0,
		[CGROUP_NET_PRIO] = limits->net_priority > 0,
		[CGROUP_FREEZER] = limits->freezable,
	};
	unsigned set = 0;

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		set |= needed[i] ? CGROUP_BIT(i) : 0;
	return set;
}

struct cgroup_limits cgroup_limits_only(const struct cgroup_limits *limits, enum cgroup_controller controller)
{
	struct cgroup_limits all = *limits, none = {0};

	if (controller == CGROUP_CPU)
		none.cpu_percent = all.cpu_percent, none.cpu_weight = all.cpu_weight;
	if (controller == CGROUP_PIDS)
		none.pids_max = all.pids_max;
	if (controller == CGROUP_NET_PRIO)
		none.net_priority = all.net_priority;
	if (controller == CGROUP_FREEZER)
		none.freezable = all.freezable;
	if (controller == CGROUP_MEMORY) {
		none.memory_bytes = all.memory_bytes, none.memory_high_bytes = all.memory_high_bytes;
		none.memory_low_bytes = all.memory_low_bytes, none.swap_bytes = all.swap_bytes;
	}
	if (controller == CGROUP_CPUSET)
		memcpy(none.cpus, all.cpus, sizeof(all.cpus)), memcpy(none.mems, all.mems, sizeof(all.mems));
	if (controller == CGROUP_IO)
		none.io_weight = all.io_weight, none.n_io = all.n_io, memcpy(none.io, all.io, sizeof(all.io));
	if (controller == CGROUP_HUGETLB)
		none.n_hugetlb = all.n_hugetlb, memcpy(none.hugetlb, all.hugetlb, sizeof(all.hugetlb));
	if (controller == CGROUP_DEVICES) {
		none.devices_closed = all.devices_closed, none.n_devices = all.n_devices;
		memcpy(none.devices, all.devices, sizeof(all.devices));
	}
	return none;
}

/* ---- do they make sense? ---- */

static int check_range(const char *what, int64_t value, int64_t max, struct error *err)
{
	if (value >= 0 && value <= max)
		return 0;
	return error_set(err, EINVAL, "%s of %lld: expected 1 to %lld, or nothing", what, (long long)value, (long long)max);
}

static int check_numbers(const struct cgroup_limits *limits, struct error *err)
{
	const struct {
		const char *what;
		int64_t value, max;
	} ranges[] = {
		{"CPU limit in percent", limits->cpu_percent, PERCENT_MAX},
		{"CPU weight", limits->cpu_weight, WEIGHT_MAX},
		{"memory limit in bytes", limits->memory_bytes, INT64_MAX},
		{"memory throttling limit in bytes", limits->memory_high_bytes, INT64_MAX},
		{"memory protection in bytes", limits->memory_low_bytes, INT64_MAX},
		{"limit of processes", limits->pids_max, INT_MAX},
		{"I/O weight", limits->io_weight, WEIGHT_MAX},
		{"network priority", limits->net_priority, INT_MAX},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		int rc = check_range(ranges[i].what, ranges[i].value, ranges[i].max, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_memory(const struct cgroup_limits *limits, struct error *err)
{
	int64_t max = limits->memory_bytes;

	if (limits->swap_bytes < -1)
		return error_set(err, EINVAL, "swap limit of %lld bytes: expected 0 or more, or -1 for no limit",
				 (long long)limits->swap_bytes);
	if (limits->swap_bytes > 0 && max == 0)
		return error_set(err, EINVAL, "swap limit without a memory limit: swap is what comes on top of it");
	if (max > 0 && limits->swap_bytes > INT64_MAX - max)
		return error_set(err, EINVAL, "memory and swap limits together are beyond any machine");
	if (max > 0 && limits->memory_high_bytes > max)
		return error_set(err, EINVAL, "memory is throttled from %lld bytes on, above its limit of %lld: it would never be",
				 (long long)limits->memory_high_bytes, (long long)max);
	if (max > 0 && limits->memory_low_bytes > max)
		return error_set(err, EINVAL, "memory protection of %lld bytes is above the limit of %lld",
				 (long long)limits->memory_low_bytes, (long long)max);
	return 0;
}

int cgroup_list_parse(const char *what, const char *text, struct cgroup_list *ret, struct error *err)
{
	struct cgroup_list list = {0};
	char word[32];

	for (const char *at = text;; at++) {
		size_t length = strcspn(at, ",");
		int64_t from, to;

		snprintf(word, sizeof(word), "%.*s", (int)(length < sizeof(word) ? length : sizeof(word) - 1), at);
		char *dash = strchr(word, '-');
		if (dash)
			*dash = '\0';
		int rc = parse_integer(what, word, 0, CGROUP_LIST_MAX - 1, &from, err);
		if (rc == 0)
			rc = parse_integer(what, dash ? dash + 1 : word, from, CGROUP_LIST_MAX - 1, &to, err);
		if (rc < 0)
			return error_prefix(err, "list '%.60s'", text);
		for (int64_t i = from; i <= to; i++)
			list.bits[i / 64] |= UINT64_C(1) << (i % 64);
		at += length;
		if (*at == '\0')
			break;
	}
	*ret = list;
	return 0;
}

/* A list of a cpuset against the one of the host. A kernel without NUMA has no list of nodes: then there is node 0. */
static int check_list(const char *root, const char *what, const char *text, const char *host_path, struct error *err)
{
	struct cgroup_list wanted, host;
	char online[1024] = "0";
	int rc;

	if (!text[0])
		return 0;
	file_read(root, host_path, online, sizeof(online), NULL);
	rc = cgroup_list_parse(what, text, &wanted, err);
	if (rc == 0)
		rc = cgroup_list_parse(what, online, &host, err);
	for (int i = 0; rc == 0 && i < CGROUP_LIST_MAX; i++)
		if ((wanted.bits[i / 64] & ~host.bits[i / 64]) >> (i % 64) & 1)
			rc = error_set(err, EINVAL, "%s %d: this host has %.60s", what, i, online);
	return rc;
}

static int check_io(const char *root, const struct cgroup_io_limit *io, struct error *err)
{
	char path[PATH_MAX];

	if (io->device_major > MAJOR_MAX || io->device_minor > MINOR_MAX)
		return error_set(err, EINVAL, "I/O limit: %u:%u is no number of a device", io->device_major, io->device_minor);
	if (io->read_bytes < 0 || io->write_bytes < 0 || io->read_ops < 0 || io->write_ops < 0)
		return error_set(err, EINVAL, "I/O limit of disk %u:%u: a rate below 0", io->device_major, io->device_minor);
	if (io->read_ops > UINT32_MAX || io->write_ops > UINT32_MAX)
		return error_set(err, EINVAL, "I/O limit of disk %u:%u: more operations a second than the kernel can count",
				 io->device_major, io->device_minor);
	int rc = path_format(path, sizeof(path), err, "%s/sys/dev/block/%u:%u", root, io->device_major, io->device_minor);
	if (rc < 0)
		return rc;
	if (!path_exists(path))
		return error_set(err, EINVAL, "I/O limit: there is no disk %u:%u", io->device_major, io->device_minor);
	rc = path_format(path, sizeof(path), err, "%s/sys/dev/block/%u:%u/partition", root, io->device_major, io->device_minor);
	if (rc == 0 && path_exists(path))
		rc = error_set(err, EINVAL, "I/O limit: %u:%u is a partition; only whole disks can be limited", io->device_major,
			       io->device_minor);
	return rc;
}

static int check_hugetlb(const char *root, const struct cgroup_hugetlb_limit *hugetlb, struct error *err)
{
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/sys/kernel/mm/hugepages/hugepages-%lldkB", root,
			     (long long)(hugetlb->page_bytes / 1024));

	if (rc < 0)
		return rc;
	if (hugetlb->page_bytes < 1024 || !path_exists(path))
		return error_set(err, EINVAL, "limit of huge pages: this host has none of %lld bytes", (long long)hugetlb->page_bytes);
	return check_range("limit of huge pages in bytes", hugetlb->bytes, INT64_MAX, err);
}

static int check_device(const struct cgroup_device_rule *rule, struct error *err)
{
	const unsigned any = (unsigned)CGROUP_DEVICE_ANY;

	if (rule->type != 'b' && rule->type != 'c')
		return error_set(err, EINVAL, "device rule: expected type b or c");
	if ((rule->device_major > MAJOR_MAX && rule->device_major != any) || (rule->device_minor > MINOR_MAX && rule->device_minor != any))
		return error_set(err, EINVAL, "device rule: %u:%u is no number of a device", rule->device_major, rule->device_minor);
	if (!rule->read && !rule->write && !rule->mknod)
		return error_set(err, EINVAL, "device rule for %c %u:%u allows nothing", rule->type, rule->device_major,
				 rule->device_minor);
	return 0;
}

static int check_counts(const struct cgroup_limits *limits, struct error *err)
{
	if (limits->n_io > CGROUP_IO_MAX || limits->n_hugetlb > CGROUP_HUGETLB_MAX || limits->n_devices > CGROUP_DEVICES_MAX)
		return error_set(err, EINVAL, "more than %d disks, %d sizes of huge pages or %d devices are limited", CGROUP_IO_MAX,
				 CGROUP_HUGETLB_MAX, CGROUP_DEVICES_MAX);
	return 0;
}

int cgroup_limits_check(const char *root, const struct cgroup_limits *limits, struct error *err)
{
	int rc = check_numbers(limits, err);

	if (rc == 0)
		rc = check_counts(limits, err);
	if (rc == 0)
		rc = check_memory(limits, err);
	if (rc == 0)
		rc = check_list(root, "CPU", limits->cpus, "/sys/devices/system/cpu/online", err);
	if (rc == 0)
		rc = check_list(root, "memory node", limits->mems, "/sys/devices/system/node/online", err);
	for (size_t i = 0; rc == 0 && i < limits->n_io; i++)
		rc = check_io(root, &limits->io[i], err);
	for (size_t i = 0; rc == 0 && i < limits->n_hugetlb; i++)
		rc = check_hugetlb(root, &limits->hugetlb[i], err);
	for (size_t i = 0; rc == 0 && i < limits->n_devices; i++)
		rc = check_device(&limits->devices[i], err);
	return rc;
}

int cgroup_limits_lacking(const struct cgroup_tree *tree, const struct cgroup_limits *limits, char *ret, size_t size)
{
	bool low = limits->memory_low_bytes > 0, high = limits->memory_high_bytes > 0;

	ret[0] = '\0';
	if (tree->ops != &cgroup_v1_ops || tree->dir_of[CGROUP_MEMORY] < 0)
		return 0;
	if (low)
		snprintf(ret, size, "no memory protection: version 1 of cgroups has none");
	else if (high)
		snprintf(ret, size,
			 "memory is not throttled: version 1 of cgroups has a soft limit, which acts when the whole host lacks memory");
	return low ? -EOPNOTSUPP : high;
}

/* ---- in words ---- */

struct words {
	char *text;
	size_t size, used;
};

static __attribute__((format(printf, 2, 3))) void add(struct words *words, const char *format, ...)
{
	va_list ap;

	if (words->used + 1 >= words->size)
		return;
	if (words->used)
		words->text[words->used++] = ' ';
	va_start(ap, format);
	words->used += (size_t)vsnprintf(words->text + words->used, words->size - words->used, format, ap);
	va_end(ap);
}

static void add_disks(struct words *words, const struct cgroup_limits *limits)
{
	const char *const names[] = {"rbps", "wbps", "riops", "wiops"};

	for (size_t i = 0; i < limits->n_io; i++) {
		const struct cgroup_io_limit *io = &limits->io[i];
		const int64_t rates[] = {io->read_bytes, io->write_bytes, io->read_ops, io->write_ops};

		for (int k = 0; k < 4; k++)
			if (rates[k] > 0)
				add(words, "%u:%u:%s=%lld", io->device_major, io->device_minor, names[k], (long long)rates[k]);
	}
	if (limits->io_weight > 0)
		add(words, "io-weight=%d", limits->io_weight);
}

static void add_others(struct words *words, const int *at, const struct cgroup_limits *limits)
{
	char name[16];

	if (at[CGROUP_CPUSET] >= 0 && limits->cpus[0])
		add(words, "cpus=%s", limits->cpus);
	if (at[CGROUP_CPUSET] >= 0 && limits->mems[0])
		add(words, "mems=%s", limits->mems);
	if (at[CGROUP_IO] >= 0)
		add_disks(words, limits);
	for (size_t i = 0; at[CGROUP_HUGETLB] >= 0 && i < limits->n_hugetlb; i++)
		add(words, "hugetlb-%s=%lld", cgroup_page_name(limits->hugetlb[i].page_bytes, name, sizeof(name)),
		    (long long)limits->hugetlb[i].bytes);
	if (at[CGROUP_DEVICES] >= 0 && limits->devices_closed)
		add(words, "devices=closed+%zu", limits->n_devices);
	if (at[CGROUP_NET_PRIO] >= 0 && limits->net_priority > 0)
		add(words, "net-priority=%d", limits->net_priority);
}

const char *cgroup_limits_text(const struct cgroup_tree *tree, const struct cgroup_limits *limits, char *ret, size_t size)
{
	const struct {
		enum cgroup_controller controller;
		const char *name, *unit;
		int64_t value;
	} numbers[] = {
		{CGROUP_CPU, "cpu", "%", limits->cpu_percent},
		{CGROUP_CPU, "weight", "", limits->cpu_weight},
		{CGROUP_MEMORY, "memory", "", limits->memory_bytes},
		{CGROUP_MEMORY, "memory-high", "", limits->memory_high_bytes},
		{CGROUP_MEMORY, "memory-low", "", tree->ops == &cgroup_v1_ops ? 0 : limits->memory_low_bytes},
		{CGROUP_MEMORY, "swap", "", limits->swap_bytes},
		{CGROUP_PIDS, "pids", "", limits->pids_max},
	};
	struct words words = {.text = ret, .size = size};

	ret[0] = '\0';
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (tree->dir_of[numbers[i].controller] >= 0 && numbers[i].value > 0)
			add(&words, "%s=%lld%s", numbers[i].name, (long long)numbers[i].value, numbers[i].unit);
	add_others(&words, tree->dir_of, limits);
	if (!ret[0])
		snprintf(ret, size, "none");
	return ret;
}
