#include "virtio_modules.h"

#include "kernel_fetch.h"

#include <archive.h>
#include <archive_entry.h>
#include <base/files.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODULE_MAX_BYTES = 4 << 20 };

/* All that are kept. Each comes after those that it needs. */
static const char *const all[] = {"virtio_ring",
				  "virtio",
				  "virtio_mmio",
				  "virtio_pci_modern_dev",
				  "virtio_pci_legacy_dev",
				  "virtio_pci",
				  "failover",
				  "net_failover",
				  "virtio_net",
				  "virtio_balloon",
				  NULL};

static bool is_needed(const char *name, const struct virtio_modules_options *o)
{
	if (strcmp(name, "virtio_balloon") == 0)
		return o->balloon;
	if (strcmp(name, "virtio_net") == 0 || strstr(name, "failover"))
		return o->net;
	return o->mmio ? strncmp(name, "virtio_pci", 10) != 0 : strcmp(name, "virtio_mmio") != 0;
}

/* ---- where they come from ---- */

static int copy_module(const char *from, const char *name, const char *dir, struct error *err)
{
	_cleanup_free_ char *data = malloc(MODULE_MAX_BYTES);
	_cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t got = data && fd >= 0 ? read(fd, data, MODULE_MAX_BYTES) : -1;

	if (got <= 0)
		return error_errno(err, "read %s", from);
	return kernel_module_write(data, (size_t)got, name, dir, err);
}

/* Returns how many were found below a folder of the host. */
static int copy_from(const char *folder, const char *dir, struct error *err)
{
	char *const roots[] = {(char *)folder, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOSTAT, NULL);
	int found = 0;
	FTSENT *at;

	while (walk && found >= 0 && (at = fts_read(walk))) {
		char name[64];

		if (!kernel_module_name(at->fts_name, name, sizeof(name)))
			continue;
		for (size_t i = 0; all[i]; i++)
			if (strcmp(all[i], name) == 0) {
				int rc = copy_module(at->fts_path, name, dir, err);
				found = rc < 0 ? rc : found + 1;
			}
	}
	if (walk)
		fts_close(walk);
	return found;
}

static int download(const char *version, const struct virtio_modules_options *o, const char *dir, struct error *err)
{
	char name[200], package[PATH_MAX], text[256];
	const char *tool = kernel_fetch_tool();

	if (!tool || strcmp(tool, "apt-get") != 0) {
		error_set(err, ENOENT,
			  "kernel %.80s: /lib/modules/%.80s is not there, and no tool known here could get its drivers for virtio", version,
			  version);
		return error_hint(err, "install the package with its modules, or name a kernel that has them");
	}
	snprintf(text, sizeof(text), "downloading drivers of kernel %.100s for the guest", version);
	if (o->note)
		o->note(o->note_arg, text);
	snprintf(name, sizeof(name), "linux-image-%.150s", version);
	int rc = kernel_fetch_package(name, dir, package, sizeof(package), err);
	if (rc < 0)
		return rc;
	rc = kernel_unpack_modules(package, all, dir, err);
	unlink(package);
	return rc;
}

/* Made in a folder of its own, which moves to its place complete. */
static int fill(const char *version, const struct virtio_modules_options *o, const char *place, struct error *err)
{
	char work[PATH_MAX], installed[PATH_MAX], driver[PATH_MAX];
	int rc = path_format(work, sizeof(work), err, "%s/vm/modules", o->cache_dir);

	if (rc == 0)
		rc = dir_make(work, 0700, err);
	if (rc == 0)
		rc = path_format(work, sizeof(work), err, "%s/vm/modules/tmp-XXXXXX", o->cache_dir);
	if (rc == 0 && !mkdtemp(work))
		rc = error_errno(err, "create %s", work);
	if (rc < 0)
		return error_hint(err, "make the cache folder writable, or use net=none");
	rc = path_format(installed, sizeof(installed), err, "/lib/modules/%s", version);
	if (rc == 0)
		rc = path_exists(installed) ? copy_from(installed, work, err) : download(version, o, work, err);
	if (rc >= 0 && (rc = path_format(driver, sizeof(driver), err, "%s/virtio_net.ko", work)) == 0 && !path_exists(driver))
		rc = error_set(err, ENOENT, "there is no module virtio_net of kernel %s", version);
	if (rc == 0 && rename(work, place) < 0 && errno != EEXIST && errno != ENOTEMPTY)
		rc = error_errno(err, "keep modules in %s", place);
	if (path_exists(work))
		dir_remove(work, NULL);
	return rc;
}

