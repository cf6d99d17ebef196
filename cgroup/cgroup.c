/* Making groups and removing them. Paths are relative to the run's folders, which are held open: a start walks no long path twice. */
#include "cgroup_inside.h"

#include <base/files.h>
#include <base/journal.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMOVE_WAIT_MS = 2000 };

/* ---- files of a group ---- */

const char *cgroup_dir(const struct cgroup_tree *tree, const struct cgroup *group, enum cgroup_controller controller)
{
	int at = tree->dir_of[controller];

	return at >= 0 && (size_t)at < group->n_dirs ? group->dirs[at] : NULL;
}

/* Name of folder i of a group below the run's, which is open as *ret_fd; or its whole path. */
static const char *relative(const struct cgroup_tree *tree, const struct cgroup *group, size_t i, int *ret_fd)
{
	*ret_fd = tree->opened ? tree->dir_fds[i] : AT_FDCWD;
	return group->dirs[i] + (tree->opened ? strlen(tree->dirs[i]) + 1 : 0);
}

static int write_at(const struct cgroup_tree *tree, const struct cgroup *group, enum cgroup_controller controller, const char *file,
		    const char *text, struct error *err)
{
	char path[PATH_MAX];
	int at = tree->dir_of[controller], dir_fd;

	if (at < 0 || (size_t)at >= group->n_dirs)
		return error_set(err, EOPNOTSUPP, "write %s: the controller %s is not there", file, cgroup_controller_names[controller]);
	int rc = path_format(path, sizeof(path), err, "%s/%s", relative(tree, group, (size_t)at, &dir_fd), file);
	if (rc < 0)
		return rc;
	_cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open %s/%s", group->dirs[at], file);
	ssize_t length = (ssize_t)strlen(text);
	if (write(fd, text, (size_t)length) != length)
		return error_errno(err, "write '%.40s' to %s/%s", text, group->dirs[at], file);
	return 0;
}

int cgroup_write(const struct cgroup_tree *tree, const struct cgroup *group, enum cgroup_controller controller, const char *file,
		 struct error *err, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	int length = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (length < 0 || (size_t)length >= sizeof(text))
		return error_set(err, E2BIG, "write %s: the text is too long", file);
	return write_at(tree, group, controller, file, text, err);
}

int cgroup_write_if_there(const struct cgroup_tree *tree, const struct cgroup *group, enum cgroup_controller controller, const char *file,
			  struct error *err, const char *text)
{
	struct error found = {0};
	int rc = write_at(tree, group, controller, file, text, &found);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0 && err)
		*err = found;
	return rc;
}

const char *cgroup_page_name(int64_t page_bytes, char *ret, size_t size)
{
	static const char *const units[] = {"KB", "MB", "GB"};
	int64_t count = page_bytes / 1024;
	int unit = 0;

	for (; count >= 1024 && unit < 2; unit++)
		count /= 1024;
	snprintf(ret, size, "%lld%s", (long long)count, units[unit]);
	return ret;
}

/* ---- the run's group ---- */

static void let_go(struct cgroup_tree *tree)
{
	for (size_t i = 0; tree->opened && i < tree->n_dirs; i++)
		cleanup_close(&tree->dir_fds[i]);
	tree->opened = false;
}

