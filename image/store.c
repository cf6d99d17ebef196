#include "store.h"

#include "json.h"
#include "record.h"
#include "text.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static int default_path(char *ret, size_t size, struct error *err)
{
	const char *wish = getenv("BENCH_IMAGE_DIR"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (wish && *wish == '/')
		return path_format(ret, size, err, "%s", wish);
	if (wish && *wish)
		return error_set(err, EINVAL, "BENCH_IMAGE_DIR: '%s' is not an absolute path", text_shown(wish).text);
	if (geteuid() == 0)
		return path_format(ret, size, err, "/var/lib/bench/images");
	if (data && *data == '/')
		return path_format(ret, size, err, "%s/bench/images", data);
	if (home && *home == '/')
		return path_format(ret, size, err, "%s/.local/share/bench/images", home);
	error_set(err, ENOENT, "no place for images: neither HOME nor XDG_DATA_HOME is set");
	return error_hint(err, "name a folder in BENCH_IMAGE_DIR");
}

/* Nobody else may reach into it: images have setuid programs, and who could write to it would write into every container. */
static int make_folders(const struct image_store *store, struct error *err)
{
	static const char *const names[] = {"", "/images", "/layers", "/tmp"};
	char path[PATH_MAX];
	int rc = 0;

	snprintf(path, sizeof(path), "%s", store->path);
	*strrchr(path, '/') = '\0';
	if (*path)
		rc = dir_make(path, 0755, err);
	for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		rc = path_format(path, sizeof(path), err, "%s%s", store->path, names[i]);
		if (rc == 0 && mkdir(path, 0700) < 0 && errno != EEXIST)
			rc = error_errno(err, "make folder %s", path);
	}
	return rc < 0 ? error_hint(err, "name a writable folder in BENCH_IMAGE_DIR") : 0;
}

int image_store_open(const char *dir, struct image_store **ret, struct error *err)
{
	_cleanup_free_ struct image_store *store = calloc(1, sizeof(*store));
	char full[PATH_MAX];
	struct stat st;

	if (!store)
		return error_set(err, ENOMEM, "out of memory");
	int rc = dir ? path_format(store->path, sizeof(store->path), err, "%s", dir) : default_path(store->path, sizeof(store->path), err);
	if (rc == 0 && store->path[0] != '/')
		rc = error_set(err, EINVAL, "the store '%s' is not an absolute path", text_shown(store->path).text);
	if (rc == 0)
		rc = make_folders(store, err);
	if (rc < 0)
		return rc;
	if (!realpath(store->path, full))
		return error_errno(err, "%s", store->path);
	rc = path_format(store->path, sizeof(store->path), err, "%s", full);
	if (rc < 0)
		return rc;
	_cleanup_close_ int fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open %s", store->path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return error_set(err, EPERM, "the store %s belongs to another user, or others may write to it", store->path);
	store->fd = take_fd(&fd);
	*ret = take_ptr(store);
	return 0;
}

void image_store_close(struct image_store *store)
{
	if (!store)
		return;
	close(store->fd);
	free(store);
}

