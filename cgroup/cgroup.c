#include "cgroup.h"

#include <base/files.h>
#include <base/journal.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMOVE_WAIT_MS = 2000 };

const char *const cgroup_controller_names[] = {"cpu", "memory", "pids"};
_Static_assert(sizeof(cgroup_controller_names) / sizeof(cgroup_controller_names[0]) == CGROUP_CONTROLLER_COUNT, "one name a controller");

const char *const cgroup_mode_names[] = {"none", "v1", "hybrid", "v2"};
_Static_assert(sizeof(cgroup_mode_names) / sizeof(cgroup_mode_names[0]) == CGROUP_MODE_COUNT, "one name a mode");

/* ---- detection ---- */

/* Is `word` an element of `list`, whose elements are separated by `separator`? */
static bool list_has(const char *list, char separator, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; at; at = strchr(at, separator) ? strchr(at, separator) + 1 : NULL)
		if (strncmp(at, word, length) == 0 && (at[length] == separator || at[length] == '\0'))
			return true;
	return false;
}

/* One line of mountinfo: "id parent dev root MOUNTPOINT options [optional…] - TYPE source SUPEROPTIONS". Cut up in place. */
static void detect_mount(char *line, struct cgroup_layout *layout)
{
	char *tail = strstr(line, " - "), *save = NULL, *point = line, *type, *options;

	if (!tail)
		return;
	*tail = '\0';
	for (int i = 0; i < 4 && point; i++) {
		point = strchr(point, ' ');
		point = point ? point + 1 : NULL;
	}
	type = strtok_r(tail + 3, " ", &save);
	if (!point || !type || !strtok_r(NULL, " ", &save))
		return;
	options = strtok_r(NULL, " ", &save);
	point[strcspn(point, " ")] = '\0';
	if (strlen(point) >= CGROUP_PATH_MAX)
		return;
	if (strcmp(type, "cgroup2") == 0 && !layout->v2[0])
		strcpy(layout->v2, point);
	for (int i = 0; strcmp(type, "cgroup") == 0 && options && i < CGROUP_CONTROLLER_COUNT; i++)
		if (list_has(options, ',', cgroup_controller_names[i]) && !layout->v1[i][0])
			strcpy(layout->v1[i], point);
}

static bool has_v1(const struct cgroup_layout *layout)
{
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (layout->v1[i][0])
			return true;
	return false;
}

int cgroup_detect(const char *root, struct cgroup_layout *ret, struct error *err)
{
	struct cgroup_layout layout = {0};
	char path[PATH_MAX], *line = NULL;
	_cleanup_free_ char *buffer = NULL;
	size_t size = 0;

	if (path_format(path, sizeof(path), err, "%s/proc/self/mountinfo", root) < 0)
		return -ENAMETOOLONG;
	_cleanup_fclose_ FILE *mounts = fopen(path, "re");
	if (!mounts)
		return error_errno(err, "open %s", path);
	while (getline(&buffer, &size, mounts) > 0) {
		buffer[strcspn(buffer, "\n")] = '\0';
		detect_mount(buffer, &layout);
	}

	if (path_format(path, sizeof(path), err, "%s/proc/self/cgroup", root) < 0)
		return -ENAMETOOLONG;
	_cleanup_fclose_ FILE *groups = fopen(path, "re");
	while (groups && getline(&buffer, &size, groups) > 0) {
		line = buffer;
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) == 0 && strlen(line + 3) < sizeof(layout.own))
			strcpy(layout.own, line + 3);
	}
	if (has_v1(&layout))
		layout.mode = layout.v2[0] ? CGROUP_MODE_HYBRID : CGROUP_MODE_V1;
	else if (layout.v2[0])
		layout.mode = CGROUP_MODE_V2;
	*ret = layout;
	return 0;
}

const char *cgroup_run_name(const char *run_dir, char *ret, size_t size)
{
	const char *last = strrchr(run_dir, '/'), *id = last ? memrchr(run_dir, '/', (size_t)(last - run_dir)) : NULL;
	uint64_t number;

	if (id && last - id == 9 && strspn(id + 1, "0123456789abcdef") == 8 && last[1] == 'w' && last[2] && strlen(last + 2) <= 9 &&
	    strspn(last + 2, "0123456789") == strlen(last + 2)) {
		snprintf(ret, size, "bench-%.8s-%s", id + 1, last + 1);
		return ret;
	}
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint64_t)clock_now_ns() ^ (uint64_t)getpid() << 40; /* the first moments of a boot */
	snprintf(ret, size, "bench-%016llx", (unsigned long long)number);
	return ret;
}

/* ---- which folders a run's group gets ---- */

