/* The images of a store: found, listed, held, removed. */
#include "image.h"

#include "config.h"
#include "json.h"
#include "record.h"
#include "store.h"
#include "text.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

void image_done(struct image *image)
{
	config_done(&image->config);
	texts_free(image->notes);
	texts_free(image->layers);
	*image = (struct image){0};
}

static int compare_images(const void *a, const void *b)
{
	return strcmp(((const struct image *)a)->name, ((const struct image *)b)->name);
}

static void free_images(struct image *images, size_t n)
{
	for (size_t i = 0; i < n; i++)
		image_done(&images[i]);
	free(images);
}

int image_list(struct image_store *store, struct image **ret, size_t *ret_count, struct error *err)
{
	int fd = openat(store->fd, "images", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct image *images = NULL;
	size_t n = 0;

	if (!dir)
		return error_errno(err, "read %s/images", store->path);
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
		char name[IMAGE_NAME_MAX];

		if (!record_name(entry->d_name, name))
			continue;
		struct image *more = reallocarray(images, n + 1, sizeof(*images));
		if (!more) {
			rc = error_set(err, ENOMEM, "out of memory");
			break;
		}
		images = more;
		rc = record_read(store->path, name, &images[n], err);
		if (rc == 0)
			n++;
		else if (rc == -ENOENT) /* removed meanwhile */
			rc = 0;
	}
	if (rc < 0) {
		free_images(images, n);
		return rc;
	}
	if (n)
		qsort(images, n, sizeof(*images), compare_images);
	*ret = images;
	*ret_count = n;
	return 0;
}

static int not_found(struct image_store *store, const char *name, struct error *err)
{
	struct image *images = NULL;
	char names[160] = "";
	size_t n = 0;

	if (image_list(store, &images, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "", images[i].name);
	}
	free_images(images, n);
	error_set(err, ENOENT, "there is no image '%s'", text_shown(name).text);
	if (n == 0)
		return error_hint(err, "there are none yet; 'bench image import --help' says where to get one");
	return error_hint(err, "there are: %s", names);
}

/* The name under which it stands in the store. */
static int full_name(struct image_store *store, const char *name, char ret[IMAGE_NAME_MAX], struct error *err)
{
	char path[PATH_MAX];
	int rc = record_check_name(name, err);

	if (rc < 0)
		return rc;
	snprintf(ret, IMAGE_NAME_MAX, "%s", name);
	rc = record_path(store->path, ret, path, err);
	if (rc == 0 && path_exists(path))
		return 0;
	if (rc == 0 && snprintf(ret, IMAGE_NAME_MAX, "%s:latest", name) < IMAGE_NAME_MAX && record_path(store->path, ret, path, err) == 0 &&
	    path_exists(path))
		return 0;
	return not_found(store, name, err);
}

int image_find(struct image_store *store, const char *name, struct image *ret, struct error *err)
{
	char full[IMAGE_NAME_MAX];
	int rc = full_name(store, name, full, err);

	if (rc == 0)
		rc = record_read(store->path, full, ret, err);
	return rc;
}

int image_hold(struct image_store *store, const char *name, int *ret_fd, struct error *err)
{
	char full[IMAGE_NAME_MAX], path[PATH_MAX];
	/* Whoever removes or replaces looks and acts under the store's lock: nobody can come between. */
	_cleanup_close_ int lock = store_lock(store, err);
	int rc = lock < 0 ? lock : full_name(store, name, full, err);

	if (rc == 0)
		rc = record_path(store->path, full, path, err);
	if (rc < 0)
		return rc;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_errno(err, "image '%s'", full);
	do
		rc = flock(fd, LOCK_SH);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return error_errno(err, "hold image '%s'", full);
	*ret_fd = take_fd(&fd);
	return 0;
}

int image_remove(struct image_store *store, const char *name, struct error *err)
{
	char full[IMAGE_NAME_MAX], path[PATH_MAX];
	_cleanup_close_ int lock = store_lock(store, err);
	int rc = lock < 0 ? lock : full_name(store, name, full, err);

	if (rc == 0)
		rc = store_check_unused(store, full, err);
	if (rc == 0)
		rc = record_path(store->path, full, path, err);
	if (rc == 0 && unlink(path) < 0)
		rc = error_errno(err, "remove %s", path);
	return rc < 0 ? rc : store_sweep(store, err);
}
