#include "initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct member {
	const char *name;
	mode_t mode;
	int device_major, device_minor;
};

static void free_entry(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}

/* Times, owners and inode numbers are fixed: the bytes depend on the content alone. */
static int write_header(struct archive *a, const struct member *m, int64_t inode, int64_t size, struct error *err)
{
	_cleanup_(free_entry) struct archive_entry *entry = archive_entry_new();

	if (!entry)
		return error_set(err, ENOMEM, "out of memory");
	archive_entry_set_pathname(entry, m->name);
	archive_entry_set_mode(entry, m->mode);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_ino64(entry, inode);
	archive_entry_set_nlink(entry, S_ISDIR(m->mode) ? 2 : 1);
	archive_entry_set_size(entry, size);
	if (S_ISCHR(m->mode)) {
		archive_entry_set_rdevmajor(entry, m->device_major);
		archive_entry_set_rdevminor(entry, m->device_minor);
	}
	if (archive_write_header(a, entry) != ARCHIVE_OK)
		return error_set(err, archive_errno(a) > 0 ? archive_errno(a) : EIO, "%s: %s", m->name, archive_error_string(a));
	return 0;
}

static int write_members(struct archive *a, struct error *err)
{
	static const struct member members[] = {
		{"dev", S_IFDIR | 0755, 0, 0},        {"dev/console", S_IFCHR | 0600, 5, 1}, {"dev/null", S_IFCHR | 0666, 1, 3},
		{"dev/ttyS0", S_IFCHR | 0600, 4, 64}, {"dev/ttyS1", S_IFCHR | 0600, 4, 65},  {"proc", S_IFDIR | 0555, 0, 0},
		{"run", S_IFDIR | 0755, 0, 0},        {"sys", S_IFDIR | 0555, 0, 0},         {"tmp", S_IFDIR | 01777, 0, 0},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		int rc = write_header(a, &members[i], (int64_t)i + 2, 0, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int write_program(struct archive *a, const char *name, int fd, int64_t inode, struct error *err)
{
	struct stat st;
	char block[65536];

	if (fstat(fd, &st) < 0)
		return error_errno(err, "%s", name);

	int rc = write_header(a, &(struct member){name, S_IFREG | 0755, 0, 0}, inode, st.st_size, err);
	int64_t left = st.st_size;

	while (rc == 0 && left > 0) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n < 0)
			return error_errno(err, "read");
		if (n == 0 || n > left)
			return error_set(err, EIO, "it changed while it was read");
		if (archive_write_data(a, block, (size_t)n) != n)
			return error_set(err, archive_errno(a) > 0 ? archive_errno(a) : EIO, "%s: %s", name, archive_error_string(a));
		left -= n;
	}
	return rc;
}

static int write_modules(struct archive *a, const struct module_list *modules, struct error *err)
{
	static const struct member folder = {"modules", S_IFDIR | 0755, 0, 0};
	int64_t inode = 100; /* behind all others */
	int rc = modules && modules->n > 0 ? write_header(a, &folder, inode, 0, err) : 0;

	for (size_t i = 0; rc == 0 && modules && i < modules->n; i++) {
		const struct module_file *file = &modules->items[i];
		char name[MODULE_NAME_SIZE + 24];

		snprintf(name, sizeof(name), "modules/%02zu-%s.ko", i, file->name);
		rc = write_header(a, &(struct member){name, S_IFREG | 0600, 0, 0}, ++inode, (int64_t)file->size, err);
		if (rc == 0 && archive_write_data(a, file->data, file->size) != (la_ssize_t)file->size)
			rc = error_set(err, archive_errno(a) > 0 ? archive_errno(a) : EIO, "%s: %s", name, archive_error_string(a));
	}
	return rc;
}

static int write_archive(int out, int init, int runtime, const struct module_list *modules, struct error *err)
{
	struct archive *a = archive_write_new();

	if (!a)
		return error_set(err, ENOMEM, "out of memory");

	int rc = 0;

	/* No padding to tape blocks: the file is as long as its content. */
	if (archive_write_set_format_cpio_newc(a) != ARCHIVE_OK || archive_write_add_filter_none(a) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK || archive_write_open_fd(a, out) != ARCHIVE_OK)
		rc = error_set(err, EIO, "%s", archive_error_string(a));
	if (rc == 0)
		rc = write_program(a, "init", init, 1, err);
	if (rc == 0)
		rc = write_members(a, err);
	if (rc == 0 && runtime >= 0)
		rc = write_program(a, INITRAMFS_RUNTIME, runtime, 50, err); /* between the members and the modules */
	if (rc == 0)
		rc = write_modules(a, modules, err);
	if (rc == 0 && archive_write_close(a) != ARCHIVE_OK)
		rc = error_set(err, archive_errno(a) > 0 ? archive_errno(a) : EIO, "%s", archive_error_string(a));
	archive_write_free(a);
	return rc;
}

static int open_program(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "program for the guest %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return error_set(err, EINVAL, "program for the guest %s: not a program", path);
	return take_fd(&fd);
}

int initramfs_write(const char *path, const char *init_path, const char *runtime_path, const struct module_list *modules, struct error *err)
{
	_cleanup_close_ int init = open_program(init_path, err);
	_cleanup_close_ int runtime = init >= 0 && runtime_path ? open_program(runtime_path, err) : -1;

	if (init < 0 || (runtime_path && runtime < 0))
		return init < 0 ? init : runtime;

	_cleanup_close_ int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (out < 0)
		return error_errno(err, "create initramfs %s", path);

	int rc = write_archive(out, init, runtime, modules, err);

	if (rc < 0) {
		unlink(path);
		return error_prefix(err, "write initramfs %s from %s", path, init_path);
	}
	return 0;
}
