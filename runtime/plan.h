/* The plan in memory, between plan.c (which builds it), container.c (which starts it) and the child (which walks it). Internal to runtime/.
 *
 * Everything the child needs is in here or in struct child, computed before the clone: it allocates nothing and calls only what is safe in a
 * child that shares its parent's memory. The files child*.c hold all of its code and nothing else. */
#pragma once

#include "container.h"
#include "ids.h"

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

/* What the parent does for one start: before the clone (then `pid` of the container is 0), or beside the child, which waits for it with
 * step_await where it needs the outcome. On failure the start is given up. Undone by container_stop(). */
struct parent_step {
	const char *name;
	int (*apply)(struct container_plan *plan, struct container *made, struct error *err);
	const char *arg; /* what is printed */
	bool before_clone;
};

/* A place of the host that becomes a mount of the container: its root, a volume. */
struct plan_source {
	const char *path;
	int template_fd;     /* a detached mount to clone instead, as it is; -1: none */
	uint64_t set, clear; /* MOUNT_ATTR_* */
	bool recursive;
	bool is_folder;
	bool maps_ids;  /* what belongs to 0 on the host belongs to 0 inside */
	bool no_links;  /* refused when a link is on its way: others may write there */
	bool by_parent; /* opened before the clone, by who may; else by the child */
};

/* A root that is an overlay: numbers of its sources. */
struct plan_overlay {
	size_t first_layer, n_layers; /* bottom first */
	bool keeps;                   /* the upper layer is a folder of the host: source `upper` */
	size_t upper;
	bool in_userns;
};

struct plan_rlimit {
	int resource;
	struct rlimit value;
};

enum {
	PLAN_RLIMITS_MAX = 8,
	PLAN_SOURCES_MAX = 256,
	CHILD_STACK_BYTES = 64 * 1024,
	CHILD_THREADS = 2,
	CHILD_THREAD_STACK_BYTES = 16 * 1024
};

/* Releases of Linux, as numbers, that can what older ones cannot. */
enum { KERNEL_EXEC_ENTERS_TIME = 6002, KERNEL_CLONES_DETACHED = 6015 };

#define CHILD_GIVE_UP   UINT32_MAX
#define IGNORED_UNKNOWN UINT64_MAX

/* A thread of the child (child_thread.h). */
struct child_thread {
	uint32_t running; /* futex: 1 until the kernel sees it end */
	long id;          /* in the child's own pid namespace */
	bool begun;       /* it has got a CPU */
};

/* Makes the network namespace (child_network.c). */
struct child_network {
	struct child_thread thread;
	bool used;     /* false: there is none, or it was made in line */
	uint32_t made; /* futex: NETWORK_MADE when fd is valid */
	int fd;        /* the namespace, or -errno */
	int up_rc;     /* of the loopback, and the quotas; valid at the end */
};
enum { NETWORK_NOT_YET, NETWORK_MADE };

/* Lets go of the old root (child_mounts.c). */
struct child_leave {
	struct child_thread thread;
	int rc; /* valid at the end */
};

/* What one child works with. Lives in the plan: a child that cannot be killed must not write to a frame that is gone. */
struct child {
	const struct container_plan *plan;
	const char *id;
	int stdio[3];
	int parent_fd;                          /* pidfd of the parent; -1: not known, or closed by now */
	int group_fds[CGROUP_CONTROLLER_COUNT]; /* the plan's groups; the container's lies below each */
	int n_groups;
	char tasks[96]; /* "ID/tasks" */
	int root_fd;    /* the new root's mount */
	int empty_fd;   /* an empty folder, to mask others with */
	int tmpfs_fd, proc_fd, sys_fd, pts_fd;
	int source_fds[PLAN_SOURCES_MAX]; /* of the plan's sources, as far as they are open */
	int on_old_root;                  /* mounts that were attached on top of the old root, to be let go of with it */
	const char *covered;              /* a masked file of /proc, to mask others with; the working folder is /proc by then */
	struct container_trace trace;
	uint32_t running; /* futex: 1 until the kernel sees this child leave our memory (exec or end) */
	struct child_network network;
	struct child_leave leave;
	const struct pool_slot *slot; /* of a warm start */
	uint32_t joined;              /* futex: 1 once the child is in its network namespace, where the parent waits for that */
	uint64_t ignored;             /* bit n - 1: our parent ignores signal n; IGNORED_UNKNOWN: nobody has looked yet */
	uint32_t granted;             /* futex: how many of the parent's steps beside the child are done; CHILD_GIVE_UP: one failed */
};

