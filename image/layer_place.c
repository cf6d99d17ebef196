#include "layer_place.h"

#include "beneath.h"
#include "text.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* An image of root is mounted with trusted.*, or in a user namespace with the option userxattr: it has both. */
#define OPAQUE_TRUSTED "trusted.overlay.opaque"
#define OPAQUE_USER    "user.overlay.opaque"
#define WHITEOUT_USER  "user.overlay.whiteout"
#define WHITEOUT_ROOT  "trusted.overlay.whiteout"

int layer_make_opaque(const struct layer *layer, int folder_fd, struct error *err)
{
	bool is_done = layer->options.privileged && fsetxattr(folder_fd, OPAQUE_TRUSTED, "y", 1, 0) == 0;

	if (fsetxattr(folder_fd, OPAQUE_USER, "y", 1, 0) == 0 || is_done)
		return 0;
	error_errno(err, "mark a folder as opaque");
	return error_hint(err, "the store's file system needs extended attributes (ext4, xfs, btrfs, tmpfs since Linux 6.6)");
}

int layer_make_whiteout_file(int parent_fd, const char *name, struct error *err)
{
	_cleanup_close_ int fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, "make the whiteout of '%s'", text_shown(name).text);
	/* overlayfs looks for such files only in folders that say "x". */
	bool is_root = fsetxattr(fd, WHITEOUT_ROOT, "y", 1, 0) == 0 && fsetxattr(parent_fd, OPAQUE_TRUSTED, "x", 1, XATTR_CREATE) == 0;
	bool is_user = fsetxattr(fd, WHITEOUT_USER, "y", 1, 0) == 0 &&
		       (fsetxattr(parent_fd, OPAQUE_USER, "x", 1, XATTR_CREATE) == 0 || errno == EEXIST);

	return is_root || is_user ? 0 : error_errno(err, "mark the whiteout of '%s'", text_shown(name).text);
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int make_whiteout(int parent_fd, const char *name, struct error *err)
{
	/* Needs no privilege since Linux 5.8. */
	if (mknodat(parent_fd, name, S_IFCHR | 0600, makedev(0, 0)) == 0)
		return 0;
	if (errno == EPERM)
		return layer_make_whiteout_file(parent_fd, name, err);
	return error_errno(err, "make the whiteout of '%s'", text_shown(name).text);
}

int layer_add_whiteout(struct layer *layer, int parent_fd, const char *name, struct error *err)
{
	const char *hidden = name + strlen(LAYER_WHITEOUT_PREFIX);
	struct stat st;

	if (strcmp(hidden, ".wh..opq") == 0)
		return layer_make_opaque(layer, parent_fd, err);
	if (strncmp(hidden, LAYER_WHITEOUT_PREFIX, strlen(LAYER_WHITEOUT_PREFIX)) == 0)
		return 0; /* bookkeeping of aufs */
	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return error_set(err, EPERM, "'%s' hides no file", text_shown(name).text);
	if (fstatat(parent_fd, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? make_whiteout(parent_fd, hidden, err) : error_errno(err, "look at '%s'", text_shown(hidden).text);
	if (!S_ISDIR(st.st_mode))
		return 0; /* a file of this layer hides what is below anyway */
	_cleanup_close_ int fd = beneath_open(parent_fd, hidden, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return error_errno(err, "open '%s'", text_shown(hidden).text);
	return layer_make_opaque(layer, fd, err);
}

void layer_forget_parent(struct layer *layer)
{
	if (layer->parent_fd >= 0)
		close(layer->parent_fd);
	layer->parent_fd = -1;
}

int layer_clear_way(struct layer *layer, int parent_fd, const char *name, bool folder_comes, bool *ret_was_whiteout, struct error *err)
{
	struct stat st;
	char path[PATH_MAX];

	*ret_was_whiteout = false;
	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(err, "look at '%s'", text_shown(name).text);
	if (S_ISDIR(st.st_mode) && folder_comes)
		return 0;
	*ret_was_whiteout = is_whiteout(&st);
	if (!S_ISDIR(st.st_mode))
		return unlinkat(parent_fd, name, 0) < 0 ? error_errno(err, "replace '%s'", text_shown(name).text) : 0;
	/* The link of our own descriptor leads to the folder itself, whatever its path is now. */
	if (path_format(path, sizeof(path), err, "/proc/self/fd/%d/%s", parent_fd, name) < 0)
		return -ENAMETOOLONG;
	return dir_remove(path, err);
}

static int make_missing_folder(struct layer *layer, int at, const char *name, const char *path, struct error *err)
{
	bool was_whiteout;
	struct stat st;

	/* A file or a link in the way is refused; a whiteout says that the folder begins anew here. */
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !is_whiteout(&st))
		return error_set(err, EPERM, "'%s' goes through '%s', which is a %s of the same layer", text_shown(path).text,
				 text_shown(name).text, S_ISLNK(st.st_mode) ? "link" : "file");
	int rc = layer_clear_way(layer, at, name, true, &was_whiteout, err);
	if (rc < 0)
		return rc;
	if (mkdirat(at, name, 0700) < 0)
		return error_errno(err, "make folder '%s'", text_shown(path).text);
	_cleanup_close_ int fd = beneath_open(at, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || fchmod(fd, 0755) < 0)
		return error_errno(err, "make folder '%s'", text_shown(path).text);
	return was_whiteout ? layer_make_opaque(layer, fd, err) : 0;
}

/* Goes down one component after the other, making what is missing. */
static int walk_down(struct layer *layer, const char *parent, int *ret_fd, struct error *err)
{
	_cleanup_close_ int at = fcntl(layer->root_fd, F_DUPFD_CLOEXEC, 3);
	char name[NAME_MAX + 1];

	if (at < 0)
		return error_errno(err, "open the layer");
	for (const char *s = parent; *s;) {
		size_t length = strcspn(s, "/");

		snprintf(name, sizeof(name), "%.*s", (int)length, s);
		int fd = beneath_open(at, name, O_RDONLY | O_DIRECTORY);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
			int rc = make_missing_folder(layer, at, name, parent, err);

			if (rc < 0)
				return rc;
			fd = beneath_open(at, name, O_RDONLY | O_DIRECTORY);
		}
		if (fd < 0)
			return error_errno(err, "open folder '%s'", text_shown(parent).text);
		close(at);
		at = fd;
		s += length + (s[length] == '/');
	}
	*ret_fd = take_fd(&at);
	return 0;
}

int layer_open_parent(struct layer *layer, const char *path, int *ret_fd, const char **ret_name, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	int fd;

	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 0, path);
	*ret_name = slash ? slash + 1 : path;
	if (layer->parent_fd < 0 || strcmp(parent, layer->parent_path) != 0) {
		fd = beneath_open(layer->root_fd, parent, O_RDONLY | O_DIRECTORY);
		if (fd < 0) {
			int rc = walk_down(layer, parent, &fd, err);

			if (rc < 0)
				return rc;
		}
		layer_forget_parent(layer);
		layer->parent_fd = fd;
		snprintf(layer->parent_path, sizeof(layer->parent_path), "%s", parent);
	}
	*ret_fd = layer->parent_fd;
	return 0;
}
