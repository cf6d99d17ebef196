/* Groups inside groups, from a file: who gets which part of a host when all are busy.
 *
 * A file is {"groups": {NAME: {"cpu_share": 40, "groups": {…}}, …}}; docs/limits.md lists the keys, docs/examples/ has a file and its schema.
 * Shares of siblings sum up to 100 and become weights. Processes live in leaves alone: version 2 wants it so, and on version 1 a process beside
 * groups would take a part that nobody declared.
 *
 * Order: cgroup_hierarchy_read, cgroup_hierarchy_open, then cgroup_join or CLONE_INTO_CGROUP into leaves, cgroup_hierarchy_close,
 * cgroup_hierarchy_free. */
#pragma once

#include "cgroup.h"

enum { CGROUP_NODES_MAX = 64, CGROUP_DEPTH_MAX = 8, CGROUP_NODE_NAME_MAX = 49 };

struct cgroup_node {
	char name[CGROUP_NODE_NAME_MAX];
	int parent;                  /* index; -1: at the top */
	double cpu_share;            /* percent of the parent, as declared; equal parts where siblings declare none */
	struct cgroup_limits limits; /* its weight included */
	size_t n_children;
};

/* Parents stand before their children. Owned; cgroup_hierarchy_free(). */
struct cgroup_hierarchy {
	struct cgroup_node *nodes;
	size_t n_nodes;
};

/* Reads and checks a file. A failure says file, line and key: "faculty.json: line 4: groups.Faculty.cpu_share: expected …". */
int cgroup_hierarchy_read(const char *path, struct cgroup_hierarchy *ret, struct error *err);

/* The same from memory; `source` names it in messages. */
int cgroup_hierarchy_parse(const char *text, size_t size, const char *source, struct cgroup_hierarchy *ret, struct error *err);
void cgroup_hierarchy_free(struct cgroup_hierarchy *hierarchy);

/* "Faculty/Web". Returns `ret`. */
const char *cgroup_hierarchy_path(const struct cgroup_hierarchy *hierarchy, size_t node, char *ret, size_t size);

/* Index of the node with that path; -1: none. */
int cgroup_hierarchy_find(const struct cgroup_hierarchy *hierarchy, const char *path);

/* Part of the whole, 0 to 1, that a node gets when all leaves are busy on the same CPUs and no quota stops them. */
double cgroup_hierarchy_share(const struct cgroup_hierarchy *hierarchy, size_t node);

/* The groups of a hierarchy on this host. */
struct cgroup_hierarchy_groups {
	struct cgroup_tree tree;
	struct cgroup groups[CGROUP_NODES_MAX]; /* the same index as the nodes */
	size_t n_made;
};

/* Makes all groups below one called `name` (cgroup_run_name()), which the journal names. `extra` are controllers for accounting. What cannot be
 * had is an error: half a hierarchy shares nothing. On failure nothing stays. */
int cgroup_hierarchy_open(const struct cgroup_hierarchy *hierarchy, const struct cgroup_layout *layout, const char *name, unsigned extra,
			  struct journal *journal, struct cgroup_hierarchy_groups *ret, struct error *err);

/* Where groups of others can lie inside a leaf: a layout for cgroup_tree_plan() that knows this hierarchy's controllers alone. `host` is the one
 * that the hierarchy was opened with. From then on no process may join the leaf itself: version 2 wants it so. */
int cgroup_hierarchy_inside(const struct cgroup_hierarchy_groups *groups, size_t leaf, const struct cgroup_layout *host,
			    struct cgroup_layout *ret, struct error *err);

/* Kills what is still inside and removes all in reverse order. Idempotent, safe when zeroed. */
int cgroup_hierarchy_close(struct cgroup_hierarchy_groups *groups, struct error *err);