static bool dir_writable(const char *root, const char *dir)
{
	char path[PATH_MAX];

	return path_format(path, sizeof(path), NULL, "%s%s", root, dir) == 0 && faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0;
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

static void tree_list_missing(const struct cgroup_tree *tree, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (tree->dir_of[i] < 0 && used < size)
			used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? ", " : "", cgroup_controller_names[i]);
}

static int plan_v1(const struct cgroup_layout *layout, const char *name, struct cgroup_tree *tree, struct error *err)
{
	char missing[64];
	bool denied = false;

	tree->ops = &cgroup_v1_ops;
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++) {
		if (!layout->v1[i][0])
			continue;
		if (!dir_writable(tree->root, layout->v1[i])) {
			denied = true;
			continue;
		}
		int rc = tree_add(tree, (enum cgroup_controller)i, layout->v1[i], name, err);
		if (rc < 0)
			return rc;
	}
	tree_list_missing(tree, missing, sizeof(missing));
	if (missing[0])
		snprintf(tree->note, sizeof(tree->note), "no cgroup limit for %s: %s", missing,
			 denied ? "this user may not write to the version 1 hierarchies" : "no version 1 hierarchy has the controller");
	return 0;
}

/* The folder of a v2 host where our group may lie: the top for root; for others beside their own group, where it is delegated. */
static bool v2_parent(const struct cgroup_layout *layout, const char *root, char ret[CGROUP_PATH_MAX])
{
	char *slash;

	if (dir_writable(root, layout->v2)) {
		memcpy(ret, layout->v2, CGROUP_PATH_MAX);
		return true;
	}
	if (strlen(layout->own) < 2 || path_format(ret, CGROUP_PATH_MAX, NULL, "%s%s", layout->v2, layout->own) < 0)
		return false;
	slash = strrchr(ret, '/');
	*slash = '\0';
	return dir_writable(root, ret);
}

static int plan_v2(const struct cgroup_layout *layout, const char *name, struct cgroup_tree *tree, struct error *err)
{
	char parent[CGROUP_PATH_MAX], path[PATH_MAX], enabled[256] = "", missing[64];

	tree->ops = &cgroup_v2_ops;
	if (!v2_parent(layout, tree->root, parent)) {
		snprintf(tree->note, sizeof(tree->note), "no cgroup limits: no version 2 folder is delegated to this user");
		snprintf(tree->remedy, sizeof(tree->remedy),
			 "run as root, or start bench by: systemd-run --user --scope -p Delegate=yes bench …");
		return 0;
	}
	int rc = path_format(path, sizeof(path), err, "%s/cgroup.subtree_control", parent);
	if (rc < 0)
		return rc;
	file_read(tree->root, path, enabled, sizeof(enabled), NULL);
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && rc == 0; i++)
		if (list_has(enabled, ' ', cgroup_controller_names[i]))
			rc = tree_add(tree, (enum cgroup_controller)i, parent, name, err);
	if (rc < 0)
		return rc;
	tree_list_missing(tree, missing, sizeof(missing));
	if (missing[0]) {
		snprintf(tree->note, sizeof(tree->note), "no cgroup limit for %s: not enabled in %.140s", missing, path);
		snprintf(tree->remedy, sizeof(tree->remedy), "echo +cpu +memory +pids | sudo tee %.180s", path);
	}
	return 0;
}