struct pool; /* pool.h */

/* What a warm start finds ready. */
struct pool_slot {
	char name[32];                                 /* of its cgroup */
	int net_fd, mount_fd, uts_fd, ipc_fd, user_fd; /* namespaces; -1: not in a slot */
	struct cgroup cgroup;
	int join_fds[CGROUP_CONTROLLER_COUNT]; /* of the cgroup: written to by who joins; -1: none */
};

struct container_plan {
	struct step steps[CONTAINER_STEPS_MAX];
	size_t n_steps;
	struct parent_step parent_steps[CONTAINER_PARENT_STEPS_MAX];
	size_t n_parent_steps;
	uint64_t clone_flags, late_flags;
	struct plan_source sources[PLAN_SOURCES_MAX];
	size_t n_sources;
	struct plan_overlay overlay;
	bool own_dev; /* each container has a /dev in its tmpfs */
	bool terminal;
	bool opens_sources; /* some of them before the clone */
	bool maps_ids;      /* the parent maps the container's ids to `ids` */
	struct ids ids;
	int ids_lock_fd; /* holds them; -1: not needed, or shared */
	int userns_fd;   /* a user namespace with that mapping, for mounts; -1: none */
	int dev_fd;      /* a detached, read-only /dev that is cloned for each container; -1: each gets its own */
	int channel[2];  /* from parent to child: descriptors; -1: not needed */
	enum container_network network;
	const char *bridge, *subnet; /* as asked for; empty: chosen */
	struct network_limits link_limits;
	struct network *links; /* of CONTAINER_NETWORK_BRIDGE, while the plan is open */
	struct cgroup_tree tree;
	enum cgroup_mode cgroup_mode;
	bool cgroup_required;
	bool guards_devices; /* it must not start without the group's list of devices */
	struct cgroup_limits limits;
	struct container_facts facts;
	struct journal *journal;
	int start_timeout_ms;
	struct pool *pool;      /* of a plan for warm starts; NULL: cold ones */
	struct pool_slot warm;  /* of the start that is under way, and a pool */
	struct pool *making;    /* of the plan that makes its slots */
	bool is_slot;           /* that plan */
	bool own_pids;          /* the end of the first process ends all */
	int kernel;             /* 6018 for Linux 6.18; 0: not known */
	bool privileged;        /* root, with the right to make namespaces */
	bool restores_dumpable; /* a child that becomes another user makes our memory not dumpable */
	bool shows_sys;         /* a source lies in the host's /sys: nothing may be hung there meanwhile */
	bool nested;            /* our own user namespace is not the host's */

	char **texts; /* what steps point to; owned */
	size_t n_texts;
	char **argv, **envp; /* owned */
	char **programs;     /* what exec tries one after the other: argv[0], or its places in PATH; owned */
	char rootfs[PATH_MAX];
	cpu_set_t cpus;
	struct plan_rlimit rlimits[PLAN_RLIMITS_MAX];
	size_t n_rlimits;
	struct rlimit open_files;
	bool sets_oom_score; /* once its program runs: ours would keep it from being killed first */
	int oom_score;
	bool loopback_up;
	int sysctl_fd; /* of sysctl.h, where quotas are to be set; else negative */
	unsigned sysctl_uses;
	bool helper_sets_quotas; /* the thread that makes the network, when that is done */
	uint64_t sys_attributes; /* of the container's sysfs; 0: it has none */
	uid_t run_uid;
	gid_t run_gid, terminal_gid;
	uint64_t capabilities; /* bit n: kept */
	int last_capability;
	struct sock_filter *filter;
	unsigned short n_filter;

