#include "log_file.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

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

int log_file_open(const char *folder, int64_t size_max, struct log_file *ret, struct error *err)
{
	struct log_file log = {.fd = -1, .size_max = size_max > 0 ? size_max : SIZE_MAX_DEFAULT};
	int rc = path_format(log.path, sizeof(log.path), err, "%s/log", folder);

	if (rc == 0)
		rc = open_anew(&log, err);
	if (rc == 0)
		*ret = log;
	return rc;
}

static int rotate(struct log_file *log, struct error *err)
{
	char older[sizeof(log->path) + 2];

	snprintf(older, sizeof(older), "%s.1", log->path);
	if (rename(log->path, older) < 0)
		return error_errno(err, "rename %s", log->path);
	log_file_close(log);
	return open_anew(log, err);
}

int log_file_write(struct log_file *log, const void *data, size_t size, struct error *err)
{
	const char *at = data;

	if (log->size > 0 && log->size + (int64_t)size > log->size_max) {
		int rc = rotate(log, err);

		if (rc < 0)
			return rc;
	}
	while (size > 0) {
		ssize_t put = write(log->fd, at, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_errno(err, "log %s", log->path);
		at += put;
		size -= (size_t)put;
		log->size += put;
	}
	return 0;
}

void log_file_close(struct log_file *log)
{
	cleanup_close(&log->fd);
	log->fd = -1;
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
