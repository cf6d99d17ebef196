#include "files.h"

#include <bench/cleanup.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int path_format(char *ret, size_t size, struct error *err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int length = vsnprintf(ret, size, format, ap);
	va_end(ap);
	if (length < 0 || (size_t)length >= size)
		return error_set(err, ENAMETOOLONG, "path '%.80s…' is longer than %zu bytes", ret, size - 1);
	return 0;
}

ssize_t file_read(const char *root, const char *path, char *ret, size_t size, struct error *err)
{
	char full[PATH_MAX];
	size_t used = 0;

	if (path_format(full, sizeof(full), err, "%s%s", root, path) < 0)
		return -ENAMETOOLONG;
	_cleanup_close_ int fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open %s", full);
	for (;;) {
		ssize_t got = read(fd, ret + used, size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "read %s", full);
		if (got == 0)
			break;
		used += (size_t)got;
		if (used == size)
			return error_set(err, EFBIG, "%s has more than %zu bytes", full, size - 1);
	}
	if (used > 0 && ret[used - 1] == '\n')
		used--;
	ret[used] = '\0';
	return (ssize_t)used;
}

int file_read_int(const char *root, const char *path, int64_t *ret, struct error *err)
{
	char text[64], *end;
	ssize_t length = file_read(root, path, text, sizeof(text), err);

	if (length < 0)
		return (int)length;
	if (strcmp(text, "max") == 0) {
		*ret = INT64_MAX;
		return 0;
	}
	errno = 0;
	int64_t value = strtoll(text, &end, 10);
	if (errno || end == text || *end != '\0')
		return error_set(err, EINVAL, "%s%s: '%s' is not a whole number", root, path, text);
	*ret = value;
	return 0;
}

bool text_field(const char *text, const char *key, char *ret, size_t size)
{
	size_t key_length = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, key_length) != 0 || !strchr(":= \t", line[key_length]) || line[key_length] == '\0')
			continue;
		line += key_length;
		line += strspn(line, ":= \t");
		size_t length = strcspn(line, "\n");

		snprintf(ret, size, "%.*s", (int)length, line);
		return true;
	}
	return false;
}

int file_write_kernel(const char *path, const char *text, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "open %s", path);
	ssize_t length = (ssize_t)strlen(text);
	if (write(fd, text, (size_t)length) != length)
		return error_errno(err, "write '%.40s' to %s", text, path);
	return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, data, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		data += put;
		size -= (size_t)put;
	}
	return 0;
}

static int sync_folder_of(const char *path, struct error *err)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int length = slash ? (int)(slash - path) : 0;

	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", length > 0 ? length : 1, path);
	else
		snprintf(folder, sizeof(folder), ".");
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return error_errno(err, "sync %s", folder);
	return 0;
}

int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode, struct error *err)
{
	char temporary[PATH_MAX];

	if (path_format(temporary, sizeof(temporary), err, "%s.%d.tmp", path, (int)getpid()) < 0)
		return -ENAMETOOLONG;
	_cleanup_close_ int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return error_errno(err, "create %s", temporary);
	if (write_all(fd, data, size) < 0 || fsync(fd) < 0) {
		error_errno(err, "write %s", path);
		unlink(temporary);
		return err ? -err->code : -EIO;
	}
	if (rename(temporary, path) < 0) {
		error_errno(err, "rename %s to %s", temporary, path);
		unlink(temporary);
		return err ? -err->code : -EIO;
	}
	return sync_folder_of(path, err);
}

int file_copy(const char *from, const char *to, mode_t mode, struct error *err)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);

	if (in < 0)
		return error_errno(err, "open %s", from);
	_cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (out < 0)
		return error_errno(err, "create %s", to);
	for (;;) {
		char buffer[65536];
		ssize_t got = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);

		if (got < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
			got = read(in, buffer, sizeof(buffer));
			if (got > 0 && write_all(out, buffer, (size_t)got) < 0)
				got = -1;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			error_errno(err, "copy %s to %s", from, to);
			unlink(to);
			return err ? -err->code : -EIO;
		}
		if (got == 0)
			return 0;
	}
}

bool path_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

int dir_make(const char *path, mode_t mode, struct error *err)
{
	char prefix[PATH_MAX];

	if (path_format(prefix, sizeof(prefix), err, "%s", path) < 0)
		return -ENAMETOOLONG;
	for (char *p = prefix + 1;; p++) {
		if (*p != '/' && *p != '\0')
			continue;
		char kept = *p;

		*p = '\0';
		if (mkdir(prefix, mode) < 0 && errno != EEXIST)
			return error_errno(err, "make folder %s", prefix);
		*p = kept;
		if (kept == '\0')
			break;
	}
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "%s is not a folder", path);
	return 0;
}

/* Opens a folder below another, through no symbolic link and into no other mount (a bind mount of the same file system is one too). */
static int open_below(int folder_fd, const char *name)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};

	return (int)syscall(SYS_openat2, folder_fd, name, &how, sizeof(how));
}

/* Removes what lies below an open folder; takes the descriptor over. */
static int remove_below(int folder_fd, struct error *err)
{
	_cleanup_closedir_ DIR *dir = fdopendir(folder_fd);
	int rc = 0;

	if (!dir) {
		close(folder_fd);
		return error_errno(err, "read folder");
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bool is_dir = S_ISDIR(st.st_mode);
		int child = is_dir ? open_below(dirfd(dir), entry->d_name) : -1;
		if (is_dir && child < 0) {
			/* One that nobody may enter, as overlayfs leaves one, can go when it is empty. */
			if (errno != EACCES || unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0)
				rc = error_errno(err, "enter '%s'", entry->d_name);
			continue;
		}
		if (is_dir)
			remove_below(child, NULL);
		if (unlinkat(dirfd(dir), entry->d_name, is_dir ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
			rc = error_errno(err, "remove '%s'", entry->d_name);
	}
	return rc;
}

int dir_remove(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_errno(err, "remove %s", path);
	if (!S_ISDIR(st.st_mode))
		return unlink(path) < 0 && errno != ENOENT ? error_errno(err, "remove %s", path) : 0;

	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open %s", path);
	int rc = remove_below(fd, err);
	if (rc < 0)
		return error_prefix(err, "remove %s", path);
	if (rmdir(path) < 0 && errno != ENOENT)
		return error_errno(err, "remove %s", path);
	return 0;
}
