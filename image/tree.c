#include "tree.h"

#include "beneath.h"
#include "digest.h"
#include "text.h"

#include <bench/cleanup.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { COPY_BLOCK = 256 << 10, XATTR_NAMES_BYTES = 4096, XATTR_VALUES_BYTES = 4096 };

/* A file with several names, by the first of them. */
struct known_file {
	dev_t dev;
	ino_t ino;
	char path[];
};

struct copier {
	struct layer *layer;
	const struct unpack_progress *progress;
	struct digest digest;
	struct stat store;
	void *known; /* tree of known_file */
	int64_t bytes;
	/* of the file that is being copied */
	int fd;
	int64_t offset, end;
	char *block;
	char xattr_names[XATTR_NAMES_BYTES], xattr_values[XATTR_VALUES_BYTES];
};

static int compare_known(const void *a, const void *b)
{
	const struct known_file *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino == y->ino ? 0 : x->ino < y->ino ? -1 : 1;
}

/* The first name of a file with several; NULL: this is it, and it is remembered. */
static int find_known(struct copier *copier, const struct stat *st, const char *path, const char **ret, struct error *err)
{
	struct known_file *file = malloc(sizeof(*file) + strlen(path) + 1);

	if (!file)
		return error_set(err, ENOMEM, "out of memory");
	file->dev = st->st_dev;
	file->ino = st->st_ino;
	memcpy(file->path, path, strlen(path) + 1);
	struct known_file **slot = tsearch(file, &copier->known, compare_known);
	*ret = slot && *slot != file ? (*slot)->path : NULL;
	if (!slot || *ret)
		free(file);
	return slot ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int next_block(void *arg, const void **ret, size_t *ret_size, int64_t *ret_offset, struct error *err)
{
	struct copier *copier = arg;
	int64_t left = copier->end - copier->offset;
	ssize_t got;

	do
		got = left > 0 ? pread(copier->fd, copier->block, left < COPY_BLOCK ? (size_t)left : COPY_BLOCK, copier->offset) : 0;
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_errno(err, "read");
	if (got == 0)
		return left > 0 ? error_set(err, EBUSY, "it changed while it was read") : 0;
	digest_update(&copier->digest, copier->block, (size_t)got);
	*ret = copier->block;
	*ret_size = (size_t)got;
	*ret_offset = copier->offset;
	copier->offset += got;
	copier->bytes += got;
	if (copier->progress)
		copier->progress->report(copier->progress->arg, copier->bytes);
	return 1;
}

/* What cannot be read is left out, as attributes of other kinds are. */
static void take_xattrs(struct copier *copier, int fd, struct layer_entry *entry)
{
	ssize_t length = flistxattr(fd, copier->xattr_names, sizeof(copier->xattr_names));
	size_t used = 0;

	for (const char *name = copier->xattr_names; length > 0 && name < copier->xattr_names + length; name += strlen(name) + 1) {
		if (strncmp(name, "user.", 5) != 0 && strcmp(name, "security.capability") != 0)
			continue;
		ssize_t size = fgetxattr(fd, name, copier->xattr_values + used, sizeof(copier->xattr_values) - used);

		if (size < 0 || entry->n_xattrs == LAYER_XATTRS_MAX) {
			copier->layer->left_out.attributes++;
			continue;
		}
		entry->xattrs[entry->n_xattrs++] = (struct layer_xattr){name, copier->xattr_values + used, (size_t)size};
		digest_update(&copier->digest, name, strlen(name) + 1);
		digest_update(&copier->digest, copier->xattr_values + used, (size_t)size);
		used += (size_t)size;
	}
}

static void hash_entry(struct copier *copier, const struct layer_entry *entry)
{
	char line[160];
	int length = snprintf(line, sizeof(line), "%o %lld %lld %lld %lld.%09ld %llu %d", entry->mode, (long long)entry->uid,
			      (long long)entry->gid, (long long)entry->size, (long long)entry->mtime.tv_sec, entry->mtime.tv_nsec,
			      (unsigned long long)entry->device, entry->is_hardlink);

	digest_update(&copier->digest, line, (size_t)length + 1);
	digest_update(&copier->digest, entry->path, strlen(entry->path) + 1);
	if (entry->link)
		digest_update(&copier->digest, entry->link, strlen(entry->link) + 1);
}

static struct layer_entry entry_of(const struct stat *st, const char *path)
{
	return (struct layer_entry){
		.path = path,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = S_ISREG(st->st_mode) ? st->st_size : 0,
		.mtime = st->st_mtim,
		.device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0,
	};
}

static int copy_file(struct copier *copier, int folder_fd, const char *name, const char *path, struct error *err)
{
	_cleanup_close_ int fd = beneath_open_file(folder_fd, name, false, NULL);
	struct layer_data data = {next_block, copier};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "read '%s'", text_shown(path).text);
	struct layer_entry entry = entry_of(&st, path);
	if (st.st_nlink > 1) {
		int rc = find_known(copier, &st, path, &entry.link, err);

		if (rc < 0)
			return rc;
		entry.is_hardlink = entry.link != NULL;
	}
	copier->fd = fd;
	copier->offset = 0;
	copier->end = st.st_size;
	hash_entry(copier, &entry);
	if (!entry.is_hardlink)
		take_xattrs(copier, fd, &entry);
	return layer_add(copier->layer, &entry, &data, err);
}

