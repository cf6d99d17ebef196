#include "cgroup_hierarchy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cgroup_hierarchy_free(struct cgroup_hierarchy *hierarchy)
{
	free(hierarchy->nodes);
	*hierarchy = (struct cgroup_hierarchy){0};
}

const char *cgroup_hierarchy_path(const struct cgroup_hierarchy *hierarchy, size_t node, char *ret, size_t size)
{
	size_t chain[CGROUP_DEPTH_MAX] = {0}, depth = 0, used = 0;

	for (int at = (int)node; at >= 0 && depth < CGROUP_DEPTH_MAX; at = hierarchy->nodes[at].parent)
		chain[depth++] = (size_t)at;
	ret[0] = '\0';
	while (depth-- > 0 && used < size)
		used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? "/" : "", hierarchy->nodes[chain[depth]].name);
	return ret;
}

int cgroup_hierarchy_find(const struct cgroup_hierarchy *hierarchy, const char *path)
{
	char own[CGROUP_PATH_MAX * 2];

	for (size_t i = 0; i < hierarchy->n_nodes; i++)
		if (strcmp(cgroup_hierarchy_path(hierarchy, i, own, sizeof(own)), path) == 0)
			return (int)i;
	return -1;
}

double cgroup_hierarchy_share(const struct cgroup_hierarchy *hierarchy, size_t node)
{
	double share = 1;

	for (int at = (int)node; at >= 0; at = hierarchy->nodes[at].parent)
		share *= hierarchy->nodes[at].cpu_share / 100;
	return share;
}

/* ---- on the host ---- */

static int check(const struct cgroup_hierarchy *hierarchy, unsigned *ret_wanted, struct error *err)
{
	char path[CGROUP_PATH_MAX * 2];

	for (size_t i = 0; i < hierarchy->n_nodes; i++) {
		if (cgroup_limits_check("", &hierarchy->nodes[i].limits, err) < 0)
			return error_prefix(err, "group %.160s", cgroup_hierarchy_path(hierarchy, i, path, sizeof(path)));
		*ret_wanted |= cgroup_limits_controllers(&hierarchy->nodes[i].limits);
	}
	return 0;
}

static int make_node(const struct cgroup_hierarchy *hierarchy, size_t i, struct cgroup_hierarchy_groups *groups, struct error *err)
{
	const struct cgroup_node *node = &hierarchy->nodes[i];
	char path[CGROUP_PATH_MAX * 2], lacking[200];
	int rc = cgroup_limits_lacking(&groups->tree, &node->limits, lacking, sizeof(lacking));

	cgroup_hierarchy_path(hierarchy, i, path, sizeof(path));
	if (rc)
		rc = error_set(err, EOPNOTSUPP, "%s", lacking);
	if (rc == 0)
		rc = cgroup_create(&groups->tree, path, &node->limits, &groups->groups[i], err);
	if (rc == 0)
		groups->n_made++;
	if (rc == 0 && node->n_children > 0)
		rc = groups->tree.ops->open_inner(&groups->tree, &groups->groups[i], err);
	return rc < 0 ? error_prefix(err, "group %.160s", path) : 0;
}

int cgroup_hierarchy_open(const struct cgroup_hierarchy *hierarchy, const struct cgroup_layout *layout, const char *name, unsigned extra,
			  struct journal *journal, struct cgroup_hierarchy_groups *ret, struct error *err)
{
	unsigned wanted = extra | CGROUP_BIT(CGROUP_CPU);
	int rc = check(hierarchy, &wanted, err);

	memset(ret, 0, sizeof(*ret));
	if (rc == 0)
		rc = cgroup_tree_plan("", layout, name, wanted, &ret->tree, err);
	if (rc == 0 && ret->tree.note[0]) {
		error_set(err, EPERM, "%s", ret->tree.note);
		rc = error_hint(err, "%s", ret->tree.remedy);
	}
	if (rc == 0)
		rc = cgroup_tree_open(&ret->tree, journal, err);
	for (size_t i = 0; i < hierarchy->n_nodes && rc == 0; i++)
		rc = make_node(hierarchy, i, ret, err);
	if (rc < 0)
		cgroup_hierarchy_close(ret, NULL);
	return rc;
}

int cgroup_hierarchy_inside(const struct cgroup_hierarchy_groups *groups, size_t leaf, const struct cgroup_layout *host,
			    struct cgroup_layout *ret, struct error *err)
{
	const struct cgroup *group = &groups->groups[leaf];

	*ret = (struct cgroup_layout){.mode = host->mode};
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
		int at = groups->tree.dir_of[i];

		if (at >= 0 && (size_t)at < group->n_dirs)
			memcpy(host->mode == CGROUP_MODE_V2 ? ret->v2 : ret->v1[i], group->dirs[at], CGROUP_PATH_MAX);
	}
	return groups->tree.ops->open_inner(&groups->tree, group, err);
}

int cgroup_hierarchy_close(struct cgroup_hierarchy_groups *groups, struct error *err)
{
	int rc = 0;

	while (groups->n_made > 0 && rc == 0) {
		rc = cgroup_remove(&groups->tree, &groups->groups[groups->n_made - 1], err);
		if (rc == 0)
			groups->n_made--;
	}
	return rc < 0 ? rc : cgroup_tree_close(&groups->tree, err);
}
