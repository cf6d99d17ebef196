/* Control groups for a set of containers: detection, one group that holds a run's containers, one group a container.
 *
 * Three controllers are used (cpu, memory, pids), on v1, on hybrid hosts and on v2. A run's group lies beside the host's own, never inside or
 * above one; processes and settings of others stay as they are. On v2 a controller serves only where the host has enabled it for the
 * folder that our group lies in: what is not delegated is missing, and said. No controller, no permission: a null object, with the reason. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct journal;

enum cgroup_controller { CGROUP_CPU, CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CONTROLLER_COUNT };
extern const char *const cgroup_controller_names[CGROUP_CONTROLLER_COUNT];

enum cgroup_mode { CGROUP_MODE_NONE, CGROUP_MODE_V1, CGROUP_MODE_HYBRID, CGROUP_MODE_V2, CGROUP_MODE_COUNT };
extern const char *const cgroup_mode_names[CGROUP_MODE_COUNT];

enum { CGROUP_PATH_MAX = 256 };

/* Where the host keeps its groups. */
struct cgroup_layout {
	enum cgroup_mode mode;
	char v1[CGROUP_CONTROLLER_COUNT][CGROUP_PATH_MAX]; /* mount point of the hierarchy with that controller, or empty */
	char v2[CGROUP_PATH_MAX];                          /* mount point of the unified hierarchy, or empty */
	char own[CGROUP_PATH_MAX]; /* this process' group in the unified hierarchy ("/", "/user.slice/…"), or empty */
};

/* Reads <root>/proc/self/{mountinfo,cgroup}. A host without cgroups is CGROUP_MODE_NONE, no error. */
int cgroup_detect(const char *root, struct cgroup_layout *ret, struct error *err);

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
struct cgroup_device_rule {
	char type; /* 'c' or 'b' */
	unsigned device_major, device_minor;
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

/* A folder that no other run shares, whatever pid namespace or boot it is of. "…/<8 hexadecimal digits>/w<N>", the private folder of a worker,
 * gives "bench-<digits>-w<N>"; any other text a random name. Returns `ret`. */
const char *cgroup_run_name(const char *run_dir, char *ret, size_t size);

struct cgroup_ops;

/* The group that holds a run's containers: up to one folder a hierarchy. */
struct cgroup_tree {
	const struct cgroup_ops *ops;
	char root[CGROUP_PATH_MAX]; /* prefix of all paths, "" on a live host */
	char dirs[CGROUP_CONTROLLER_COUNT][CGROUP_PATH_MAX];
	size_t n_dirs;
	int dir_of[CGROUP_CONTROLLER_COUNT]; /* index into dirs, -1: this controller is missing */
	bool opened;
	size_t n_made;    /* of dirs, by this process */
	char note[256];   /* what is missing and why, or empty */
	char remedy[256]; /* what mends that */
};

/* One container's group. Plain data, valid when zeroed: nothing made. */
struct cgroup {
	char dirs[CGROUP_CONTROLLER_COUNT][CGROUP_PATH_MAX]; /* the same index as in the tree */
	size_t n_dirs;                                       /* made so far */
};

struct cgroup_ops {
	const char *name;

	/* Enables in the run's new folders what their children need. */
	int (*open_tree)(struct cgroup_tree *tree, struct error *err);

	/* Writes the limits of one container's group. */
	int (*limit)(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err);

	/* Opens what a child joins by: for v1 files to which it writes "0" itself, for v2 the folder for CLONE_INTO_CGROUP.
	 * Returns the number of descriptors. */
	int (*open_join)(const struct cgroup *group, int ret_fds[CGROUP_CONTROLLER_COUNT], struct error *err);

	/* Signals the processes of a folder and waits for their end, or until deadline_ns (CLOCK_MONOTONIC). Called until it is gone. */
	void (*empty)(const char *dir, int64_t deadline_ns);

	bool join_at_clone; /* the descriptor goes to clone3 */
};

extern const struct cgroup_ops cgroup_v1_ops, cgroup_v2_ops, cgroup_null_ops;

/* Chooses the folders of a run's group called `name`; makes nothing. `wanted` false: the null object, without a note. */
int cgroup_tree_plan(const char *root, const struct cgroup_layout *layout, const char *name, bool wanted, struct cgroup_tree *ret,
		     struct error *err);

/* Makes the folders, naming each in the journal first. -EEXIST: somebody else has a group of that name; it is not touched. */
int cgroup_tree_open(struct cgroup_tree *tree, struct journal *journal, struct error *err);

/* Makes and removes a container's group: bare (a failure is returned), then with each limit alone. A controller whose limit cannot be set
 * counts as missing from then on. Returns how many were lost by that; `err` says the last reason. */
int cgroup_tree_try(struct cgroup_tree *tree, const struct cgroup_limits *limits, struct error *err);

/* Turns a tree that could not be made into the null object. */
void cgroup_tree_abandon(struct cgroup_tree *tree);

/* Removes those that were made here. Groups of containers must be gone; idempotent. */
int cgroup_tree_close(struct cgroup_tree *tree, struct error *err);

/* Makes one container's group with its limits. On failure nothing stays. The journal names it through its parent, which is undone whole. */
int cgroup_create(const struct cgroup_tree *tree, const char *id, const struct cgroup_limits *limits, struct cgroup *ret,
		  struct error *err);

/* Kills what is still in it and removes it; tries again while the kernel drains, for at most two seconds. Idempotent. */
int cgroup_remove(const struct cgroup_tree *tree, struct cgroup *group, struct error *err);

/* Folder whose counters tell the memory of the group (v1: memory, v2: unified), or NULL. */
const char *cgroup_memory_dir(const struct cgroup_tree *tree, const struct cgroup *group);

/* ---- inside: cgroup_kill.c ---- */

/* Kills the processes that are members of a folder, one by one, and waits for them. Returns how many it found. */
size_t cgroup_kill_members(const char *dir, int64_t deadline_ns);
