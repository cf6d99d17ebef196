#include "layer.h"

#include "beneath.h"
#include "layer_meta.h"
#include "layer_place.h"
#include "text.h"

#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { FOLDER_NAMES_MAX = 256 << 20 }; /* bytes of memory */

/* A folder whose mode and time are set at the end: what is put into it changes its time, and a mode without "w" would keep us out. */
struct layer_folder {
	char *path;
	mode_t mode;
	struct timespec mtime;
};

void layer_init(struct layer *layer, int root_fd, const struct layer_options *options)
{
	*layer = (struct layer){.root_fd = root_fd, .options = *options, .parent_fd = -1};
}

void layer_done(struct layer *layer)
{
	layer_forget_parent(layer);
	for (size_t i = 0; i < layer->n_folders; i++)
		free(layer->folders[i].path);
	free(layer->folders);
	layer->folders = NULL;
	layer->n_folders = 0;
}

int layer_check_cancelled(const bool *cancelled, struct error *err)
{
	/* Set by another thread or by a signal. */
	return cancelled && *(const volatile bool *)cancelled ? error_set(err, EINTR, "interrupted") : 0;
}

static int account(struct layer *layer, const struct layer_entry *entry, struct error *err)
{
	char limit[32];

	if (++layer->entries > layer->options.max_entries) {
		error_set(err, EFBIG, "more than %llu files", (unsigned long long)layer->options.max_entries);
		return error_hint(err, "this looks like an archive that is made to fill a disk");
	}
	if (!S_ISREG(entry->mode) || entry->is_hardlink)
		return layer_check_cancelled(layer->options.cancelled, err);
	if (entry->size < 0 || entry->size > layer->options.max_bytes - layer->bytes) {
		error_set(err, EFBIG, "'%s': more than %s when unpacked", text_shown(entry->path).text,
			  format_bytes(layer->options.max_bytes, limit, sizeof(limit)));
		return error_hint(err, "allow more with --max-size, if the source is to be trusted");
	}
	layer->bytes += entry->size;
	return layer_check_cancelled(layer->options.cancelled, err);
}

static int remember_folder(struct layer *layer, const char *path, const struct layer_entry *entry, struct error *err)
{
	size_t size = strlen(path) + 1 + sizeof(struct layer_folder);

	if (layer->folders_bytes + size > FOLDER_NAMES_MAX)
		return error_set(err, EFBIG, "the names of its folders need more than %d MiB", FOLDER_NAMES_MAX >> 20);
	if (layer->n_folders == layer->folders_room) {
		size_t room = layer->folders_room ? 2 * layer->folders_room : 64;
		struct layer_folder *more = reallocarray(layer->folders, room, sizeof(*more));

		if (!more)
			return error_set(err, ENOMEM, "out of memory");
		layer->folders = more;
		layer->folders_room = room;
	}
	char *copy = strdup(path);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	layer->folders[layer->n_folders++] = (struct layer_folder){copy, layer_mode(layer, entry), entry->mtime};
	layer->folders_bytes += size;
	return 0;
}

