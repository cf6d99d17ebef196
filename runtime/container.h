/* The container runtime: a process in namespaces of its own, in a read-only root, under cgroup limits, without privileges.
 *
 * It is a plan, then a walk. container_prepare() turns options into an array of named steps and computes everything that can be known
 * beforehand (strings, CPU mask, seccomp program): paid once, changes nothing on the host, prints without privilege. container_start() makes
 * cgroup, namespaces and root in line and lets the child walk the steps once, with a time stamp a step.
 *
 * Order: prepare, [plan_open], (start, stop)*, plan_free. A plan starts one container at a time (the child borrows its stack); several
 * started containers may live. Not for concurrent use of one plan by two threads. Prints nothing but in container_plan_print(). */
#pragma once

#include <cgroup/cgroup.h>
#include <network/network.h>

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct container_plan;
struct journal;
struct network_user;

enum container_namespace {
	CONTAINER_NS_MOUNT = 1 << 0,
	CONTAINER_NS_PID = 1 << 1,
	CONTAINER_NS_NET = 1 << 2,
	CONTAINER_NS_UTS = 1 << 3,
	CONTAINER_NS_IPC = 1 << 4,
	CONTAINER_NS_CGROUP = 1 << 5,
	CONTAINER_NS_TIME = 1 << 6,
	CONTAINER_NS_ALL = (1 << 7) - 1, /* the user namespace is a choice of its own */
};

enum container_choice { CONTAINER_AUTO, CONTAINER_ON, CONTAINER_OFF };

/* What becomes of the root folder. */
enum container_root {
	CONTAINER_ROOT_READ_ONLY, /* as it is, read-only; /tmp and /run are writable */
	CONTAINER_ROOT_OVERLAY,   /* writable: an overlay, its upper layer in a tmpfs that ends with the container */
	CONTAINER_ROOT_COPY,      /* read-only: a tmpfs with a copy of the program; for a root that holds nothing else (root_is_program) */
	CONTAINER_ROOT_UPPER,     /* writable: an overlay, its upper layer in the folder `upper`, which stays */
};

enum container_network {
	CONTAINER_NETWORK_LOOPBACK, /* a namespace with lo up */
	CONTAINER_NETWORK_NONE,     /* a namespace in which even lo is down */
	CONTAINER_NETWORK_BRIDGE,   /* eth0 on a bridge of ours (network/network.h); needs CAP_NET_ADMIN on the host */
	CONTAINER_NETWORK_USER,     /* rootless: pasta or slirp4netns of the host */
};

/* A file or folder of the host, shown inside at `target` (made where it is missing and the root is writable); nosuid, nodev. */
struct container_mount {
	const char *source; /* absolute, and no link on the way: realpath() */
	const char *target; /* absolute, inside; looked up without leaving the root */
	bool writable;
};

/* The child is in its cgroup before its exec, but in its parent's memory: a limit that the start itself breaks would end both. */
enum { CONTAINER_MEMORY_MIN = 4 << 20, CONTAINER_STEPS_MAX = 128, CONTAINER_PARENT_STEPS_MAX = 8 };

