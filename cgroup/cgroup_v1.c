/* cgroup version 1: one folder a hierarchy, and a child that joins by itself.
 *
 * Writing a pid to cgroup.procs takes the kernel's global thread-group lock, which costs an RCU grace period (7 to 10 ms) when it was idle for
 * a moment. A thread that writes "0" to `tasks` moves itself alone and takes no such lock: so the parent opens the files, and the child,
 * single-threaded and before its exec, writes. */
#include "cgroup_device.h"
#include "cgroup_inside.h"

#include <base/files.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { QUOTA_PERIOD_US = 100000 };

static int set_clone_children(const char *dir, struct error *err)
{
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/cgroup.clone_children", dir);

	return rc < 0 ? rc : file_write_kernel(path, "1", err);
}

static int copy_from_parent(const char *dir, const char *file, struct error *err)
{
	char path[PATH_MAX], text[1024];
	int rc = path_format(path, sizeof(path), err, "%s/../%s", dir, file);

	if (rc == 0 && file_read("", path, text, sizeof(text), err) < 0)
		return err ? -err->code : -EIO;
	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/%s", dir, file);
	return rc < 0 ? rc : file_write_kernel(path, text, err);
}

/* Every controller of a hierarchy is on in every folder. Where cpuset is among them, a new folder has no CPU and no memory node, and nobody can
 * join it: ours gets its parent's, and hands them on to those of the containers. */
static int v1_open_tree(struct cgroup_tree *tree, struct error *err)
{
	char path[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; i < tree->n_dirs && rc == 0; i++) {
		rc = path_format(path, sizeof(path), err, "%s/cpuset.mems", tree->dirs[i]);
		if (rc < 0 || access(path, F_OK) < 0)
			continue;
		rc = copy_from_parent(tree->dirs[i], "cpuset.cpus", err);
		if (rc == 0)
			rc = copy_from_parent(tree->dirs[i], "cpuset.mems", err);
		if (rc == 0)
			rc = set_clone_children(tree->dirs[i], err);
	}
	/* Asked once and not at each start. */
	int at = tree->dir_of[CGROUP_MEMORY];
	if (rc == 0 && at >= 0)
		tree->counts_swap = faccessat(tree->dir_fds[at], "memory.memsw.limit_in_bytes", F_OK, 0) == 0;
	return rc;
}

static int v1_open_inner(const struct cgroup_tree *tree, const struct cgroup *group, struct error *err)
{
	return 0; /* groups below inherit cgroup.clone_children */
}

static int limit_cpu(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	int rc = 0;

	if (limits->cpu_percent > 0)
		rc = cgroup_write(tree, group, CGROUP_CPU, "cpu.cfs_quota_us", err, "%lld",
				  (long long)limits->cpu_percent * QUOTA_PERIOD_US / 100);
	/* Shares of version 1 are 1,024 where weights of version 2 are 100. */
	if (rc == 0 && limits->cpu_weight > 0 && limits->cpu_weight != 100) {
		int64_t shares = ((int64_t)limits->cpu_weight * 1024 + 50) / 100;
		rc = cgroup_write(tree, group, CGROUP_CPU, "cpu.shares", err, "%lld", (long long)(shares < 2 ? 2 : shares));
	}
	return rc;
}

static int limit_memory(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	int64_t max = limits->memory_bytes;
	int rc = 0;

	if (max > 0)
		rc = cgroup_write(tree, group, CGROUP_MEMORY, "memory.limit_in_bytes", err, "%lld", (long long)max);
	/* Memory and swap together: otherwise the limit only moves pages out. */
	if (rc == 0 && max > 0 && limits->swap_bytes >= 0 && tree->counts_swap) {
		long long both = (long long)max + limits->swap_bytes;
		rc = cgroup_write(tree, group, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", err, "%lld", both);
	}
	if (rc == 0 && limits->memory_high_bytes > 0)
		rc = cgroup_write(tree, group, CGROUP_MEMORY, "memory.soft_limit_in_bytes", err, "%lld",
				  (long long)limits->memory_high_bytes);
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

static int limit_disk(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_io_limit *io, struct error *err)
{
	const struct {
		const char *file;
		int64_t value;
	} rates[] = {
		{"blkio.throttle.read_bps_device", io->read_bytes},
		{"blkio.throttle.write_bps_device", io->write_bytes},
		{"blkio.throttle.read_iops_device", io->read_ops},
		{"blkio.throttle.write_iops_device", io->write_ops},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]) && rc == 0; i++)
		if (rates[i].value > 0)
			rc = cgroup_write(tree, group, CGROUP_IO, rates[i].file, err, "%u:%u %lld", io->device_major, io->device_minor,
					  (long long)rates[i].value);
	return rc;
}

