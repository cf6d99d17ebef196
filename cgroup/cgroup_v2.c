/* cgroup version 2: one folder; the child is born in it (CLONE_INTO_CGROUP), and one write kills all that is inside. */
#include "cgroup_device.h"
#include "cgroup_inside.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { QUOTA_PERIOD_US = 100000 };

static int write_text(const char *dir, const char *file, const char *text, struct error *err)
{
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/%s", dir, file);

	return rc < 0 ? rc : file_write_kernel(path, text, err);
}

/* Hands the tree's controllers on to the groups below a folder. */
static int enable(const struct cgroup_tree *tree, const char *dir, struct error *err)
{
	char text[128] = "";
	size_t used = 0;

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (tree->dir_of[i] >= 0 && cgroup_v2_names[i])
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s+%s", used ? " " : "", cgroup_v2_names[i]);
	return used ? write_text(dir, "cgroup.subtree_control", text, err) : 0;
}

static int v2_open_tree(struct cgroup_tree *tree, struct error *err)
{
	/* Asked once and not at each start. The file is absent where the kernel does not count swap. */
	tree->counts_swap = tree->dir_of[CGROUP_MEMORY] >= 0 && faccessat(tree->dir_fds[0], "memory.swap.max", F_OK, 0) == 0;
	return enable(tree, tree->dirs[0], err);
}

static int v2_open_inner(const struct cgroup_tree *tree, const struct cgroup *group, struct error *err)
{
	return enable(tree, group->dirs[0], err);
}

static int limit_cpu(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	int rc = 0;

	if (limits->cpu_percent > 0)
		rc = cgroup_write(tree, group, CGROUP_CPU, "cpu.max", err, "%lld %d",
				  (long long)limits->cpu_percent * QUOTA_PERIOD_US / 100, QUOTA_PERIOD_US);
	if (rc == 0 && limits->cpu_weight > 0 && limits->cpu_weight != 100)
		rc = cgroup_write(tree, group, CGROUP_CPU, "cpu.weight", err, "%d", limits->cpu_weight);
	return rc;
}

static int limit_memory(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	const struct {
		const char *file;
		int64_t value;
	} sizes[] = {
		{"memory.max", limits->memory_bytes},
		{"memory.high", limits->memory_high_bytes},
		{"memory.low", limits->memory_low_bytes},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && rc == 0; i++)
		if (sizes[i].value > 0)
			rc = cgroup_write(tree, group, CGROUP_MEMORY, sizes[i].file, err, "%lld", (long long)sizes[i].value);
	/* Without this the limit only moves pages out to swap. */
	if (rc == 0 && limits->memory_bytes > 0 && limits->swap_bytes >= 0 && tree->counts_swap)
		rc = cgroup_write(tree, group, CGROUP_MEMORY, "memory.swap.max", err, "%lld", (long long)limits->swap_bytes);
	return rc;
}

static int limit_pids(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	return limits->pids_max > 0 ? cgroup_write(tree, group, CGROUP_PIDS, "pids.max", err, "%d", limits->pids_max) : 0;
}

static int limit_cpuset(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	int rc = limits->cpus[0] ? cgroup_write(tree, group, CGROUP_CPUSET, "cpuset.cpus", err, "%s", limits->cpus) : 0;

	return rc == 0 && limits->mems[0] ? cgroup_write(tree, group, CGROUP_CPUSET, "cpuset.mems", err, "%s", limits->mems) : rc;
}

/* The file belongs to iocost; kernels with the bfq scheduler alone have bfq's, which takes 1 to 1,000. */
static int limit_io_weight(const struct cgroup_tree *tree, const struct cgroup *group, int weight, struct error *err)
{
	struct error found = {0};
	int rc = cgroup_write(tree, group, CGROUP_IO, "io.weight", &found, "default %d", weight);

	if (rc == -ENOENT)
		return cgroup_write(tree, group, CGROUP_IO, "io.bfq.weight", err, "default %d", weight > 1000 ? 1000 : weight);
	if (rc < 0 && err)
		*err = found;
	return rc;
}