struct container_options {
	const char *rootfs;        /* absolute path of the root folder; becomes "/" */
	const char *const *layers; /* folders over it, bottom first, NULL-terminated, merged by overlayfs; NULL: none */
	enum container_root root;
	const char
		*upper; /* CONTAINER_ROOT_UPPER: folder with the subfolders "upper" and "work", in one that others cannot enter: what root
			      * writes inside is the caller's outside, set-user-id bits included */
	int64_t tmpfs_bytes; /* of all that is writable in memory together; 0: 64 MiB, with an overlay 512 MiB */
	const struct container_mount *mounts;
	size_t n_mounts;
	const char *const *devices; /* nodes of the host that it gets, at the same place ("/dev/dri/card0"), NULL-terminated; NULL: none */
	bool root_is_program;       /* the root holds nothing but argv[0] ("/NAME"): a copy of it may take its place */
	const char *const *argv;    /* argv[0]: path inside the root, or a name that is searched in PATH of envp; NULL-terminated */
	const char *const *envp;    /* NULL: PATH alone */
	const char *working_dir;    /* inside; NULL: "/" */
	uid_t run_uid;              /* ids inside, of the program */
	gid_t run_gid;
	bool terminal;        /* 0, 1 and 2 are a pseudo-terminal of its own devpts; container.terminal_fd is its master */
	const char *hostname; /* NULL: the id of the container */
	enum container_network network;
	const char *bridge, *subnet; /* of CONTAINER_NETWORK_BRIDGE; NULL: network/network.h chooses */
	struct network_limits link_limits;
	uint64_t capabilities_add, capabilities_drop; /* bit n: capability n; added to or taken from the default set */
	bool system; /* its program is an init, which gets a group of version 2 to divide up and a /proc to write its own files in; needs a user
		      * namespace with many ids */
	bool bare; /* clone with the namespaces, and exec: nothing else is made or dropped. The floor of all starts, for comparisons alone */
	unsigned pool;                /* > 0: this many network namespaces, cgroups and roots are kept ready (class "warm") */
	unsigned namespaces;          /* those the container gets for itself */
	enum container_choice userns; /* auto: wherever there can be one; root's maps 65,536 ids of nobody (ids.h), others map themselves */
	enum container_choice cgroup; /* auto: where permitted, else a note; on: else an error */
	bool seccomp_off;
	bool die_with_parent; /* the end of the thread that started it kills it (PR_SET_PDEATHSIG); a program that changes its user ends that */
	struct cgroup_limits limits;
	unsigned without;        /* CGROUP_BIT(): of cpu, memory and pids, those that are not used whatever `limits` say */
	unsigned accounting;     /* controllers that are wanted for their counters alone: CGROUP_BIT(CGROUP_CPUACCT) … */
	const char *cgroup_name; /* name of the group that holds this plan's containers, unique on the host (cgroup_run_name()) */
	const struct cgroup_layout *cgroup_layout; /* where that group lies, read while preparing; NULL: where the host keeps its groups */
	const char *cpuset;                        /* CPUs in list format; NULL or empty: not bound */
	uid_t uid;                                 /* host ids of the caller, who becomes root inside a user namespace */
	gid_t gid;
	int start_timeout_ms;                /* a child that did not exec by then is killed; 0: 10 s */
	struct journal *journal;             /* told of every cgroup before it is made; may be NULL */
	const struct container_plan *ids_of; /* the runtime's own: a plan whose containers have the same ids; NULL: none */
	const char *host_root;               /* prefix of /proc and /sys that are looked at ("" on a live host) */
};

/* All namespaces, seccomp, own ids, automatic choices, no limits. */
struct container_options container_options_default(void);

/* Sets one from text: mount, pid, uts, ipc, cgroupns, time = own|host; net = own|none|bridge|user|host; userns, cgroup = auto|on|off; seccomp = on|off;
 * bridge = NAME (the text stays the caller's); cpu = PERCENT; cpu-weight = N; cpuset = LIST (limits.cpus); root = read-only|overlay; tmpfs = SIZE. -ENOENT: no such key. */
int container_options_set(struct container_options *options, const char *key, const char *value, struct error *err);

/* What the plan decided, in words for a result. */
struct container_facts {
	bool rootless; /* no privilege on the host */
	char namespaces[96];
	char network[96];      /* "loopback", "none", "host", "eth0 on bridge NAME, SUBNET" (once opened), "tap0 by pasta" */
	char cgroup[160];      /* mode and controllers that are used, or "none" */
	char start_class[160]; /* "cold", "warm" or "bare", a colon, what that means here */
	char limits[160], capabilities[256], seccomp[96];
	char notes[6][256]; /* what is not limited or not isolated, and why */
	size_t n_notes;
};

/* Written by the child into shared memory, read by the parent. CLOCK_MONOTONIC. */
struct container_trace {
	int64_t cloned_ns;                                       /* the child's first instruction of ours */
	int64_t done_ns[CONTAINER_STEPS_MAX];                    /* end of step i */
	int64_t helper_begin_ns, helper_made_ns, helper_done_ns; /* of the thread that makes the network: namespace made, lo up; or 0 */
	int n_done;
	int failed_errno; /* > 0: step n_done failed with it */
	int64_t parent_begin_ns[CONTAINER_PARENT_STEPS_MAX], parent_done_ns[CONTAINER_PARENT_STEPS_MAX]; /* what the parent did meanwhile */
};

struct container {
	char id[64];
	pid_t pid;       /* on the host; 0: not started or already reaped */
	int pidfd;       /* -1: none */
	int status;      /* exit status, 128 + n for signal n; once reaped */
	int terminal_fd; /* master of its terminal, the caller's to close; -1: none */
	struct network_link link;
	struct network_user *carrier; /* of CONTAINER_NETWORK_USER; owned */
	struct cgroup cgroup;
	struct cgroup delegated; /* of a system container, where it is not the former */
	struct container_trace trace;
};
#define CONTAINER_NONE ((struct container){.pidfd = -1, .terminal_fd = -1})

