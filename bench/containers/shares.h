/* Shares of a hierarchy, seen: a container in each leaf, all spinning on one CPU, and what each group got of it by its own counters.
 *
 * Order: cgroup_hierarchy_read, shares_cpu, shares_check, shares_measure. Everything that is made lies in a folder of containers/folder.h with a
 * journal and a keeper: it goes at the end, on failure, when this process is killed, and by `bench clean` after that. */
#pragma once

#include <bench/error.h>
#include <cgroup/cgroup_hierarchy.h>

#include <stdbool.h>
#include <stdint.h>

enum { SHARES_WINDOWS = 3 };

struct shares_options {
	const char *base;       /* run base: where the folder is made */
	const char *agent_path; /* the program that spins */
	int cpu;
	int64_t duration_ns;         /* of all windows together */
	bool idle[CGROUP_NODES_MAX]; /* groups whose containers do nothing; those below them do nothing either */
	int stop_fd;                 /* readable: give up, undo all, -EINTR (a signalfd); -1: none */
	void (*tell)(const char *phase, int64_t done_ns, int64_t total_ns, void *arg); /* may be NULL; total 0: not known */
	void *arg;
};

/* Percent of the CPU time that all leaves had together. */
struct shares_part {
	bool idle;
	double expected;
	double measured, least, most; /* over all, and in the windows */
	int64_t cpu_ns;
};

struct shares {
	struct shares_part parts[CGROUP_NODES_MAX]; /* the same index as the nodes */
	double cpu_used;                            /* part of the CPU, 0 to 1, that went to the leaves; the rest to others, or to nobody */
	int64_t duration_ns;                        /* as measured */
	enum cgroup_mode mode;
};

/* The CPU to spin on: `wish`, if this process may use it; -1: the last one that it may use, which has fewest interrupts. */
int shares_cpu(int wish, int *ret, struct error *err);

/* Is this group to be idle, or one around it? */
bool shares_is_idle(const struct cgroup_hierarchy *hierarchy, const bool idle[CGROUP_NODES_MAX], size_t node);

/* Can containers run in these groups, on this CPU, with these groups idle? Touches nothing. -EINVAL says what is wrong. */
int shares_check(const struct cgroup_hierarchy *hierarchy, const struct shares_options *options, struct error *err);

/* Part of the whole, 0 to 1, of each node, when the leaves that are not idle are busy with one thread each on one CPU, of which they have `cpu`
 * (0 to 1) together. What an idle group or one at its upper limit leaves goes to its siblings by their shares, and else to those of its parent. */
void shares_expect(const struct cgroup_hierarchy *hierarchy, const bool idle[CGROUP_NODES_MAX], double cpu, double ret[CGROUP_NODES_MAX]);

int shares_measure(const struct cgroup_hierarchy *hierarchy, const struct shares_options *options, struct shares *ret, struct error *err);

/* Index of the node that is farthest from what is expected of it; *ret_points: how far. */
size_t shares_worst(const struct cgroup_hierarchy *hierarchy, const struct shares *shares, double *ret_points);