	bool own_null; /* a missing stream is the container's own /dev/null */
	int nothing_fd; /* where it has none: an empty file of our own that cannot be written. The host's has a mode that root could change */
	int parent_fd; /* pidfd of the process that starts the containers; -1: none started yet */
	pid_t parent_pid;
	char *stacks; /* mapping of all: a guard page below each */
	char *thread_stacks[CHILD_THREADS];
	char *child_stack;  /* CHILD_STACK_BYTES */
	struct child child; /* of the start that is under way */
	bool child_lost;    /* it could not be killed and may still use both: they are never freed */
};

/* Walks the plan's steps; never returns when the last one is an exec that works. */
int child_main(void *child);

/* From now on it ends with its parent. A change of ids or capabilities makes the kernel forget that. -ECANCELED: the parent has ended already. */
int child_end_with_parent(const struct child *child);

/* clone3 with a child that runs fn(arg) on the stack [stack, stack + size); returns the pid or -errno. */
struct clone_args;
long child_clone(struct clone_args *args, int (*fn)(void *), void *arg);

/* A child that has done nothing yet. */
static inline struct child plan_child(const struct container_plan *plan, const char *id)
{
	return (struct child){.plan = plan,
			      .id = id,
			      .parent_fd = -1,
			      .root_fd = -1,
			      .empty_fd = -1,
			      .tmpfs_fd = -1,
			      .proc_fd = -1,
			      .sys_fd = -1,
			      .pts_fd = -1,
			      .ignored = IGNORED_UNKNOWN,
			      .source_fds = {[0 ... PLAN_SOURCES_MAX - 1] = -1}};
}

/* Like container_prepare(). Not `whole`: the probe's plan, with an empty root of its own and no program. */
int plan_prepare(const struct container_options *options, bool whole, struct container_plan **ret, struct error *err);

/* The plan that makes slots for a pool of these options. */
int plan_prepare_slot(const struct container_options *options, struct container_plan **ret, struct error *err);

/* Waits until the child has told that it is in its network namespace (step_tell_joined). */
int plan_wait_joined(struct container_plan *plan, struct error *err);

/* Adds a sentence to the facts; what does not fit is dropped. */
void plan_note(struct container_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- stacks.c ---- */

int plan_stacks_make(struct container_plan *plan, struct error *err);
void plan_stacks_free(struct container_plan *plan);

/* Makes the facts tell what the tree of groups is now. */
void plan_tell_cgroup(struct container_plan *plan);

/* What the parent does (parent.c): the source of each step of its own. */
int parent_open_sources(struct container_plan *plan, struct container *made, struct error *err);
int parent_map_ids(struct container_plan *plan, struct container *made, struct error *err);
int parent_set_oom_score(struct container_plan *plan, struct container *made, struct error *err);
int parent_name_child(struct container_plan *plan, struct container *made, struct error *err);
int parent_make_cgroup(struct container_plan *plan, struct container *made, struct error *err);
int parent_send_cgroup(struct container_plan *plan, struct container *made, struct error *err);
int parent_receive_terminal(struct container_plan *plan, struct container *made, struct error *err);
void parent_close_sources(struct container_plan *plan);
void parent_forget(struct container_plan *plan); /* what a child that failed did not take */

/* Sets the quotas of the calling thread's user namespace (child_ids.c). */
int quotas_set(const struct child *child);

/* Opens a source: a detached mount, or -errno. Safe in the child (child_mounts.c). */
int source_open(const struct plan_source *source, int userns_fd);

void plan_free_strings(char **strings);

/* Walks the parent's steps before the clone, clones plan->child, walks those beside it and waits until it has exec'd or ended. `made` gets pid,
 * pidfd and what the steps make, also on failure. A cgroup_fd >= 0 is the cgroup that the child is born in. */
int plan_launch(struct container_plan *plan, int cgroup_fd, int timeout_ms, struct container *made, struct error *err);
int plan_walk_before(struct container_plan *plan, struct container *made, struct error *err);

/* Kills a child of ours and waits for it; closes *pidfd and zeroes *pid. Idempotent. */
int plan_reap(pid_t *pid, int *pidfd, int *ret_status, struct error *err);