int container_prepare(const struct container_options *options, struct container_plan **ret, struct error *err);

/* One line a step, with what the parent does first. The same options give the same text. */
void container_plan_print(const struct container_plan *plan, FILE *out);

/* Makes the group of this plan's containers and tries the limits, if container_start() did not. cgroup=auto: a failure becomes a note. */
int container_plan_open(struct container_plan *plan, struct error *err);

/* Makes what the starts since the last call took out of the pool; for the time between starts. Without a pool: nothing. */
int container_plan_refill(struct container_plan *plan, struct error *err);

const struct container_facts *container_plan_facts(const struct container_plan *plan);
size_t container_plan_steps(const struct container_plan *plan);
const char *container_plan_step_name(const struct container_plan *plan, size_t step);
const char *container_plan_step_argument(const struct container_plan *plan, size_t step); /* what it works on; may be empty */

/* The steps of the parent: those before the clone first, then those beside the child. */
size_t container_plan_parent_steps(const struct container_plan *plan);
const char *container_plan_parent_step_name(const struct container_plan *plan, size_t step);

/* When the sandbox was ready: all steps done but the exec. */
int64_t container_sandbox_ns(const struct container_plan *plan, const struct container_trace *trace);

/* Starts a container; returns when its program runs (the exec has happened). stdio are the caller's descriptors for 0, 1 and 2, and stay the
 * caller's; -1 is the container's own /dev/null (without namespace
 * mount: an empty file that takes nothing). `timeout_ms` > 0 shortens the plan's. A failure names the step and leaves nothing. */
int container_start(struct container_plan *plan, const char *id, const int stdio[3], int timeout_ms, struct container *ret,
		    struct error *err);

/* Ends all of it, reaps it, removes its cgroup. Idempotent, safe on CONTAINER_NONE and on a half-made one. */
int container_stop(struct container_plan *plan, struct container *container, struct error *err);

/* Folder whose counters tell the container's memory (v1: memory, v2: unified), or NULL without such a cgroup. */
const char *container_memory_dir(const struct container_plan *plan, const struct container *container);

/* Removes the plan's group (all its containers are stopped by then) and frees the plan. NULL is fine. */
void container_plan_free(struct container_plan *plan);

/* ---- a further process in a running container (exec.c) ---- */

struct container_exec_options {
	pid_t pid;           /* first process of the container, on the host */
	int64_t start_ticks; /* of that process (base/process.h): what bears its number later is not entered. 0: not known */
	const char *cgroup_dirs[CGROUP_CONTROLLER_COUNT]; /* its groups, joined before anything else; NULL ends */
	const char *const *argv, *const *envp;            /* argv[0]: searched in PATH of envp where it has no slash */
	const char *working_dir;                          /* NULL: "/" */
	uid_t run_uid;
	gid_t run_gid;
	uint64_t capabilities; /* kept; never more than the container's first process has in its bounding set */
	bool seccomp_off;
	bool terminal;
};

/* Enters all namespaces of `pid` that are not ours by setns(pidfd) and runs a program there, with the container's own restrictions; returns when
 * it runs. Root, or who started the container, can. `ret` has pid, pidfd and terminal_fd alone; end it with container_stop(NULL, …).
 *
 * It ends with the thread that called this, and with the container. It counts as a process of the container, for a moment as two. End it before
 * the container is stopped from the same process: the kernel keeps a container's first process as long as the end of another is not waited for.
 * SIGCHLD must not be ignored, and nobody else may wait for any child. -ENOENT: no such program; -ESRCH: the container has ended; -EBUSY: it is
 * frozen; -EAGAIN: its limit of processes is reached. */
int container_exec(const struct container_exec_options *options, const int stdio[3], struct container *ret, struct error *err);

/* ---- this program itself (self_exec.c) ---- */

/* CVE-2019-5736: a container must not reach our binary for writing. Runs this program again from a read-only, detached clone of its mount, or
 * from a sealed copy in memory where that is not permitted; returns at once in the second life. First call of main(). The path of the program on
 * disk stays known (container_self_path()). argv NULL: learns the path alone. -errno when neither is possible: then the caller must not start containers of foreign images. */
int container_protect_self(char **argv, struct error *err);

/* Path of this program on disk ("… (deleted)" when it is gone), once container_protect_self() was called. */
const char *container_self_path(void);

/* Can nobody write to the file that we run from? As the kernel says now. */
bool container_self_protected(void);
