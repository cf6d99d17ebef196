/* Which device nodes a group may open or make: a list of rules, as lines for version 1 and as a BPF program for version 2.
 *
 * The kernel asks the program at each open and mknod of a node, with type, rights, major and minor number; 1 allows. It is attached to the group's folder
 * and goes with it. Programs of groups above are asked as well (BPF_F_ALLOW_MULTI), so that nobody gains rights that an outer group lacks. */
#pragma once

#include "cgroup_limits.h"

#include <linux/bpf.h>

enum {
	CGROUP_DEVICE_RULES_MAX = CGROUP_DEVICES_MAX + 8,
	CGROUP_DEVICE_PROGRAM_MAX = 8 + CGROUP_DEVICE_RULES_MAX * 8, /* instructions */
};

/* The standard nodes, then those of `limits`. Returns how many. */
size_t cgroup_device_rules(const struct cgroup_limits *limits, struct cgroup_device_rule ret[CGROUP_DEVICE_RULES_MAX]);

/* "c 1:3 rwm", "c 136:* rw". Returns `ret`. */
const char *cgroup_device_text(const struct cgroup_device_rule *rule, char *ret, size_t size);

/* Translates rules into a program; returns the number of instructions. */
size_t cgroup_device_program(const struct cgroup_device_rule *rules, size_t n, struct bpf_insn ret[CGROUP_DEVICE_PROGRAM_MAX]);

/* Loads the program of `limits` and attaches it to a folder of version 2. */
int cgroup_device_close(const char *dir, const struct cgroup_limits *limits, struct error *err);