/* ---- into the initramfs ---- */

static int put_file(struct archive *a, const char *name, mode_t mode, const void *data, size_t size, struct error *err)
{
	struct archive_entry *entry = archive_entry_new();
	bool fine;

	if (!entry)
		return error_set(err, ENOMEM, "out of memory");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_nlink(entry, S_ISDIR(mode) ? 2 : 1);
	archive_entry_set_size(entry, (int64_t)size);
	fine = archive_write_header(a, entry) == ARCHIVE_OK && (size == 0 || archive_write_data(a, data, size) == (la_ssize_t)size);
	archive_entry_free(entry);
	return fine ? 0 : error_set(err, EIO, "%s: %s", name, archive_error_string(a));
}

static int put_modules(struct archive *a, const char *dir, const struct virtio_modules_options *o, struct error *err)
{
	_cleanup_free_ char *data = malloc(MODULE_MAX_BYTES);
	int rc = data ? put_file(a, "modules", S_IFDIR | 0755, NULL, 0, err) : error_set(err, ENOMEM, "out of memory");
	unsigned number = 0;

	for (size_t i = 0; rc == 0 && all[i]; i++) {
		char path[PATH_MAX], name[32];

		rc = path_format(path, sizeof(path), err, "%s/%s.ko", dir, all[i]);
		if (rc < 0 || !is_needed(all[i], o) || !path_exists(path))
			continue;
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = fd < 0 ? -1 : read(fd, data, MODULE_MAX_BYTES);
		if (got < 0)
			return error_errno(err, "read %s", path);
		snprintf(name, sizeof(name), "modules/%u.ko", number++);
		rc = put_file(a, name, S_IFREG | 0600, data, (size_t)got, err);
	}
	return rc;
}

/* The kernel unpacks one archive after the other. */
static int append(const char *initramfs, const char *dir, const struct virtio_modules_options *o, struct error *err)
{
	_cleanup_close_ int out = open(initramfs, O_WRONLY | O_APPEND | O_CLOEXEC);
	struct archive *a = archive_write_new();
	int rc = 0;

	if (out < 0)
		rc = error_errno(err, "open %s", initramfs);
	else if (!a || archive_write_set_format_cpio_newc(a) != ARCHIVE_OK || archive_write_add_filter_none(a) != ARCHIVE_OK ||
		 archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK || archive_write_open_fd(a, out) != ARCHIVE_OK)
		rc = error_set(err, EIO, "write %s", initramfs);
	if (rc == 0)
		rc = put_modules(a, dir, o, err);
	if (rc == 0 && archive_write_close(a) != ARCHIVE_OK)
		rc = error_set(err, EIO, "write %s: %s", initramfs, archive_error_string(a));
	archive_write_free(a);
	return rc;
}

int virtio_modules_append(const char *initramfs, const struct virtio_modules_options *o, struct error *err)
{
	char version[128], place[PATH_MAX];
	int rc;

	snprintf(version, sizeof(version), "%.*s", (int)strcspn(o->kernel_version, " "), o->kernel_version);
	rc = path_format(place, sizeof(place), err, "%s/vm/modules/%s", o->cache_dir, version);
	if (rc == 0 && !path_exists(place))
		rc = fill(version, o, place, err);
	return rc < 0 ? rc : append(initramfs, place, o, err);
}
