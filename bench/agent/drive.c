#include "drive.h"

#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK_MAX = 4 << 20, ALIGNMENT = 512, OPEN_FOLDERS = 16, FILE_BLOCK = 1 << 20 };

static bool number(const char *text, uint64_t *ret)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static void *buffer_of(size_t size)
{
	void *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return buffer == MAP_FAILED ? NULL : buffer;
}

/* ---- a disk ---- */

static bool transfer(int fd, bool write_it, void *block, size_t length, off_t at)
{
	ssize_t done = write_it ? pwrite(fd, block, length, at) : pread(fd, block, length, at);

	if (done >= 0 && done != (ssize_t)length)
		errno = EIO;
	return done == (ssize_t)length;
}

static bool go_over(int fd, bool write_it, void *block, uint64_t block_bytes, uint64_t bytes)
{
	off_t end = lseek(fd, 0, SEEK_END), at = 0;

	if (end < (off_t)block_bytes) {
		errno = ENOSPC;
		return false;
	}
	for (uint64_t done = 0; done < bytes; done += block_bytes, at += (off_t)block_bytes) {
		if (at + (off_t)block_bytes > end)
			at = 0;
		if (!transfer(fd, write_it, block, block_bytes, at))
			return false;
	}
	return !write_it || fsync(fd) == 0;
}

static void run_disk(const char *path, bool write_it, uint64_t block_bytes, uint64_t bytes, char *answer, size_t size)
{
	void *block = buffer_of(block_bytes);
	int fd = block ? open(path, (write_it ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC) : -1;

	if (fd >= 0 && write_it)
		memset(block, 0x5a, block_bytes);
	if (fd < 0 || !go_over(fd, write_it, block, block_bytes, bytes))
		snprintf(answer, size, "error %.80s: %s", path, strerror(errno));
	else
		snprintf(answer, size, "disk bytes=%" PRIu64, (bytes + block_bytes - 1) / block_bytes * block_bytes);
	if (fd >= 0)
		close(fd);
	if (block)
		munmap(block, block_bytes);
}

void drive_disk(char *arguments, char *answer, size_t size)
{
	char *rest = NULL, device[16];
	const char *what = strtok_r(arguments, " ", &rest), *block_text = strtok_r(NULL, " ", &rest),
		   *bytes_text = strtok_r(NULL, " ", &rest), *file = strtok_r(NULL, " ", &rest);
	bool write_it = what && strcmp(what, "write") == 0;
	uint64_t block_bytes, bytes;

	if (!what || (!write_it && strcmp(what, "read") != 0) || !number(block_text, &block_bytes) || !number(bytes_text, &bytes) ||
	    block_bytes == 0 || block_bytes % ALIGNMENT || block_bytes > BLOCK_MAX)
		snprintf(answer, size, "error expected disk read|write <block> <bytes> [<file>]");
	else if (!file && guest_find_disk("bench-scratch", device, sizeof(device)) < 0)
		snprintf(answer, size, "error there is no such disk");
	else
		run_disk(file ? file : device, write_it, block_bytes, bytes, answer, size);
}

/* ---- files ---- */

/* nftw hands nothing on to its function. */
static struct {
	void *block;
	uint64_t files, bytes;
	int failed;
} walk;

static int read_file(const char *path, const struct stat *st, int type, struct FTW *at __attribute__((unused)))
{
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t got = -1;

	while (fd >= 0 && (got = read(fd, walk.block, FILE_BLOCK)) > 0)
		walk.bytes += (uint64_t)got;
	if (fd >= 0)
		close(fd);
	walk.failed = got < 0 ? errno : 0;
	walk.files++;
	return walk.failed;
}

void drive_files(const char *path, char *answer, size_t size)
{
	memset(&walk, 0, sizeof(walk));
	walk.block = buffer_of(FILE_BLOCK);
	/* Not FTW_MOUNT: in an overlay the files of a lower layer have another device number than the folders. */
	if (!walk.block || (nftw(path, read_file, OPEN_FOLDERS, FTW_PHYS) != 0 && !walk.failed))
		walk.failed = errno;
	if (walk.failed)
		snprintf(answer, size, "error %.80s: %s", path, strerror(walk.failed));
	else
		snprintf(answer, size, "files=%" PRIu64 " bytes=%" PRIu64, walk.files, walk.bytes);
	if (walk.block)
		munmap(walk.block, FILE_BLOCK);
}

void drive_drop(char *answer, size_t size)
{
	int fd = getenv("BENCH_CONTROL") && getpid() == 1 ? open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC) : -1;

	sync();
	if (fd < 0 || write(fd, "3", 1) != 1)
		snprintf(answer, size, "error not the only one on this kernel, or no /proc");
	else
		snprintf(answer, size, "dropped");
	if (fd >= 0)
		close(fd);
}

void drive_write(const char *path, char *answer, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, "x", 1) != 1)
		snprintf(answer, size, "error %.80s: %s", path, strerror(errno));
	else
		snprintf(answer, size, "written");
	if (fd >= 0)
		close(fd);
}