static int copy_other(struct copier *copier, int folder_fd, const char *name, const char *path, const struct stat *st, struct error *err)
{
	struct layer_entry entry = entry_of(st, path);
	char link[PATH_MAX];

	if (S_ISLNK(st->st_mode)) {
		ssize_t length = readlinkat(folder_fd, name, link, sizeof(link) - 1);

		if (length < 0)
			return error_errno(err, "read link '%s'", text_shown(path).text);
		link[length] = '\0';
		entry.link = link;
	}
	hash_entry(copier, &entry);
	return layer_add(copier->layer, &entry, NULL, err);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int copy_folder(struct copier *copier, int fd, const char *path, int depth, struct error *err);

static int copy_subfolder(struct copier *copier, int folder_fd, const char *name, const char *path, const struct stat *st, int depth,
			  struct error *err)
{
	_cleanup_close_ int fd = beneath_open(folder_fd, name, O_RDONLY | O_DIRECTORY);

	if (fd >= 0)
		return copy_folder(copier, fd, path, depth, err);
	if (errno != EXDEV)
		return error_errno(err, "open folder '%s'", text_shown(path).text);
	/* Another file system, such as /proc of a running root: an empty folder takes its place. */
	copier->layer->left_out.mounts++;
	struct layer_entry entry = entry_of(st, path);

	entry.mode = S_IFDIR | 0755;
	entry.uid = entry.gid = 0;
	entry.mtime = (struct timespec){0};
	hash_entry(copier, &entry);
	return layer_add(copier->layer, &entry, NULL, err);
}

static int copy_one(struct copier *copier, int folder_fd, const char *name, const char *folder, int depth, struct error *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", name) >= (int)sizeof(path))
		return error_set(err, ENAMETOOLONG, "'%s': too long a path", text_shown(folder).text);
	if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, "look at '%s'", text_shown(path).text);
	if (S_ISDIR(st.st_mode))
		return copy_subfolder(copier, folder_fd, name, path, &st, depth, err);
	return S_ISREG(st.st_mode) ? copy_file(copier, folder_fd, name, path, err) : copy_other(copier, folder_fd, name, path, &st, err);
}

/* The folder itself, then what is in it, sorted. */
static int copy_folder(struct copier *copier, int fd, const char *path, int depth, struct error *err)
{
	struct dirent **names;
	struct stat st;

	if (depth > BENEATH_DEPTH_MAX)
		return error_set(err, ENAMETOOLONG, "'%s' is more than %d folders deep", text_shown(path).text, BENEATH_DEPTH_MAX);
	if (fstat(fd, &st) < 0)
		return error_errno(err, "look at '%s'", text_shown(path).text);
	if (st.st_dev == copier->store.st_dev && st.st_ino == copier->store.st_ino)
		return error_set(err, EINVAL, "'%s' is the store of images itself: a folder cannot be copied into itself",
				 text_shown(path).text);
	struct layer_entry entry = entry_of(&st, path);
	hash_entry(copier, &entry);
	take_xattrs(copier, fd, &entry);
	int rc = layer_add(copier->layer, &entry, NULL, err);
	if (rc < 0)
		return rc;
	int n = scandirat(fd, ".", &names, NULL, by_name);
	if (n < 0)
		return error_errno(err, "read folder '%s'", text_shown(path).text);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;

		if (rc == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			rc = copy_one(copier, fd, name, path, depth + 1, err);
		free(names[i]);
	}
	free(names);
	return rc;
}

int tree_copy(int folder_fd, int store_fd, struct layer *layer, const struct unpack_progress *progress,
	      char ret_digest[IMAGE_DIGEST_HEX + 1], struct error *err)
{
	_cleanup_free_ struct copier *copier = calloc(1, sizeof(*copier));
	_cleanup_free_ char *block = malloc(COPY_BLOCK);

	if (!copier || !block)
		return error_set(err, ENOMEM, "out of memory");
	copier->layer = layer;
	copier->progress = progress;
	copier->block = block;
	digest_init(&copier->digest);
	if (fstat(store_fd, &copier->store) < 0)
		return error_errno(err, "look at the store");
	int rc = copy_folder(copier, folder_fd, "", 0, err);
	digest_hex(&copier->digest, ret_digest);
	tdestroy(copier->known, free);
	return rc;
}
