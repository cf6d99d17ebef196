/* What a group has used so far, as the kernel counts it. What a kernel, a version or a hierarchy that was not wanted does not tell is -1: nothing
 * is guessed. Counters hold all groups below as well. On version 1 CPU time needs CGROUP_CPUACCT and disks CGROUP_IO among the wanted controllers. */
#pragma once

#include "cgroup.h"

enum { CGROUP_USAGE_DISKS_MAX = 16 };

struct cgroup_usage_io {
	int64_t read_bytes, write_bytes, read_ops, write_ops;
};

struct cgroup_usage_disk {
	unsigned device_major, device_minor;
	struct cgroup_usage_io io;
};

/* Time during which some, or all, of the group's tasks waited for a resource (pressure stall information; version 2 alone). */
struct cgroup_pressure {
	int64_t some_ns, full_ns;
	double some_percent, full_percent; /* mean of the last ten seconds */
};

struct cgroup_usage {
	int64_t cpu_ns, cpu_user_ns, cpu_system_ns;
	int64_t periods, throttled_periods; /* of the CPU quota: all, and those in which the group had to wait */
	int64_t throttled_ns;
	int64_t memory_bytes, memory_peak_bytes;
	int64_t swap_bytes;
	int64_t kernel_bytes;          /* part of memory_bytes */
	int64_t high_events;           /* how often memory_high_bytes throttled it */
	int64_t oom_kills;             /* processes killed for lack of memory */
	int64_t pids, pids_max_events; /* now; forks that the limit refused */
	struct cgroup_usage_io io;     /* all disks */
	struct cgroup_usage_disk disks[CGROUP_USAGE_DISKS_MAX];
	size_t n_disks; /* more than fit are in the sum alone */
	struct cgroup_pressure cpu_pressure, memory_pressure, io_pressure;
};

/* Reads all counters below the tree's root prefix. Absent counters are no failure; a group that is gone is -ENOENT. */
int cgroup_usage_read(const struct cgroup_tree *tree, const struct cgroup *group, struct cgroup_usage *ret, struct error *err);