static int limit_io(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < limits->n_io && rc == 0; i++) {
		const struct cgroup_io_limit *io = &limits->io[i];
		const struct {
			const char *key;
			int64_t value;
		} rates[] = {{"rbps", io->read_bytes}, {"wbps", io->write_bytes}, {"riops", io->read_ops}, {"wiops", io->write_ops}};
		char text[160];
		size_t used = (size_t)snprintf(text, sizeof(text), "%u:%u", io->device_major, io->device_minor);

		for (size_t k = 0; k < sizeof(rates) / sizeof(rates[0]); k++)
			if (rates[k].value > 0)
				used += (size_t)snprintf(text + used, sizeof(text) - used, " %s=%lld", rates[k].key,
							 (long long)rates[k].value);
		if (strchr(text, '='))
			rc = cgroup_write(tree, group, CGROUP_IO, "io.max", err, "%s", text);
	}
	if (rc == 0 && limits->io_weight > 0 && limits->io_weight != 100)
		rc = limit_io_weight(tree, group, limits->io_weight, err);
	return rc;
}

static int limit_devices(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	return limits->devices_closed ? cgroup_device_close(group->dirs[0], limits, err) : 0;
}

static int limit_hugetlb(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	char file[64], name[16], text[32];
	int rc = 0;

	for (size_t i = 0; i < limits->n_hugetlb && rc == 0; i++) {
		cgroup_page_name(limits->hugetlb[i].page_bytes, name, sizeof(name));
		snprintf(text, sizeof(text), "%lld", (long long)limits->hugetlb[i].bytes);
		snprintf(file, sizeof(file), "hugetlb.%s.max", name);
		rc = cgroup_write(tree, group, CGROUP_HUGETLB, file, err, "%s", text);
		/* What is reserved counts too, where the kernel can: mmap fails then, instead of a signal at the first touch. */
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", name);
		if (rc == 0)
			rc = cgroup_write_if_there(tree, group, CGROUP_HUGETLB, file, err, text);
	}
	return rc;
}

typedef int (*limiter)(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err);
static const limiter limiters[CGROUP_CONTROLLER_COUNT] = {
	[CGROUP_CPU] = limit_cpu, [CGROUP_MEMORY] = limit_memory,   [CGROUP_PIDS] = limit_pids,       [CGROUP_CPUSET] = limit_cpuset,
	[CGROUP_IO] = limit_io,   [CGROUP_DEVICES] = limit_devices, [CGROUP_HUGETLB] = limit_hugetlb,
};

static int v2_limit(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	int rc = 0;

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && rc == 0; i++)
		if (tree->dir_of[i] >= 0 && limiters[i])
			rc = limiters[i](tree, group, limits, err);
	return rc;
}

static int v2_open_join(const struct cgroup *group, int ret_fds[CGROUP_CONTROLLER_COUNT], struct error *err)
{
	ret_fds[0] = open(group->dirs[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ret_fds[0] < 0 ? error_errno(err, "open cgroup %s", group->dirs[0]) : 1;
}

/* Waits for the event "populated 0": cgroup.events wakes a poller at each change. */
static void v2_empty(const char *dir, int64_t deadline_ns)
{
	char path[PATH_MAX], text[128];

	/* Before Linux 5.14 there is no such file. Frozen members can be killed, and do not fork meanwhile. */
	if (write_text(dir, "cgroup.kill", "1", NULL) < 0) {
		write_text(dir, "cgroup.freeze", "1", NULL);
		if (cgroup_kill_members(dir, deadline_ns) > 0)
			return; /* asked again while there are any */
	}
	if (path_format(path, sizeof(path), NULL, "%s/cgroup.events", dir) < 0)
		return;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0) {
		ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;

		text[length > 0 ? length : 0] = '\0';
		if (length <= 0 || left_ms <= 0)
			return;
		if (strstr(text, "populated 0")) {
			poll(NULL, 0, 1); /* empty, yet asked again: the last exit is a moment from done */
			return;
		}
		poll(&(struct pollfd){.fd = fd, .events = POLLPRI}, 1, (int)left_ms);
	}
}

const struct cgroup_ops cgroup_v2_ops = {
	.name = "v2",
	.open_tree = v2_open_tree,
	.open_inner = v2_open_inner,
	.limit = v2_limit,
	.open_join = v2_open_join,
	.empty = v2_empty,
	.join_at_clone = true,
	.join_file = "cgroup.procs",
};
