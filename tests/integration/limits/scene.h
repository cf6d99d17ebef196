/* Limits that bite, one case a limit: a group with the limit, a member that goes beyond it, and the figure that was measured.
 *
 * A case returns BITES, ABSENT (the host has no such controller: the text says why) or FAILED, and writes one line of text. Members are forked
 * children that join the group and do nothing but system calls and loops. */
#pragma once

#include <cgroup/cgroup_usage.h>

#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum verdict { BITES, ABSENT, FAILED };
typedef enum verdict (*limit_case)(char *text, size_t size);

enum verdict case_quota(char *text, size_t size), case_weight(char *text, size_t size), case_cpuset(char *text, size_t size),
	case_memory(char *text, size_t size), case_high(char *text, size_t size), case_swap(char *text, size_t size),
	case_pids(char *text, size_t size), case_read_bytes(char *text, size_t size), case_write_bytes(char *text, size_t size),
	case_read_ops(char *text, size_t size), case_write_ops(char *text, size_t size), case_io_weight(char *text, size_t size),
	case_devices(char *text, size_t size), case_hugetlb(char *text, size_t size), case_freezer(char *text, size_t size),
	case_net_prio(char *text, size_t size);

struct scene {
	struct cgroup_tree tree;
	struct cgroup group;
};

/* Makes a tree and one group with these limits. Not BITES: the text is written, nothing is left. */
enum verdict scene_open(const struct cgroup_limits *limits, unsigned extra, struct scene *ret, char *text, size_t size);

/* What cannot be removed ends the program with a failure. */
void scene_close(struct scene *scene);

/* A child inside the group that runs `work`, whose result is its exit status. */
pid_t member_start(const struct scene *scene, int (*work)(void *arg), void *arg);

/* The wait status of a child, or -1 when it did not end within the time; then it is killed. */
int member_wait(pid_t pid, int timeout_ms);
void member_kill(pid_t pid);

/* Counts without an end on one CPU; arg: int, number of the CPU, or NULL. */
int spin(void *arg);

/* The last CPU that we may run on. */
int last_cpu(void);

/* A pause that measures something: how long the members are left alone. */
void let_run(int ms);

struct cgroup_usage usage_of(const struct scene *scene);

#define SAY(verdict, ...) (snprintf(text, size, __VA_ARGS__), (verdict))