static int lock_file(int fd, int how)
{
	int rc;

	do
		rc = flock(fd, how);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int store_lock(const struct image_store *store, struct error *err)
{
	_cleanup_close_ int fd = openat(store->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || lock_file(fd, LOCK_EX) < 0)
		return error_errno(err, "lock the store %s", store->path);
	return take_fd(&fd);
}

/* Calls `each` with every name in a folder of the store. */
static int each_name(const struct image_store *store, const char *folder,
		     int (*each)(const struct image_store *store, const char *name, void *arg, struct error *err), void *arg,
		     struct error *err)
{
	int fd = openat(store->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		return error_errno(err, "read %s/%s", store->path, folder);
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			rc = each(store, entry->d_name, arg, err);
	return rc;
}

/* Removes a folder of the store unless somebody holds a lock on it. */
static int remove_unlocked(const struct image_store *store, const char *folder, const char *name, struct error *err)
{
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/%s/%s", store->path, folder, name);
	_cleanup_close_ int fd = rc < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (rc < 0)
		return rc;
	if (fd >= 0 && lock_file(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : error_errno(err, "lock %s", path);
	return dir_remove(path, err);
}

static int sweep_temporary(const struct image_store *store, const char *name, void *arg, struct error *err)
{
	return remove_unlocked(store, "tmp", name, err);
}

struct layer_set {
	char (*hex)[IMAGE_DIGEST_HEX + 1];
	size_t n, room;
};

static int compare_hex(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int set_add(struct layer_set *set, const char *hex)
{
	if (set->n == set->room) {
		size_t room = set->room ? 2 * set->room : 64;
		void *more = reallocarray(set->hex, room, sizeof(*set->hex));

		if (!more)
			return -ENOMEM;
		set->hex = more;
		set->room = room;
	}
	snprintf(set->hex[set->n++], sizeof(*set->hex), "%s", hex);
	return 0;
}

/* Takes "<store>/layers/<hex>/root" apart again. */
static int collect_used(const struct image_store *store, const char *file, void *arg, struct error *err)
{
	struct layer_set *used = arg;
	char name[IMAGE_NAME_MAX], hex[IMAGE_DIGEST_HEX + 1];
	struct image image;

	if (!record_name(file, name))
		return 0;
	int rc = record_read(store->path, name, &image, err);
	for (size_t i = 0; rc == 0 && i < image.n_layers; i++) {
		snprintf(hex, sizeof(hex), "%s", image.layers[i] + strlen(store->path) + strlen("/layers/"));
		rc = set_add(used, hex);
	}
	if (rc == -ENOMEM)
		error_set(err, ENOMEM, "out of memory");
	image_done(&image);
	return rc;
}

static int sweep_layer(const struct image_store *store, const char *name, void *arg, struct error *err)
{
	const struct layer_set *used = arg;
	char hex[IMAGE_DIGEST_HEX + 1];

	if (!text_is_hex_digest(name))
		return 0;
	snprintf(hex, sizeof(hex), "%s", name);
	if (used->n && bsearch(hex, used->hex, used->n, sizeof(*used->hex), compare_hex))
		return 0;
	return remove_unlocked(store, "layers", name, err);
}

int store_sweep(const struct image_store *store, struct error *err)
{
	struct layer_set used = {0};
	int rc = each_name(store, "tmp", sweep_temporary, NULL, err);

	/* A record that cannot be read may need any layer: then none is removed. */
	if (rc == 0)
		rc = each_name(store, "images", collect_used, &used, err);
	if (rc == 0 && used.n)
		qsort(used.hex, used.n, sizeof(*used.hex), compare_hex);
	if (rc == 0)
		rc = each_name(store, "layers", sweep_layer, &used, err);
	free(used.hex);
	return rc;
}

int store_hold_layer(const struct image_store *store, const char *hex, int *ret_fd, struct error *err)
{
	char path[PATH_MAX], mark[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/layers/%s", store->path, hex);

	if (rc == 0)
		rc = path_format(mark, sizeof(mark), err, "%s/layer.json", path);
	if (rc < 0 || !path_exists(mark))
		return rc;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || lock_file(fd, LOCK_SH) < 0)
		return error_errno(err, "lock %s", path);
	*ret_fd = take_fd(&fd);
	return 1;
}

int store_check_unused(const struct image_store *store, const char *name, struct error *err)
{
	char path[PATH_MAX];
	int rc = record_path(store->path, name, path, err);
	_cleanup_close_ int fd = rc < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (rc < 0 || (fd < 0 && errno == ENOENT))
		return rc;
	if (fd < 0)
		return error_errno(err, "open %s", path);
	if (lock_file(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return error_errno(err, "lock %s", path);
	error_set(err, EBUSY, "image '%s' is in use by a container", name);
	return error_hint(err, "stop its containers first");
}
