/* The kernel image and the modules inside a distribution's package. A .deb is an ar archive whose member data.tar.* is an archive again; a .rpm is a cpio
 * archive behind a header that libarchive skips. */
#include "kernel_fetch.h"
#include "kernel_image.h"

#include <archive.h>
#include <archive_entry.h>
#include <base/files.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

enum { BLOCK_BYTES = 65536 };
#define KERNEL_MAX_BYTES INT64_C(256 << 20)

static void free_archive(struct archive **a)
{
	archive_read_free(*a);
}

static int archive_failed(struct archive *a, const char *what, struct error *err)
{
	const char *why = archive_error_string(a);

	return error_set(err, EBADMSG, "%s: %s", what, why ? why : "damaged");
}

/* Version of a kernel by the path of its image in the package: "boot/vmlinuz-<v>" or "lib/modules/<v>/vmlinuz". */
static bool kernel_version(const char *path, char *ret, size_t size)
{
	while (*path == '.' || *path == '/')
		path++;
	if (strncmp(path, "usr/", 4) == 0)
		path += 4;

	const char *start = NULL;
	size_t length = 0;

	if (strncmp(path, "boot/vmlinuz-", 13) == 0) {
		start = path + 13;
		length = strlen(start);
	} else if (strncmp(path, "lib/modules/", 12) == 0) {
		start = path + 12;
		length = strcspn(start, "/");
		if (strcmp(start + length, "/vmlinuz") != 0)
			return false;
	}
	if (!start || length == 0 || length >= size || memchr(start, '/', length))
		return false;
	memcpy(ret, start, length);
	ret[length] = '\0';
	return true;
}

static int read_member(struct archive *a, int64_t size, void **ret, struct error *err)
{
	if (size <= 0 || size > KERNEL_MAX_BYTES)
		return error_set(err, EBADMSG, "a file in it has a size of %lld bytes", (long long)size);

	_cleanup_free_ char *data = malloc((size_t)size);
	la_ssize_t n = 0;

	if (!data)
		return error_set(err, ENOMEM, "out of memory");
	for (int64_t have = 0; have < size; have += n) {
		n = archive_read_data(a, data + have, (size_t)(size - have));
		if (n <= 0)
			return archive_failed(a, "a file in it", err);
	}
	*ret = take_ptr(data);
	return 0;
}

/* Goes through an open archive and writes the first kernel image found. */
static int take_kernel(struct archive *a, const char *dir, struct error *err)
{
	struct archive_entry *entry;
	int rc;

	while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		_cleanup_free_ void *data = NULL;
		char version[128], path[PATH_MAX];

		if (archive_entry_filetype(entry) != AE_IFREG || !kernel_version(archive_entry_pathname(entry), version, sizeof(version)))
			continue;
		rc = path_format(path, sizeof(path), err, "%s/vmlinuz-%s", dir, version);
		if (rc == 0)
			rc = read_member(a, archive_entry_size(entry), &data, err);
		return rc < 0 ? rc : file_write_atomic(path, data, (size_t)archive_entry_size(entry), 0600, err);
	}
	return rc == ARCHIVE_EOF ? error_set(err, ENOENT, "there is no kernel in it") : archive_failed(a, "it cannot be read", err);
}

/* ---- an archive inside an archive: the inner one reads the outer one's current member ---- */

struct nested {
	struct archive *outer;
	char block[BLOCK_BYTES];
};

static la_ssize_t nested_read(struct archive *inner, void *arg, const void **ret)
{
	struct nested *n = arg;
	la_ssize_t length = archive_read_data(n->outer, n->block, sizeof(n->block));

	*ret = n->block;
	if (length < 0)
		archive_set_error(inner, EBADMSG, "%s", archive_error_string(n->outer));
	return length;
}

/* What is taken out of a package: the kernel, or modules. */
struct wish {
	const char *dir;
	bool modules;
	char version[128]; /* of the modules found */
};

