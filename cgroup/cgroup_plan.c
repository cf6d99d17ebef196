/* Which folders a run's group gets: the hierarchies of version 1 that have a wanted controller, or one folder of version 2 where it is delegated.
 *
 * "Delegated" is what the kernel takes for it: a folder whose cgroup.procs and cgroup.subtree_control belong to us as well. A user's own part
 * starts at user@<uid>.service; above it nothing is looked at, even if somebody has made it writable. */
#include "cgroup_inside.h"

#include <base/files.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_writable(const char *root, const char *dir, const char *file, int how)
{
	char path[PATH_MAX];

	return path_format(path, sizeof(path), NULL, "%s%s%s", root, dir, file) == 0 && faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0;
}

/* Adds the folder of a controller, once a hierarchy (cpu and memory may be mounted together). */
static int tree_add(struct cgroup_tree *tree, enum cgroup_controller controller, const char *parent, const char *name, struct error *err)
{
	char dir[CGROUP_PATH_MAX];
	int rc = path_format(dir, sizeof(dir), err, "%s/%s", parent, name);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < tree->n_dirs; i++)
		if (strcmp(tree->dirs[i], dir) == 0) {
			tree->dir_of[controller] = (int)i;
			return 0;
		}
	memcpy(tree->dirs[tree->n_dirs], dir, sizeof(dir));
	tree->dir_of[controller] = (int)tree->n_dirs++;
	return 0;
}

/* Names of a set of controllers: "cpu, io" or "+cpu +io". Returns `ret`. */
static const char *list_names(unsigned set, const char *first, const char *next, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (set & CGROUP_BIT(i) && used < size)
			used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? next : first, cgroup_controller_names[i]);
	return ret;
}

/* Adds a sentence about what a set of controllers lacks; no set, no sentence. */
static void add_note(struct cgroup_tree *tree, unsigned set, const char *reason)
{
	size_t used = strlen(tree->note);
	char names[96];

	if (set)
		snprintf(tree->note + used, sizeof(tree->note) - used, "%sno cgroup limit for %s: %s", used ? "; " : "",
			 list_names(set, "", ", ", names, sizeof(names)), reason);
}

/* ---- version 1 ---- */

static int plan_v1(const struct cgroup_layout *layout, const char *name, struct cgroup_tree *tree, struct error *err)
{
	unsigned denied = 0, absent = 0;

	tree->ops = &cgroup_v1_ops;
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
		if (!(tree->wanted & CGROUP_BIT(i)))
			continue;
		bool there = layout->v1[i][0];
		bool allowed = there && is_writable(tree->root, layout->v1[i], "", W_OK | X_OK);
		int rc = allowed ? tree_add(tree, (enum cgroup_controller)i, layout->v1[i], name, err) : 0;

		if (rc < 0)
			return rc;
		absent |= there ? 0 : CGROUP_BIT(i);
		denied |= there && !allowed ? CGROUP_BIT(i) : 0;
	}
	add_note(tree, absent, "no version 1 hierarchy has the controller");
	add_note(tree, denied, "this user may not write to the version 1 hierarchies");
	return 0;
}

/* ---- version 2 ---- */

static bool is_delegated(const char *root, const char *dir)
{
	return is_writable(root, dir, "", W_OK | X_OK) && is_writable(root, dir, "/cgroup.procs", W_OK) &&
	       is_writable(root, dir, "/cgroup.subtree_control", W_OK);
}

/* Controllers that groups in this folder have: those enabled there, and what needs no controller. */
static unsigned served_below(const char *root, const char *dir)
{
	unsigned set = CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_DEVICES) | CGROUP_BIT(CGROUP_FREEZER);
	char path[PATH_MAX], enabled[256] = "";

	if (path_format(path, sizeof(path), NULL, "%s/cgroup.subtree_control", dir) == 0)
		file_read(root, path, enabled, sizeof(enabled), NULL);
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (cgroup_v2_names[i] && cgroup_list_has(enabled, ' ', cgroup_v2_names[i]))
			set |= CGROUP_BIT(i);
	return set;
}

/* Length of "…/user@<digits>.service", the part of a path above which nothing is the user's; 0: no such part. */
static size_t user_part(const char *path)
{
	const char *at = strstr(path, "/user@");
	size_t digits = at ? strspn(at + 6, "0123456789") : 0;

	if (!digits || strncmp(at + 6 + digits, ".service", 8) != 0 || (at[6 + digits + 8] != '/' && at[6 + digits + 8] != '\0'))
		return 0;
	return (size_t)(at - path) + 6 + digits + 8;
}