int cgroup_tree_plan(const char *root, const struct cgroup_layout *layout, const char *name, bool wanted, struct cgroup_tree *ret,
		     struct error *err)
{
	struct cgroup_tree tree = {.dir_of = {-1, -1, -1}};
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

/* ---- making and removing ---- */

int cgroup_tree_open(struct cgroup_tree *tree, struct journal *journal, struct error *err)
{
	int rc = 0;

	if (tree->opened)
		return 0;
	for (size_t i = 0; i < tree->n_dirs && rc == 0; i++) {
		/* Looked for first: what is named in the journal will be killed and removed, and that must not be a group of others. */
		if (path_exists(tree->dirs[i]))
			rc = error_set(err, EEXIST, "make cgroup %s: it exists already and is not ours", tree->dirs[i]);
		if (rc == 0)
			rc = journal_add(journal, JOURNAL_CGROUP, tree->dirs[i], err);
		if (rc == 0 && mkdir(tree->dirs[i], 0755) < 0)
			rc = error_errno(err, "make cgroup %s", tree->dirs[i]);
		if (rc == 0)
			tree->n_made++;
	}
	if (rc == 0)
		rc = tree->ops->open_tree(tree, err);
	if (rc < 0)
		cgroup_tree_close(tree, NULL);
	tree->opened = rc == 0;
	return rc;
}

static int try_one(const struct cgroup_tree *tree, const struct cgroup_limits *limits, struct error *err)
{
	int fds[CGROUP_CONTROLLER_COUNT];
	struct cgroup group = {0};
	int rc = cgroup_create(tree, "trial", limits, &group, err);
	int n = rc < 0 ? rc : tree->ops->open_join(&group, fds, err);

	for (int i = 0; i < n; i++)
		close(fds[i]);
	rc = cgroup_remove(tree, &group, n < 0 ? NULL : err);
	return n < 0 ? n : rc;
}

int cgroup_tree_try(struct cgroup_tree *tree, const struct cgroup_limits *limits, struct error *err)
{
	const struct cgroup_limits alone[CGROUP_CONTROLLER_COUNT] = {
		[CGROUP_CPU] = {.cpu_percent = limits->cpu_percent, .cpu_weight = limits->cpu_weight},
		[CGROUP_MEMORY] = {.memory_bytes = limits->memory_bytes},
		[CGROUP_PIDS] = {.pids_max = limits->pids_max},
	};
	int lost = 0, rc = try_one(tree, &(struct cgroup_limits){0}, err);

	if (rc < 0)
		return rc;
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (tree->dir_of[i] >= 0 && try_one(tree, &alone[i], err) < 0) {
			tree->dir_of[i] = -1;
			lost++;
		}
	return lost;
}

void cgroup_tree_abandon(struct cgroup_tree *tree)
{
	cgroup_tree_close(tree, NULL);
	tree->ops = &cgroup_null_ops;
	tree->n_dirs = 0;
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		tree->dir_of[i] = -1;
	tree->opened = true;
}

static int remove_dir(const struct cgroup_ops *ops, const char *dir, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)REMOVE_WAIT_MS * 1000000;

	while (rmdir(dir) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || clock_now_ns() > deadline_ns)
			return error_errno(err, "remove cgroup %s", dir);
		ops->empty(dir, deadline_ns);
	}
	return 0;
}

int cgroup_tree_close(struct cgroup_tree *tree, struct error *err)
{
	int rc = 0;

	for (; tree->n_made > 0; tree->n_made--)
		if (rmdir(tree->dirs[tree->n_made - 1]) < 0 && errno != ENOENT)
			rc = error_errno(err, "remove cgroup %s", tree->dirs[tree->n_made - 1]);
	tree->opened = false;
	return rc;
}

int cgroup_create(const struct cgroup_tree *tree, const char *id, const struct cgroup_limits *limits, struct cgroup *ret, struct error *err)
{
	int rc = 0;

	ret->n_dirs = 0;
	for (size_t i = 0; i < tree->n_dirs && rc == 0; i++) {
		rc = path_format(ret->dirs[i], sizeof(ret->dirs[i]), err, "%s/%s", tree->dirs[i], id);
		if (rc == 0 && mkdir(ret->dirs[i], 0755) < 0)
			rc = error_errno(err, "make cgroup %s", ret->dirs[i]);
		if (rc == 0)
			ret->n_dirs++;
	}
	if (rc == 0)
		rc = tree->ops->limit(tree, ret, limits, err);
	if (rc < 0)
		cgroup_remove(tree, ret, NULL);
	return rc;
}

int cgroup_remove(const struct cgroup_tree *tree, struct cgroup *group, struct error *err)
{
	int rc = 0;

	while (group->n_dirs > 0 && rc == 0) {
		rc = remove_dir(tree->ops, group->dirs[group->n_dirs - 1], err);
		if (rc == 0)
			group->n_dirs--;
	}
	return rc;
}

const char *cgroup_memory_dir(const struct cgroup_tree *tree, const struct cgroup *group)
{
	int at = tree->dir_of[CGROUP_MEMORY];

	return at >= 0 && (size_t)at < group->n_dirs ? group->dirs[at] : NULL;
}

/* ---- the null object ---- */

static int null_open_tree(struct cgroup_tree *tree, struct error *err)
{
	return 0;
}

static int null_limit(const struct cgroup_tree *tree, const struct cgroup *group, const struct cgroup_limits *limits, struct error *err)
{
	return 0;
}

static int null_open_join(const struct cgroup *group, int ret_fds[CGROUP_CONTROLLER_COUNT], struct error *err)
{
	return 0;
}

static void null_empty(const char *dir, int64_t deadline_ns)
{
}

const struct cgroup_ops cgroup_null_ops = {
	.name = "none",
	.open_tree = null_open_tree,
	.limit = null_limit,
	.open_join = null_open_join,
	.empty = null_empty,
};
