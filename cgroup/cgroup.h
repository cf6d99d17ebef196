/* Control groups for a set of containers: detection, one group that holds a run's containers, one group a container.
 *
 * On v1, on hybrid hosts and on v2. A controller is touched only if it is wanted when the tree is planned: each hierarchy of v1 costs a start
 * a folder and a move. A run's group lies beside the host's own, never inside or above one; processes and settings of others stay as they are.
 * On v2 a controller serves only where the host has enabled it for the folder that our group lies in: what is not delegated is missing, and
 * said. No controller, no permission: a null object, with the reason.
 *
 * Order: cgroup_detect, cgroup_tree_plan, cgroup_tree_open, cgroup_tree_try; for each container cgroup_create, join, cgroup_remove; then
 * cgroup_tree_close. Counters are in cgroup_usage.h, nested groups in cgroup_hierarchy.h. */
#pragma once

#include "cgroup_limits.h"

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct journal;

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
	int dir_of[CGROUP_CONTROLLER_COUNT]; /* index into dirs, -1: this controller is missing or not wanted */
	unsigned wanted;
	bool opened;
	int dir_fds[CGROUP_CONTROLLER_COUNT]; /* of dirs, while opened */
	bool counts_swap;                     /* decided when it is opened */
	size_t n_made;                        /* of dirs, by this process */
	char note[256];                       /* what is missing and why, or empty */
	char remedy[256];                     /* what mends that */
};
#define CGROUP_NO_DIRS                                                                                                                     \
	{                                                                                                                                  \
		[0 ... CGROUP_CONTROLLER_COUNT - 1] = -1                                                                                   \
	} /* of dir_of: no controller */

/* One container's group. Plain data, valid when zeroed: nothing made. */
struct cgroup {
	char dirs[CGROUP_CONTROLLER_COUNT][CGROUP_PATH_MAX]; /* the same index as in the tree */
	size_t n_dirs;                                       /* made so far */
};

struct cgroup_ops {
	const char *name;

	/* Enables in the run's new folders what their children need. */
	int (*open_tree)(struct cgroup_tree *tree, struct error *err);

	/* The same in a group that will have groups below it. */
	int (*open_inner)(const struct cgroup_tree *tree, const struct cgroup *group, struct error *err);

	/* Writes the limits of one container's group. Nothing is written for what is not limited. */
	int (*limit)(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err);

	/* Opens what a child joins by: for v1 files to which it writes "0" itself, for v2 the folder for CLONE_INTO_CGROUP.
	 * Returns the number of descriptors. */
	int (*open_join)(const struct cgroup *group, int ret_fds[CGROUP_CONTROLLER_COUNT], struct error *err);

	/* Signals the processes of a folder and waits for their end, or until deadline_ns (CLOCK_MONOTONIC). Called until it is gone. */
	void (*empty)(const char *dir, int64_t deadline_ns);

	bool join_at_clone;    /* the descriptor goes to clone3 */
	const char *join_file; /* to which a process writes "0" to move itself */
};

extern const struct cgroup_ops cgroup_v1_ops, cgroup_v2_ops, cgroup_null_ops;

/* Chooses the folders of a run's group called `name` for the `wanted` controllers (cgroup_limits_controllers() and what accounting needs);
 * makes nothing. None wanted: the null object, without a note. */
int cgroup_tree_plan(const char *root, const struct cgroup_layout *layout, const char *name, unsigned wanted, struct cgroup_tree *ret,
		     struct error *err);

/* The same from limits, which are checked; `extra` are controllers for accounting. What this version of cgroups lacks is in the note as well.
 * NULL limits: the null object. */
int cgroup_tree_plan_limits(const char *root, const struct cgroup_layout *layout, const char *name, const struct cgroup_limits *limits,
			    unsigned extra, struct cgroup_tree *ret, struct error *err);

/* Makes the folders, naming each in the journal first, and holds them open. -EEXIST: somebody else has a group of that name; it is not touched. */
int cgroup_tree_open(struct cgroup_tree *tree, struct journal *journal, struct error *err);

/* Makes and removes a container's group with all limits. If that fails: bare (a failure is returned), then with the limits of each controller
 * alone. A controller whose limits cannot be set counts as missing from then on. Returns how many were lost by that; `err` says the last reason. */
int cgroup_tree_try(struct cgroup_tree *tree, const struct cgroup_limits *limits, struct error *err);

/* Turns a tree that could not be made into the null object. */
void cgroup_tree_abandon(struct cgroup_tree *tree);

/* Removes those that were made here. Groups of containers must be gone; idempotent. */
int cgroup_tree_close(struct cgroup_tree *tree, struct error *err);

/* Makes one container's group with its limits. On failure nothing stays. The journal names it through its parent, which is undone whole. */
int cgroup_create(const struct cgroup_tree *tree, const char *id, const struct cgroup_limits *limits, struct cgroup *ret,
		  struct error *err);

/* Moves the calling thread (v1), which must be the only one, or process (v2) into the group. */
int cgroup_join(const struct cgroup_tree *tree, const struct cgroup *group, struct error *err);

/* Moves another process with all its threads into the group. Needs the right to write cgroup.procs and to signal the process. On version 1 this takes
 * the kernel some 10 ms after a moment of idling; what the process has charged before stays where it was. */
int cgroup_admit(const struct cgroup *group, pid_t pid, struct error *err);

/* Stops all that is in the group, or lets it go on; returns when that is so. After two seconds it is let go on, and -ETIMEDOUT. On v1
 * CGROUP_FREEZER must be among the wanted controllers. A frozen group is let go on before it is removed. */
int cgroup_freeze(const struct cgroup_tree *tree, const struct cgroup *group, bool frozen, struct error *err);

/* Kills what is still in it and removes it; tries again while the kernel drains, for at most two seconds. Idempotent. */
int cgroup_remove(const struct cgroup_tree *tree, struct cgroup *group, struct error *err);

/* The groups that a process is in, whoever made them: for cgroup_usage_read(), cgroup_freeze() and cgroup_join(). The tree is not opened and
 * needs no close. A hierarchy in whose top folder the process is counts as missing; -ENOENT when all do. */
int cgroup_of_pid(const char *root, const struct cgroup_layout *layout, pid_t pid, struct cgroup_tree *ret_tree, struct cgroup *ret,
		  struct error *err);

/* Folder whose counters tell the memory of the group (v1: memory, v2: unified), or NULL. */
const char *cgroup_memory_dir(const struct cgroup_tree *tree, const struct cgroup *group);
