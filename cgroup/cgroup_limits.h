/* What a group may use: the numbers, whether they make sense, and which controllers they need. Nothing here touches a cgroup.
 * Order: fill the struct, cgroup_limits_check(), cgroup_limits_controllers() for cgroup_tree_plan(), then cgroup_limits_lacking(). */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The freezer is last, so that its folder is undone first: a frozen process takes no signal on version 1. */
enum cgroup_controller {
	CGROUP_CPU,
	CGROUP_MEMORY,
	CGROUP_PIDS,
	CGROUP_CPUACCT, /* version 2 counts CPU time without a controller */
	CGROUP_CPUSET,
	CGROUP_IO,      /* version 1: blkio */
	CGROUP_DEVICES, /* version 2: a BPF program instead */
	CGROUP_HUGETLB,
	CGROUP_NET_PRIO, /* version 1 alone */
	CGROUP_FREEZER,  /* version 2 freezes without a controller */
	CGROUP_CONTROLLER_COUNT
};
extern const char *const cgroup_controller_names[CGROUP_CONTROLLER_COUNT];

/* A set of controllers: bit n is controller n. */
#define CGROUP_BIT(controller) (1u << (controller))

enum { CGROUP_IO_MAX = 8, CGROUP_HUGETLB_MAX = 4, CGROUP_DEVICES_MAX = 32 };

/* Block I/O of one disk; 0: not limited. Version 1 throttles direct and synced I/O, not buffered writes. */
struct cgroup_io_limit {
	unsigned device_major, device_minor;
	int64_t read_bytes, write_bytes; /* per second */
	int64_t read_ops, write_ops;     /* per second */
};

struct cgroup_hugetlb_limit {
	int64_t page_bytes; /* 2 MiB, 1 GiB: a size that the host has */
	int64_t bytes;
};

/* What may be done with a device node, beside the few that every container has (null, zero, full, random, urandom, tty, ptmx, pts). */
enum { CGROUP_DEVICE_ANY = -1 };
struct cgroup_device_rule {
	char type;                           /* 'c' or 'b' */
	unsigned device_major, device_minor; /* (unsigned)CGROUP_DEVICE_ANY: all */
	bool read, write, mknod;
};

/* 0: not limited. Plain data. */
struct cgroup_limits {
	int64_t memory_bytes;      /* beyond it the OOM killer strikes inside the group */
	int64_t memory_high_bytes; /* beyond it the group is throttled and reclaimed (v2; v1: soft limit, noted) */
	int64_t memory_low_bytes;  /* protected from reclaim as long as possible (v2 alone) */
	int64_t swap_bytes;        /* on top of memory; 0: none at all wherever memory is limited, -1: not limited */
	int cpu_percent;           /* of one CPU: 200 is two CPUs */
	int cpu_weight;            /* 1 … 10,000, 100 is the default of both versions */
	char cpus[64], mems[32];   /* cpuset in list format; empty: as the parent */
	int pids_max;
	int io_weight; /* 1 … 10,000, 100 is the default */
	struct cgroup_io_limit io[CGROUP_IO_MAX];
	size_t n_io;
	struct cgroup_hugetlb_limit hugetlb[CGROUP_HUGETLB_MAX];
	size_t n_hugetlb;
	bool devices_closed; /* only the standard nodes and those of `devices` can be opened (v1: devices list, v2: BPF program) */
	struct cgroup_device_rule devices[CGROUP_DEVICES_MAX];
	size_t n_devices;
	int net_priority; /* of what it sends (v1 net_prio alone) */
	bool freezable;   /* it will be paused: v1 needs the freezer's hierarchy for that */
};

/* Controllers that these limits need. Accounting may need more: CGROUP_BIT(CGROUP_CPUACCT) for CPU time, CGROUP_IO for what disks did. */
unsigned cgroup_limits_controllers(const struct cgroup_limits *limits);

/* Only those limits that belong to one controller. */
struct cgroup_limits cgroup_limits_only(const struct cgroup_limits *limits, enum cgroup_controller controller);

/* Are all numbers sensible, and are the CPUs, memory nodes, disks and huge pages that they name there? Reads <root>/sys. -EINVAL says which is not. */
int cgroup_limits_check(const char *root, const struct cgroup_limits *limits, struct error *err);

struct cgroup_tree;

/* Limits that the tree's version of cgroups does not have as wanted, in words. 0: none; 1: one acts in a weaker way; -EOPNOTSUPP: one does not act
 * at all. They are passed over when a group is made. */
int cgroup_limits_lacking(const struct cgroup_tree *tree, const struct cgroup_limits *limits, char *ret, size_t size);

/* The limits that the tree can hold, in one line: "cpu=150% weight=200 memory=67108864 pids=20", or "none". Returns `ret`. */
const char *cgroup_limits_text(const struct cgroup_tree *tree, const struct cgroup_limits *limits, char *ret, size_t size);

/* A list of numbers below `count` as cpusets have it ("0-3,7") into a bitmap of `count` bits. */
enum { CGROUP_LIST_MAX = 8192 };
struct cgroup_list {
	uint64_t bits[CGROUP_LIST_MAX / 64];
};
int cgroup_list_parse(const char *what, const char *text, struct cgroup_list *ret, struct error *err);