/* The folder in which our group may lie: the top for root; for others one around their own group that is delegated, as near as possible among
 * those that serve most. Both must lie in one delegated part, or nobody may be born there. */
static bool v2_parent(const struct cgroup_layout *layout, const struct cgroup_tree *tree, char ret[CGROUP_PATH_MAX])
{
	char path[CGROUP_PATH_MAX];
	bool found = false;
	int most = -1;

	if (is_writable(tree->root, layout->v2, "", W_OK | X_OK)) {
		memcpy(ret, layout->v2, CGROUP_PATH_MAX);
		return true;
	}
	if (strlen(layout->own) < 2 || path_format(path, sizeof(path), NULL, "%s%s", layout->v2, layout->own) < 0)
		return false;
	size_t part = user_part(path), lowest = part ? part : (size_t)(strrchr(path, '/') - path);
	if (lowest <= strlen(layout->v2))
		return false;
	for (;;) {
		*strrchr(path, '/') = '\0';
		if (strlen(path) < lowest || !is_delegated(tree->root, path))
			return found;
		int served = __builtin_popcount(served_below(tree->root, path) & tree->wanted);
		if (served > most) {
			memcpy(ret, path, sizeof(path));
			most = served;
			found = true;
		}
	}
}

static int plan_v2(const struct cgroup_layout *layout, const char *name, struct cgroup_tree *tree, struct error *err)
{
	char parent[CGROUP_PATH_MAX], reason[200], names[96];
	int rc = 0;

	tree->ops = &cgroup_v2_ops;
	if (!v2_parent(layout, tree, parent)) {
		snprintf(tree->note, sizeof(tree->note), "no cgroup limits: no version 2 folder is delegated to this user");
		snprintf(tree->remedy, sizeof(tree->remedy),
			 "run as root, or start bench by: systemd-run --user --scope -p Delegate=yes bench …");
		return 0;
	}
	unsigned served = served_below(tree->root, parent), missing = tree->wanted & ~served;
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && rc == 0; i++)
		if (tree->wanted & served & CGROUP_BIT(i))
			rc = tree_add(tree, (enum cgroup_controller)i, parent, name, err);
	if (rc < 0)
		return rc;
	add_note(tree, missing & CGROUP_BIT(CGROUP_NET_PRIO), "version 2 has no such controller");
	missing &= ~CGROUP_BIT(CGROUP_NET_PRIO);
	snprintf(reason, sizeof(reason), "not enabled in %.140s/cgroup.subtree_control", parent);
	add_note(tree, missing, reason);
	if (missing)
		snprintf(tree->remedy, sizeof(tree->remedy), "echo %s | sudo tee %.160s/cgroup.subtree_control",
			 list_names(missing, "+", " +", names, sizeof(names)), parent);
	return 0;
}

int cgroup_tree_plan(const char *root, const struct cgroup_layout *layout, const char *name, unsigned wanted, struct cgroup_tree *ret,
		     struct error *err)
{
	struct cgroup_tree tree = {.dir_of = CGROUP_NO_DIRS, .wanted = wanted};
	int rc = path_format(tree.root, sizeof(tree.root), err, "%s", root);

	if (rc == 0 && wanted && layout->mode == CGROUP_MODE_V2)
		rc = plan_v2(layout, name, &tree, err);
	else if (rc == 0 && wanted && layout->mode != CGROUP_MODE_NONE)
		rc = plan_v1(layout, name, &tree, err);
	else if (rc == 0 && wanted)
		snprintf(tree.note, sizeof(tree.note), "no cgroup limits: no cgroup file system is mounted");
	if (rc < 0)
		return rc;
	if (tree.n_dirs == 0)
		tree.ops = &cgroup_null_ops;
	*ret = tree;
	return 0;
}

int cgroup_tree_plan_limits(const char *root, const struct cgroup_layout *layout, const char *name, const struct cgroup_limits *limits,
			    unsigned extra, struct cgroup_tree *ret, struct error *err)
{
	unsigned wanted = limits ? extra | cgroup_limits_controllers(limits) : 0;
	char lacking[200];
	int rc = limits ? cgroup_limits_check(root, limits, err) : 0;

	if (rc == 0)
		rc = cgroup_tree_plan(root, layout, name, wanted, ret, err);
	if (rc == 0 && limits && cgroup_limits_lacking(ret, limits, lacking, sizeof(lacking))) {
		size_t used = strlen(ret->note);

		snprintf(ret->note + used, sizeof(ret->note) - used, "%s%s", used ? "; " : "", lacking);
	}
	return rc;
}