/* Folders of modules by which a guest may get at its devices and file systems. The rest, drivers of hardware, is much larger. */
static bool is_kept(const char *file)
{
	static const char *const kept[] = {
		"modules.builtin",
		"modules.order",
		"kernel/arch/",
		"kernel/block/",
		"kernel/crypto/",
		"kernel/fs/",
		"kernel/lib/",
		"kernel/mm/",
		"kernel/drivers/virtio",
		"kernel/drivers/block/virtio",
		"kernel/net/core",
		"kernel/drivers/char/",
		"kernel/drivers/cdrom",
		"kernel/drivers/scsi",
		"kernel/drivers/net/virtio",
		"kernel/net/9p",
		"kernel/net/vmw_vsock/",
		"kernel/drivers/dax",
		"kernel/drivers/nvdimm",
		"kernel/drivers/net/net_failover",
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (strncmp(file, kept[i], strlen(kept[i])) == 0)
			return true;
	return false;
}

/* "./usr/lib/modules/<v>/kernel/fs/ext4/ext4.ko" becomes "<v>/kernel/fs/ext4/ext4.ko"; NULL: not one of those, or not a path to follow. */
static const char *module_path(const char *path)
{
	while (*path == '.' || *path == '/')
		path++;
	if (strncmp(path, "usr/", 4) == 0)
		path += 4;
	if (strncmp(path, "lib/modules/", 12) != 0 || strstr(path, "/../"))
		return NULL;
	path += 12;

	const char *file = strchr(path, '/');

	return file && file > path && is_kept(file + 1) ? path : NULL;
}

static int write_module(struct archive *a, struct archive_entry *entry, const char *dir, const char *file, struct error *err)
{
	_cleanup_free_ void *data = NULL;
	char path[PATH_MAX], folder[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/lib/modules/%s", dir, file);

	if (rc == 0)
		rc = path_format(folder, sizeof(folder), err, "%.*s", (int)(strrchr(path, '/') - path), path);
	if (rc == 0)
		rc = dir_make(folder, 0700, err);
	if (rc == 0)
		rc = read_member(a, archive_entry_size(entry), &data, err);
	return rc < 0 ? rc : file_write_atomic(path, data, (size_t)archive_entry_size(entry), 0600, err);
}

static int take_modules(struct archive *a, struct wish *wish, struct error *err)
{
	struct archive_entry *entry;
	int rc;

	while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		const char *file = archive_entry_filetype(entry) == AE_IFREG ? module_path(archive_entry_pathname(entry)) : NULL;

		if (!file || archive_entry_size(entry) == 0)
			continue;
		snprintf(wish->version, sizeof(wish->version), "%.*s", (int)strcspn(file, "/"), file);
		rc = write_module(a, entry, wish->dir, file, err);
		if (rc < 0)
			return rc;
	}
	return rc == ARCHIVE_EOF ? 0 : archive_failed(a, "it cannot be read", err);
}

static int take(struct archive *a, struct wish *wish, struct error *err)
{
	return wish->modules ? take_modules(a, wish, err) : take_kernel(a, wish->dir, err);
}

static int unpack_deb(struct archive *outer, struct wish *wish, struct error *err)
{
	struct archive_entry *entry;
	int rc;

	while ((rc = archive_read_next_header(outer, &entry)) == ARCHIVE_OK) {
		if (strncmp(archive_entry_pathname(entry), "data.tar", 8) != 0)
			continue;

		_cleanup_free_ struct nested *n = calloc(1, sizeof(*n));
		_cleanup_(free_archive) struct archive *inner = archive_read_new();

		if (!n || !inner)
			return error_set(err, ENOMEM, "out of memory");
		n->outer = outer;
		archive_read_support_filter_all(inner);
		archive_read_support_format_tar(inner);
		if (archive_read_open(inner, n, NULL, nested_read, NULL) != ARCHIVE_OK)
			return archive_failed(inner, "its data", err);
		return take(inner, wish, err);
	}
	return rc == ARCHIVE_EOF ? error_set(err, EBADMSG, "it holds no data") : archive_failed(outer, "it cannot be read", err);
}

static int unpack(const char *package, struct wish *wish, struct error *err)
{
	_cleanup_(free_archive) struct archive *a = archive_read_new();
	size_t length = strlen(package);
	bool deb = length > 4 && strcmp(package + length - 4, ".deb") == 0;

	if (!a)
		return error_set(err, ENOMEM, "unpack %s: out of memory", package);
	archive_read_support_filter_all(a);
	archive_read_support_format_ar(a);
	archive_read_support_format_cpio(a);

	int rc = archive_read_open_filename(a, package, BLOCK_BYTES) == ARCHIVE_OK ? 0 : archive_failed(a, "it cannot be opened", err);

	if (rc == 0)
		rc = deb ? unpack_deb(a, wish, err) : take(a, wish, err);
	return rc < 0 ? error_prefix(err, "unpack %s", package) : 0;
}

int kernel_unpack(const char *package, const char *dir, struct error *err)
{
	struct wish wish = {.dir = dir};

	return unpack(package, &wish, err);
}

int kernel_unpack_modules(const char *package, const char *dir, char *ret_version, size_t size, struct error *err)
{
	struct wish wish = {.dir = dir, .modules = true};
	int rc = unpack(package, &wish, err);

	if (rc < 0)
		return rc;
	if (!wish.version[0])
		return error_set(err, ENOENT, "unpack %s: there are no modules in it", package);
	snprintf(ret_version, size, "%s", wish.version);
	return 0;
}