static int limit_io(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < limits->n_io && rc == 0; i++)
		rc = limit_disk(tree, group, &limits->io[i], err);
	/* The bfq scheduler's file. It takes 1 to 1,000 where version 2 takes 1 to 10,000, with the same default of 100. */
	if (rc == 0 && limits->io_weight > 0 && limits->io_weight != 100)
		rc = cgroup_write(tree, group, CGROUP_IO, "blkio.bfq.weight", err, "%d",
				  limits->io_weight > 1000 ? 1000 : limits->io_weight);
	return rc;
}

static int limit_devices(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	struct cgroup_device_rule rules[CGROUP_DEVICE_RULES_MAX];
	char text[64];
	int rc;

	if (!limits->devices_closed)
		return 0;
	size_t n = cgroup_device_rules(limits, rules);
	rc = cgroup_write(tree, group, CGROUP_DEVICES, "devices.deny", err, "a");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = cgroup_write(tree, group, CGROUP_DEVICES, "devices.allow", err, "%s",
				  cgroup_device_text(&rules[i], text, sizeof(text)));
	return rc;
}

static int limit_hugetlb(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	char file[64], name[16], text[32];
	int rc = 0;

	for (size_t i = 0; i < limits->n_hugetlb && rc == 0; i++) {
		cgroup_page_name(limits->hugetlb[i].page_bytes, name, sizeof(name));
		snprintf(text, sizeof(text), "%lld", (long long)limits->hugetlb[i].bytes);
		snprintf(file, sizeof(file), "hugetlb.%s.limit_in_bytes", name);
		rc = cgroup_write(tree, group, CGROUP_HUGETLB, file, err, "%s", text);
		/* What is reserved counts too, where the kernel can: mmap fails then, instead of a signal at the first touch. */
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.limit_in_bytes", name);
		if (rc == 0)
			rc = cgroup_write_if_there(tree, group, CGROUP_HUGETLB, file, err, text);
	}
	return rc;
}

/* One line an interface. The kernel looks names up in the first network namespace, whoever writes. */
static int limit_net_prio(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	struct if_nameindex *links;
	int rc = 0;

	if (limits->net_priority <= 0)
		return 0;
	links = if_nameindex();
	if (!links)
		return error_errno(err, "list network interfaces");
	for (struct if_nameindex *link = links; link->if_index && rc == 0; link++)
		rc = cgroup_write(tree, group, CGROUP_NET_PRIO, "net_prio.ifpriomap", err, "%s %d", link->if_name, limits->net_priority);
	if_freenameindex(links);
	return rc;
}

typedef int (*limiter)(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err);
static const limiter limiters[CGROUP_CONTROLLER_COUNT] = {
	[CGROUP_CPU] = limit_cpu, [CGROUP_MEMORY] = limit_memory,   [CGROUP_PIDS] = limit_pids,       [CGROUP_CPUSET] = limit_cpuset,
	[CGROUP_IO] = limit_io,   [CGROUP_DEVICES] = limit_devices, [CGROUP_HUGETLB] = limit_hugetlb, [CGROUP_NET_PRIO] = limit_net_prio,
};

static int v1_limit(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	int rc = 0;

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && rc == 0; i++)
		if (tree->dir_of[i] >= 0 && limiters[i])
			rc = limiters[i](tree, group, limits, err);
	return rc;
}

static int v1_open_join(const struct cgroup *group, int ret_fds[CGROUP_CONTROLLER_COUNT], struct error *err)
{
	char path[PATH_MAX];
	int n = 0;

	for (; n < (int)group->n_dirs; n++) {
		int rc = path_format(path, sizeof(path), err, "%s/tasks", group->dirs[n]);

		ret_fds[n] = rc < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
		if (rc == 0 && ret_fds[n] < 0)
			rc = error_errno(err, "open %s", path);
		if (rc < 0) {
			while (n-- > 0)
				close(ret_fds[n]);
			return rc;
		}
	}
	return n;
}

static void v1_empty(const char *dir, int64_t deadline_ns)
{
	char path[PATH_MAX];

	/* Where the folder counts processes, nobody in it forks from now on. */
	if (path_format(path, sizeof(path), NULL, "%s/pids.max", dir) == 0 && access(path, F_OK) == 0)
		file_write_kernel(path, "0", NULL);
	/* A frozen process does not end before it is let go on. */
	if (path_format(path, sizeof(path), NULL, "%s/freezer.state", dir) == 0 && access(path, F_OK) == 0)
		file_write_kernel(path, "THAWED", NULL);
	/* Nobody left, yet busy: the last exit is a moment from done, and version 1 has no event to wait for. */
	if (cgroup_kill_members(dir, deadline_ns) == 0)
		poll(NULL, 0, 1);
}

const struct cgroup_ops cgroup_v1_ops = {
	.name = "v1",
	.open_tree = v1_open_tree,
	.open_inner = v1_open_inner,
	.limit = v1_limit,
	.open_join = v1_open_join,
	.empty = v1_empty,
	.join_file = "tasks",
};
