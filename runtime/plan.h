/* The plan in memory, between plan.c (which builds it), container.c (which starts it) and the child (which walks it). Internal to runtime/.
 *
 * Everything the child needs is in here or in struct child, computed before the clone: it allocates nothing and calls only what is safe in a
 * child that shares its parent's memory. The files child*.c hold all of its code and nothing else. */
#pragma once

#include "container.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <sys/resource.h>

struct child;
struct step;

/* Returns 0 or -errno. */
typedef int (*step_apply)(struct child *child, const struct step *step);

struct step {
	const char *name;
	step_apply apply;
	const char *arg; /* what is printed, and what most steps work on */
	uint64_t number; /* flags, where a step needs them */
};

struct plan_rlimit {
	int resource;
	struct rlimit value;
};

enum { PLAN_RLIMITS_MAX = 4, PLAN_TEXTS_MAX = 64, CHILD_STACK_BYTES = 64 * 1024 };

/* What one child works with. Lives in the plan: a child that cannot be killed must not write to a frame that is gone. */
struct child {
	const struct container_plan *plan;
	const char *id;
	int stdio[3];
	int cgroup_fds[CGROUP_CONTROLLER_COUNT];
	int n_cgroup_fds;
	int root_fd;  /* the new root's mount */
	int empty_fd; /* an empty folder, to mask others with */
	int tmpfs_fd;
	struct container_trace trace;
	uint32_t running; /* futex: 1 until the kernel sees this child leave our memory (exec or end) */
};

struct container_plan {
	struct step steps[CONTAINER_STEPS_MAX];
	size_t n_steps;
	uint64_t clone_flags;
	struct cgroup_tree tree;
	struct cgroup_limits limits;
	struct container_facts facts;
	struct journal *journal;
	int start_timeout_ms;
	bool own_pids; /* the end of the first process ends all */

	char *texts[PLAN_TEXTS_MAX]; /* what steps point to; owned */
	size_t n_texts;
	char **argv, **envp;
	char rootfs[PATH_MAX];
	cpu_set_t cpus;
	struct plan_rlimit rlimits[PLAN_RLIMITS_MAX];
	size_t n_rlimits;
	uint64_t capabilities; /* bit n: kept */
	int last_capability;
	struct sock_filter *filter;
	unsigned short n_filter;

	char *stack;        /* the child's: guard page first, then CHILD_STACK_BYTES */
	struct child child; /* of the start that is under way */
	bool child_lost;    /* it could not be killed and may still use both: they are never freed */
};

/* Walks the plan's steps; never returns when the last one is an exec that works. */
int child_main(void *child);

/* clone3 with a child that runs fn(arg) on the stack [stack, stack + size); returns the pid or -errno. */
struct clone_args;
long child_clone(struct clone_args *args, int (*fn)(void *), void *arg);

/* Like container_prepare(), for a plan that ends before it touches the root: the probe's. */
int plan_prepare(const struct container_options *options, bool with_root, struct container_plan **ret, struct error *err);

/* Clones plan->child and waits until it has exec'd or ended. `ret_pid` and `ret_pidfd` are set once a child exists, also on failure. A
 * cgroup_fd >= 0 is the cgroup that it is born in. */
int plan_launch(struct container_plan *plan, int cgroup_fd, int timeout_ms, pid_t *ret_pid, int *ret_pidfd, struct error *err);

/* Kills a child of ours and waits for it; closes *pidfd and zeroes *pid. Idempotent. */
int plan_reap(pid_t *pid, int *pidfd, int *ret_status, struct error *err);

/* ---- steps (child*.c) ---- */
int step_map_ids(struct child *child, const struct step *step);
int step_no_groups(struct child *child, const struct step *step);
int step_join_cgroup(struct child *child, const struct step *step);
int step_cgroup_namespace(struct child *child, const struct step *step);
int step_affinity(struct child *child, const struct step *step);
int step_session(struct child *child, const struct step *step);
int step_keyring(struct child *child, const struct step *step);
int step_hostname(struct child *child, const struct step *step);
int step_loopback(struct child *child, const struct step *step);
int step_signals(struct child *child, const struct step *step);
int step_rlimits(struct child *child, const struct step *step);
int step_stdio(struct child *child, const struct step *step);
int step_no_new_privileges(struct child *child, const struct step *step);
int step_capabilities(struct child *child, const struct step *step);
int step_seccomp(struct child *child, const struct step *step);
int step_exec(struct child *child, const struct step *step);

int step_private_mounts(struct child *child, const struct step *step);
int step_root(struct child *child, const struct step *step);
int step_tmpfs(struct child *child, const struct step *step);
int step_tmpfs_bind(struct child *child, const struct step *step);
int step_device_node(struct child *child, const struct step *step);
int step_device_bind(struct child *child, const struct step *step);
int step_device_links(struct child *child, const struct step *step);
int step_fresh(struct child *child, const struct step *step);
int step_bind(struct child *child, const struct step *step);
int step_mask_file(struct child *child, const struct step *step);
int step_mask_dir(struct child *child, const struct step *step);
int step_pivot(struct child *child, const struct step *step);
int step_chroot(struct child *child, const struct step *step);