static int hold_dirs(struct cgroup_tree *tree, struct error *err)
{
	for (size_t i = 0; i < tree->n_dirs; i++) {
		tree->dir_fds[i] = open(tree->dirs[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (tree->dir_fds[i] >= 0)
			continue;
		int rc = error_errno(err, "open cgroup %s", tree->dirs[i]);
		while (i-- > 0)
			close(tree->dir_fds[i]);
		return rc;
	}
	tree->opened = true;
	return 0;
}

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
		rc = hold_dirs(tree, err);
	if (rc == 0)
		rc = tree->ops->open_tree(tree, err);
	if (rc < 0)
		cgroup_tree_close(tree, NULL);
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
	int lost = 0;

	if (tree->n_dirs == 0 || try_one(tree, limits, err) == 0)
		return 0;
	int rc = try_one(tree, &(struct cgroup_limits){0}, err);
	for (int i = 0; rc == 0 && i < CGROUP_CONTROLLER_COUNT; i++) {
		struct cgroup_limits alone = cgroup_limits_only(limits, (enum cgroup_controller)i);

		if (tree->dir_of[i] >= 0 && try_one(tree, &alone, err) < 0) {
			tree->dir_of[i] = -1;
			lost++;
		}
	}
	if (rc == 0 && lost == 0)
		rc = try_one(tree, limits, err); /* each alone is fine: what failed was the moment, or the limits contradict each other */
	return rc < 0 ? rc : lost;
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

int cgroup_tree_close(struct cgroup_tree *tree, struct error *err)
{
	int rc = 0;

	let_go(tree);
	for (; tree->n_made > 0; tree->n_made--)
		if (rmdir(tree->dirs[tree->n_made - 1]) < 0 && errno != ENOENT)
			rc = error_errno(err, "remove cgroup %s", tree->dirs[tree->n_made - 1]);
	return rc;
}

int cgroup_create(const struct cgroup_tree *tree, const char *id, const struct cgroup_limits *limits, struct cgroup *ret, struct error *err)
{
	int rc = 0, dir_fd;

	ret->n_dirs = 0;
	for (size_t i = 0; i < tree->n_dirs && rc == 0; i++) {
		rc = path_format(ret->dirs[i], sizeof(ret->dirs[i]), err, "%s/%s", tree->dirs[i], id);
		const char *name = relative(tree, ret, i, &dir_fd);
		if (rc == 0 && mkdirat(dir_fd, name, 0755) < 0)
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

static int remove_dir(const struct cgroup_tree *tree, const struct cgroup *group, size_t i, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)REMOVE_WAIT_MS * 1000000;
	int dir_fd;
	const char *name = relative(tree, group, i, &dir_fd);

	while (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || clock_now_ns() > deadline_ns)
			return error_errno(err, "remove cgroup %s", group->dirs[i]);
		tree->ops->empty(group->dirs[i], deadline_ns);
	}
	return 0;
}

int cgroup_remove(const struct cgroup_tree *tree, struct cgroup *group, struct error *err)
{
	int rc = 0;

	while (group->n_dirs > 0 && rc == 0) {
		rc = remove_dir(tree, group, group->n_dirs - 1, err);
		if (rc == 0)
			group->n_dirs--;
	}
	return rc;
}

int cgroup_join(const struct cgroup_tree *tree, const struct cgroup *group, struct error *err)
{
	char path[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; i < group->n_dirs && rc == 0; i++) {
		rc = path_format(path, sizeof(path), err, "%s/%s", group->dirs[i], tree->ops->join_file);
		if (rc == 0)
			rc = file_write_kernel(path, "0", err);
	}
	return rc;
}

int cgroup_admit(const struct cgroup *group, pid_t pid, struct error *err)
{
	char path[PATH_MAX], text[16];
	int rc = 0;

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < group->n_dirs && rc == 0; i++) {
		rc = path_format(path, sizeof(path), err, "%s/cgroup.procs", group->dirs[i]);
		if (rc == 0)
			rc = file_write_kernel(path, text, err);
	}
	return rc;
}

const char *cgroup_memory_dir(const struct cgroup_tree *tree, const struct cgroup *group)
{
	return cgroup_dir(tree, group, CGROUP_MEMORY);
}

/* ---- the null object ---- */

static int null_open_tree(struct cgroup_tree *tree, struct error *err)
{
	return 0;
}

static int null_open_inner(const struct cgroup_tree *tree, const struct cgroup *group, struct error *err)
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
	.open_inner = null_open_inner,
	.limit = null_limit,
	.open_join = null_open_join,
	.empty = null_empty,
	.join_file = "cgroup.procs",
};