static int write_at(int fd, const char *data, size_t size, int64_t offset)
{
	while (size > 0) {
		ssize_t put = pwrite(fd, data, size, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		data += put;
		size -= (size_t)put;
		offset += put;
	}
	return 0;
}

static int write_data(struct layer *layer, int fd, const struct layer_entry *entry, const struct layer_data *data, struct error *err)
{
	const void *block;
	size_t size;
	int64_t offset;
	int rc;

	while ((rc = data->next(data->arg, &block, &size, &offset, err)) > 0) {
		if (offset < 0 || offset > entry->size || (int64_t)size > entry->size - offset)
			return error_set(err, EBADMSG, "'%s' is longer than it says", text_shown(entry->path).text);
		if (write_at(fd, block, size, offset) < 0)
			return error_errno(err, "write '%s'", text_shown(entry->path).text);
		rc = layer_check_cancelled(layer->options.cancelled, err);
		if (rc < 0)
			return rc;
	}
	if (rc == 0 && ftruncate(fd, entry->size) < 0)
		return error_errno(err, "write '%s'", text_shown(entry->path).text);
	return rc;
}

static int add_file(struct layer *layer, int parent_fd, const char *name, const struct layer_entry *entry, const struct layer_data *data,
		    struct error *err)
{
	_cleanup_close_ int fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct timespec times[2];

	if (fd < 0)
		return error_errno(err, "make '%s'", text_shown(entry->path).text);
	int rc = write_data(layer, fd, entry, data, err);
	/* chown takes setuid bits and capabilities away: they come after it. */
	if (rc == 0)
		rc = layer_set_owner(layer, fd, entry, err);
	if (rc == 0)
		rc = layer_set_xattrs(layer, fd, entry, err);
	layer_times(entry->mtime, times);
	if (rc == 0 && (fchmod(fd, layer_mode(layer, entry)) < 0 || futimens(fd, times) < 0))
		rc = error_errno(err, "set mode and time of '%s'", text_shown(entry->path).text);
	return rc;
}

/* Owner and attributes of an open folder now, the rest at the end. */
static int describe_folder(struct layer *layer, int fd, const char *path, const struct layer_entry *entry, struct error *err)
{
	int rc = layer_set_owner(layer, fd, entry, err);

	if (rc == 0)
		rc = layer_set_xattrs(layer, fd, entry, err);
	return rc < 0 ? rc : remember_folder(layer, path, entry, err);
}

static int add_folder(struct layer *layer, int parent_fd, const char *name, const char *path, const struct layer_entry *entry,
		      bool was_whiteout, struct error *err)
{
	if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "make folder '%s'", text_shown(path).text);
	_cleanup_close_ int fd = beneath_open(parent_fd, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return error_errno(err, "open folder '%s'", text_shown(path).text);
	int rc = was_whiteout ? layer_make_opaque(layer, fd, err) : 0;
	return rc < 0 ? rc : describe_folder(layer, fd, path, entry, err);
}

static int add_symlink(struct layer *layer, int parent_fd, const char *name, const struct layer_entry *entry, struct error *err)
{
	if (!entry->link || !*entry->link)
		return error_set(err, EBADMSG, "'%s' is a link to nothing", text_shown(entry->path).text);
	if (symlinkat(entry->link, parent_fd, name) < 0)
		return error_errno(err, "make link '%s'", text_shown(entry->path).text);
	return layer_set_at(layer, parent_fd, name, entry, err);
}

/* FIFOs, and device nodes where they are permitted. A 0/0 device would be a whiteout that nobody declared. */
static int add_node(struct layer *layer, int parent_fd, const char *name, const struct layer_entry *entry, struct error *err)
{
	bool is_device = S_ISCHR(entry->mode) || S_ISBLK(entry->mode);

	if (is_device && (!layer->options.privileged || entry->device == makedev(0, 0))) {
		layer->left_out.devices++;
		return 0;
	}
	if (mknodat(parent_fd, name, (entry->mode & S_IFMT) | 0600, is_device ? entry->device : 0) < 0) {
		if (errno != EPERM)
			return error_errno(err, "make '%s'", text_shown(entry->path).text);
		layer->left_out.devices++;
		return 0;
	}
	return layer_set_at(layer, parent_fd, name, entry, err);
}

/* Opens the folder in which the target of a hard link stands. */
static int open_target_parent(struct layer *layer, char target[PATH_MAX], const char **ret_name, struct error *err)
{
	char *slash = strrchr(target, '/');

	*ret_name = slash ? slash + 1 : target;
	if (slash)
		*slash = '\0';
	int fd = beneath_open(layer->root_fd, slash ? target : "", O_RDONLY | O_DIRECTORY);
	if (slash)
		*slash = '/';
	return fd >= 0 ? fd : error_errno(err, "hard link to '%s'", text_shown(target).text);
}

static int add_hardlink(struct layer *layer, int parent_fd, const char *name, const char *path, const struct layer_entry *entry,
			struct error *err)
{
	char target[PATH_MAX];
	const char *target_name;
	bool was_whiteout;
	struct stat st;
	int rc = beneath_normalise(entry->link, target, err);

	if (rc == 0 && !*target)
		rc = error_set(err, EPERM, "'%s' is a hard link to a folder", text_shown(path).text);
	if (rc < 0)
		return error_prefix(err, "hard link '%s'", text_shown(path).text);
	if (strcmp(target, path) == 0)
		return 0;
	_cleanup_close_ int target_fd = open_target_parent(layer, target, &target_name, err);
	if (target_fd < 0)
		return target_fd;
	if (fstatat(target_fd, target_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(err, EBADMSG, "'%s' is a hard link to '%s', which is not in this layer", text_shown(path).text,
				 text_shown(target).text);
	if (S_ISDIR(st.st_mode))
		return error_set(err, EPERM, "'%s' is a hard link to a folder", text_shown(path).text);
	rc = layer_clear_way(layer, parent_fd, name, false, &was_whiteout, err);
	/* Without AT_SYMLINK_FOLLOW a link to a link is a link. */
	if (rc == 0 && linkat(target_fd, target_name, parent_fd, name, 0) < 0)
		rc = error_errno(err, "hard link '%s' to '%s'", text_shown(path).text, text_shown(target).text);
	return rc;
}

static int add_by_type(struct layer *layer, int parent_fd, const char *name, const char *path, const struct layer_entry *entry,
		       const struct layer_data *data, struct error *err)
{
	bool was_whiteout;
	int rc = layer_clear_way(layer, parent_fd, name, S_ISDIR(entry->mode), &was_whiteout, err);

	if (rc < 0)
		return rc;
	switch (entry->mode & S_IFMT) {
	case S_IFREG:
		return add_file(layer, parent_fd, name, entry, data, err);
	case S_IFDIR:
		return add_folder(layer, parent_fd, name, path, entry, was_whiteout, err);
	case S_IFLNK:
		return add_symlink(layer, parent_fd, name, entry, err);
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		if (!layer->options.plain)
			return add_node(layer, parent_fd, name, entry, err);
		layer->left_out.devices++;
		return 0;
	default:
		layer->left_out.sockets++;
		return 0;
	}
}

/* ".wh." in a folder's name: bookkeeping of aufs is passed over, anything else is not what it says. */
static bool is_below_whiteout(const char *path)
{
	const char *last = strrchr(path, '/'), *found = strstr(path, LAYER_WHITEOUT_PREFIX);

	for (; found && last && found < last; found = strstr(found + 1, LAYER_WHITEOUT_PREFIX))
		if (found == path || found[-1] == '/')
			return true;
	return false;
}

static int add_named(struct layer *layer, const char *path, const struct layer_entry *entry, const struct layer_data *data,
		     struct error *err)
{
	const char *name;
	int parent_fd;

	if (!layer->options.plain && is_below_whiteout(path))
		return 0;
	int rc = layer_open_parent(layer, path, &parent_fd, &name, err);
	if (rc < 0)
		return rc;
	/* Some tools make a whiteout a hard link to another: its name alone counts. */
	if (!layer->options.plain && strncmp(name, LAYER_WHITEOUT_PREFIX, strlen(LAYER_WHITEOUT_PREFIX)) == 0)
		return layer_add_whiteout(layer, parent_fd, name, err);
	if (entry->is_hardlink)
		return add_hardlink(layer, parent_fd, name, path, entry, err);
	return add_by_type(layer, parent_fd, name, path, entry, data, err);
}

int layer_add(struct layer *layer, const struct layer_entry *entry, const struct layer_data *data, struct error *err)
{
	char path[PATH_MAX];
	int rc = account(layer, entry, err);

	if (rc == 0)
		rc = beneath_normalise(entry->path, path, err);
	if (rc < 0)
		return rc;
	if (*path)
		return add_named(layer, path, entry, data, err);
	if (!S_ISDIR(entry->mode) || entry->is_hardlink)
		return error_set(err, EBADMSG, "the root of the layer is not a folder");
	return describe_folder(layer, layer->root_fd, "", entry, err);
}

int layer_finish(struct layer *layer, struct error *err)
{
	struct timespec times[2];

	layer_forget_parent(layer);
	/* In the order of the source: of two entries for one folder, the last counts. */
	for (size_t i = 0; i < layer->n_folders; i++) {
		const struct layer_folder *folder = &layer->folders[i];
		_cleanup_close_ int fd = beneath_open(layer->root_fd, folder->path, O_RDONLY | O_DIRECTORY);

		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			continue; /* replaced later */
		layer_times(folder->mtime, times);
		if (fd < 0 || fchmod(fd, folder->mode) < 0 || futimens(fd, times) < 0)
			return error_errno(err, "set mode and time of '%s'", text_shown(folder->path).text);
	}
	return 0;
}
