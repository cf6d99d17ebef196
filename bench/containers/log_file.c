#include "log_file.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE_MAX_DEFAULT = 10 << 20 };

static int open_anew(struct log_file *log, struct error *err)
{
	struct stat st;

	log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log->fd < 0 || fstat(log->fd, &st) < 0)
		return error_errno(err, "log %s", log->path);
	log->size = st.st_size;
	return 0;
}

/* Of one length for good, so that it is changed in place, which takes no room. */
static int write_lost(const struct log_file *log)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%20lld\n", (long long)log->lost_bytes);

	return pwrite(log->lost_fd, text, (size_t)length, 0) == length ? 0 : -EIO;
}

int log_file_open(const char *folder, int64_t size_max, struct log_file *ret, struct error *err)
{
	struct log_file log = {.fd = -1, .lost_fd = -1, .size_max = size_max > 0 ? size_max : SIZE_MAX_DEFAULT};
	char lost[sizeof(log.path) + 8];
	int rc = path_format(log.path, sizeof(log.path), err, "%s/log", folder);

	snprintf(lost, sizeof(lost), "%s.lost", log.path);
	if (rc == 0)
		rc = open_anew(&log, err);
	if (rc == 0 && (log.lost_fd = open(lost, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
		rc = error_errno(err, "log %s", lost);
	if (rc == 0 && write_lost(&log) < 0)
		rc = error_set(err, EIO, "log %s cannot be written", lost);
	if (rc == 0)
		*ret = log;
	else
		log_file_close(&log);
	return rc;
}

static int rotate(struct log_file *log)
{
	char older[sizeof(log->path) + 2];

	snprintf(older, sizeof(older), "%s.1", log->path);
	if (rename(log->path, older) < 0)
		return -errno;
	cleanup_close(&log->fd);
	log->fd = -1;
	log->size = 0;
	return 0;
}

/* Returns how many bytes found room; less than all: *ret_code says why. */
static size_t put_in(struct log_file *log, const char *data, size_t size, int *ret_code)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = write(log->fd, data + done, size - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			*ret_code = put < 0 ? errno : ENOSPC;
			break;
		}
		done += (size_t)put;
	}
	log->size += (int64_t)done;
	return done;
}

/* A file that takes `size` more bytes. */
static int make_room(struct log_file *log, size_t size)
{
	struct error found = {0};
	int rc = log->fd >= 0 && log->size > 0 && log->size + (int64_t)size > log->size_max ? rotate(log) : 0;

	if (rc == 0 && log->fd < 0)
		rc = open_anew(log, &found);
	return rc;
}

/* The whole line, or none of it. */
static void tell_lost(struct log_file *log)
{
	char text[128];
	int code = 0;
	int64_t before = log->size, lost = log->lost_bytes - log->told_bytes;
	int length = snprintf(text, sizeof(text), "\n[bench: %lld bytes of output are missing here: %s]\n", (long long)lost,
			      strerror(log->lost_errno));

	if (lost == 0 || log->fd < 0)
		return;
	if (put_in(log, text, (size_t)length, &code) == (size_t)length)
		log->told_bytes = log->lost_bytes;
	else if (ftruncate(log->fd, before) == 0)
		log->size = before;
}

void log_file_write(struct log_file *log, const void *data, size_t size)
{
	int code = -make_room(log, size);
	size_t done = 0;

	if (code == 0)
		tell_lost(log);
	if (code == 0 && log->told_bytes == log->lost_bytes)
		done = put_in(log, data, size, &code);
	if (done == size)
		return;
	log->lost_bytes += (int64_t)(size - done);
	if (code)
		log->lost_errno = code;
	write_lost(log);
}

void log_file_close(struct log_file *log)
{
	tell_lost(log);
	cleanup_close(&log->fd);
	cleanup_close(&log->lost_fd);
	log->fd = log->lost_fd = -1;
}

int64_t log_file_lost(const char *folder)
{
	char path[PATH_MAX], text[32];

	if (path_format(path, sizeof(path), NULL, "%s/log.lost", folder) < 0 || file_read("", path, text, sizeof(text), NULL) < 0)
		return 0;
	return strtoll(text, NULL, 10);
}

static int print_one(const char *path, FILE *out, struct error *err)
{
	_cleanup_fclose_ FILE *in = fopen(path, "re");
	char buffer[16384];
	size_t got;

	if (!in)
		return errno == ENOENT ? 0 : error_errno(err, "log %s", path);
	while ((got = fread(buffer, 1, sizeof(buffer), in)) > 0)
		if (fwrite(buffer, 1, got, out) != got)
			return error_errno(err, "write to stdout");
	return ferror(in) ? error_errno(err, "log %s", path) : 0;
}

int log_file_print(const char *folder, FILE *out, struct error *err)
{
	static const char *const names[] = {"log.1", "log"};
	char path[PATH_MAX];
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++) {
		rc = path_format(path, sizeof(path), err, "%s/%s", folder, names[i]);
		if (rc == 0)
			rc = print_one(path, out, err);
	}
	return rc;
}
