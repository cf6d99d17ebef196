/* The container runtime: a process in namespaces of its own, in a read-only root, under cgroup limits, without privileges.
 *
 * It is a plan, then a walk. container_prepare() turns options into an array of named steps and computes everything that can be known
 * beforehand (strings, CPU mask, seccomp program): paid once, changes nothing on the host, prints without privilege. container_start() makes
 * cgroup, namespaces and root in line and lets the child walk the steps once, with a time stamp a step.
 *
 * Order: prepare, [plan_open], (start, stop)*, plan_free. A plan starts one container at a time (the child borrows its stack); several
 * started containers may live. Not for concurrent use of one plan by two threads. Prints nothing but in container_plan_print(). */
#pragma once

#include "cgroup.h"

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct journal;

enum container_namespace {
	CONTAINER_NS_MOUNT = 1 << 0,
	CONTAINER_NS_PID = 1 << 1,
	CONTAINER_NS_NET = 1 << 2,
	CONTAINER_NS_UTS = 1 << 3,
	CONTAINER_NS_IPC = 1 << 4,
	CONTAINER_NS_CGROUP = 1 << 5,
	CONTAINER_NS_ALL = (1 << 6) - 1, /* the user namespace is a choice of its own */
};

enum container_choice { CONTAINER_AUTO, CONTAINER_ON, CONTAINER_OFF };

/* The child is in its cgroup before its exec, but in its parent's memory: a limit that the start itself breaks would end both. */
enum { CONTAINER_MEMORY_MIN = 4 << 20, CONTAINER_STEPS_MAX = 64 };

struct container_options {
	const char *rootfs;           /* absolute path of the root folder; becomes "/", read-only */
	bool root_is_program;         /* the root holds nothing but argv[0] ("/NAME"): a copy of it may take its place */
	const char *const *argv;      /* argv[0]: absolute path inside the root; NULL-terminated */
	const char *const *envp;      /* NULL: PATH alone */
	const char *hostname;         /* NULL: the id of the container */
	unsigned namespaces;          /* those the container gets for itself */
	enum container_choice userns; /* auto: where the caller is not root, or a root without CAP_SYS_ADMIN */
	enum container_choice cgroup; /* auto: where permitted, else a note; on: else an error */
	bool seccomp_off;
	struct cgroup_limits limits;
	const char *cgroup_name; /* name of the group that holds this plan's containers, unique on the host (cgroup_run_name()) */
	const char *cpuset;      /* CPUs in list format; NULL or empty: not bound */
	uid_t uid;               /* host ids of the caller, who becomes root inside a user namespace */
	gid_t gid;
	int start_timeout_ms;    /* a child that did not exec by then is killed; 0: 10 s */
	struct journal *journal; /* told of every cgroup before it is made; may be NULL */
	const char *host_root;   /* prefix of /proc and /sys that are looked at ("" on a live host) */
};

/* All namespaces, seccomp, own ids, automatic choices, no limits. */
struct container_options container_options_default(void);

/* Sets one from text: mount, pid, net, uts, ipc, cgroupns = own|host; userns, cgroup = auto|on|off; seccomp = on|off. -ENOENT: no such key. */
int container_options_set(struct container_options *options, const char *key, const char *value, struct error *err);

/* What the plan decided, in words for a result. */
struct container_facts {
	bool rootless; /* no privilege on the host */
	char namespaces[96];
	char cgroup[160]; /* mode and controllers that are used, or "none" */
	char limits[160], capabilities[256], seccomp[96];
	char notes[6][256]; /* what is not limited or not isolated, and why */
	size_t n_notes;
};

/* Written by the child into shared memory, read by the parent. CLOCK_MONOTONIC. */
struct container_trace {
	int64_t cloned_ns;                    /* the child's first instruction of ours */
	int64_t done_ns[CONTAINER_STEPS_MAX]; /* end of step i */
	int n_done;
	int failed_errno; /* > 0: step n_done failed with it */
};

struct container_plan;
struct container {
	char id[64];
	pid_t pid;  /* on the host; 0: not started or already reaped */
	int pidfd;  /* -1: none */
	int status; /* as waitid() reports it, once reaped */
	struct cgroup cgroup;
	struct container_trace trace;
};
#define CONTAINER_NONE ((struct container){.pidfd = -1})

int container_prepare(const struct container_options *options, struct container_plan **ret, struct error *err);

/* One line a step, with what the parent does first. The same options give the same text. */
void container_plan_print(const struct container_plan *plan, FILE *out);

/* Makes the group of this plan's containers and tries the limits, if container_start() did not. cgroup=auto: a failure becomes a note. */
int container_plan_open(struct container_plan *plan, struct error *err);

const struct container_facts *container_plan_facts(const struct container_plan *plan);
size_t container_plan_steps(const struct container_plan *plan);
const char *container_plan_step_name(const struct container_plan *plan, size_t step);

/* When the sandbox was ready: all steps done but the exec. */
int64_t container_sandbox_ns(const struct container_plan *plan, const struct container_trace *trace);

/* Starts a container; returns when its program runs (the exec has happened). stdio are the caller's descriptors for 0, 1 and 2, and stay the
 * caller's; -1 is an empty file that takes nothing. `timeout_ms` > 0 shortens the plan's. A failure names the step and leaves nothing. */
int container_start(struct container_plan *plan, const char *id, const int stdio[3], int timeout_ms, struct container *ret,
		    struct error *err);

/* Ends all of it, reaps it, removes its cgroup. Idempotent, safe on CONTAINER_NONE and on a half-made one. */
int container_stop(struct container_plan *plan, struct container *container, struct error *err);

/* Folder whose counters tell the container's memory (v1: memory, v2: unified), or NULL without such a cgroup. */
const char *container_memory_dir(const struct container_plan *plan, const struct container *container);

/* Removes the plan's group (all its containers are stopped by then) and frees the plan. NULL is fine. */
void container_plan_free(struct container_plan *plan);
