#include "disk_cache.h"

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 16384 };

/* Less than this free, and a tool that failed did so for want of room: not all of them say so. */
#define FULL_BYTES (INT64_C(1) << 20)

/* ---- the folder ---- */

int disk_cache_lock(const char *dir, const char *what, void (*note)(void *, const char *), void *note_arg, int *ret_fd, struct error *err)
{
	char path[PATH_MAX], text[160];
	int rc = dir_make(dir, 0700, err);

	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/lock", dir);
	if (rc < 0)
		return error_hint(err, "make the cache folder writable");

	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0) {
		error_errno(err, "cache %s", path);
		return error_hint(err, "make the cache folder writable");
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		snprintf(text, sizeof(text), "waiting for another process that makes %s", what);
		if (note)
			note(note_arg, text);
		/* The holder's own time limits bound this wait. */
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return error_errno(err, "lock %s", path);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

void disk_cache_sweep(const char *dir_path)
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	char path[PATH_MAX];
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "tmp-", 4) == 0 && path_format(path, sizeof(path), NULL, "%s/%s", dir_path, entry->d_name) == 0)
			dir_remove(path, NULL);
}

int disk_cache_publish(const char *work, const char *home, struct error *err)
{
	_cleanup_close_ int fd = open(work, O_RDONLY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 || rename(work, home) < 0 ? error_errno(err, "keep %s", home) : 0;
}

/* ---- tools ---- */

static bool is_full(const char *output, const char *dir)
{
	struct statvfs fs;

	if (strstr(output, "No space left") || strstr(output, "Disk full") || strstr(output, "Could not allocate block"))
		return true;
	return dir && statvfs(dir, &fs) == 0 && (int64_t)(fs.f_bavail * fs.f_frsize) < FULL_BYTES;
}

int disk_cache_run(const char *const argv[], const char *dir, const char *full_dir, int timeout_ms, const char *what, struct error *err)
{
	_cleanup_free_ char *output = malloc(OUTPUT_BYTES);
	int rc = output ? process_run(argv, dir, timeout_ms, true, output, OUTPUT_BYTES, err) : error_set(err, ENOMEM, "out of memory");

	if (rc == 0)
		return 0;
	if (rc < 0)
		return error_prefix(err, "%s", what);

	bool full = is_full(output, full_dir);
	char *line = strstr(output, "E: ");

	line = line ? line + 3 : output + strspn(output, "\r\n ");
	line[strcspn(line, "\r\n")] = '\0';
	return error_set(err, full ? ENOSPC : EIO, "%s: %sit ends with %d: %.300s", what, full ? "no space left: " : "", rc,
			 line[0] ? line : "no reason given");
}

/* ---- keys ---- */

void disk_key_text(struct sha256_ctx *hash, const char *text)
{
	sha256_update(hash, strlen(text) + 1, (const uint8_t *)text);
}

int disk_key_file(struct sha256_ctx *hash, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t block[65536];
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, block, sizeof(block))) > 0)
		sha256_update(hash, (size_t)n, block);
	return n < 0 ? error_errno(err, "read %s", path) : 0;
}

void disk_key_finish(struct sha256_ctx *hash, char *ret, size_t size)
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest(hash, sizeof(digest), digest);
	for (size_t i = 0; i < (size - 1) / 2 && i < sizeof(digest); i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}
