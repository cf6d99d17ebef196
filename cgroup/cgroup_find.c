/* The groups of a process that is there already, whoever made them. */
#include "cgroup_inside.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As /proc/<pid>/cgroup lists version 1's controllers. */
static const char *const v1_names[] = {"cpu", "memory", "pids", "cpuacct", "cpuset", "blkio", "devices", "hugetlb", "net_prio", "freezer"};
_Static_assert(sizeof(v1_names) / sizeof(v1_names[0]) == CGROUP_CONTROLLER_COUNT, "one name a controller");

/* Adds the folder <mount><path>, once a hierarchy. The tree gets the folder above it. */
static int add(const char *mount, const char *path, int controller, struct cgroup_tree *tree, struct cgroup *group, struct error *err)
{
	char dir[CGROUP_PATH_MAX];
	int rc = path_format(dir, sizeof(dir), err, "%s%s", mount, path);
	size_t i = 0;

	if (rc < 0)
		return rc;
	while (i < group->n_dirs && strcmp(group->dirs[i], dir) != 0)
		i++;
	if (i == group->n_dirs) {
		memcpy(group->dirs[i], dir, sizeof(dir));
		memcpy(tree->dirs[i], dir, sizeof(dir));
		*strrchr(tree->dirs[i], '/') = '\0';
		tree->n_dirs = ++group->n_dirs;
	}
	tree->dir_of[controller] = (int)i;
	return 0;
}

/* One line "<id>:<controllers>:<path>" of version 1. Cut up in place. */
static int read_v1(const struct cgroup_layout *layout, char *line, struct cgroup_tree *tree, struct cgroup *group, struct error *err)
{
	char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
	int rc = 0;

	if (!path || path[1] != '/' || !path[2] || controllers + 1 == path)
		return 0;
	*path++ = '\0';
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && rc == 0; i++)
		if (layout->v1[i][0] && cgroup_list_has(controllers + 1, ',', v1_names[i]))
			rc = add(layout->v1[i], path, i, tree, group, err);
	return rc;
}

/* Version 2: the controllers that the folder has, and what needs none. */
static int read_v2(const char *root, const struct cgroup_layout *layout, const char *path, struct cgroup_tree *tree, struct cgroup *group,
		   struct error *err)
{
	char file[PATH_MAX], served[256] = "";
	int rc = path_format(file, sizeof(file), err, "%s%s/cgroup.controllers", layout->v2, path);

	if (rc == 0)
		file_read(root, file, served, sizeof(served), NULL);
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && rc == 0; i++)
		if (i != CGROUP_NET_PRIO && (!cgroup_v2_names[i] || cgroup_list_has(served, ' ', cgroup_v2_names[i])))
			rc = add(layout->v2, path, i, tree, group, err);
	return rc;
}

int cgroup_of_pid(const char *root, const struct cgroup_layout *layout, pid_t pid, struct cgroup_tree *ret_tree, struct cgroup *ret,
		  struct error *err)
{
	struct cgroup_tree tree = {.dir_of = CGROUP_NO_DIRS, .ops = &cgroup_v1_ops};
	struct cgroup group = {0};
	char path[PATH_MAX], text[8192], unified[CGROUP_PATH_MAX] = "", *save = NULL;
	int rc = path_format(tree.root, sizeof(tree.root), err, "%s", root);

	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "/proc/%d/cgroup", (int)pid);
	if (rc == 0 && file_read(root, path, text, sizeof(text), err) < 0)
		return error_prefix(err, "cgroups of process %d", (int)pid);
	for (char *line = rc < 0 ? NULL : strtok_r(text, "\n", &save); line && rc == 0; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "0::/", 4) != 0)
			rc = read_v1(layout, line, &tree, &group, err);
		else if (line[4])
			rc = path_format(unified, sizeof(unified), err, "%s", line + 3);
	}
	if (rc == 0 && group.n_dirs == 0 && unified[0] && layout->v2[0]) {
		tree.ops = &cgroup_v2_ops;
		rc = read_v2(root, layout, unified, &tree, &group, err);
	}
	if (rc == 0 && group.n_dirs == 0)
		rc = error_set(err, ENOENT, "process %d is in no cgroup but the top ones", (int)pid);
	if (rc < 0)
		return rc;
	*ret_tree = tree;
	*ret = group;
	return 0;
}
