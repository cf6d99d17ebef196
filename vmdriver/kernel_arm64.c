#include "kernel_arm64.h"

#include <archive.h>
#include <archive_entry.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { IMAGE_SIZE = 0x10, FLAGS = 0x18, MAGIC = 0x38, PE_OFFSET = 0x3c, HEADER_END = 64, FLAG_BIG_ENDIAN = 1 };

/* Of the PE header, by which firmware starts the same file: it knows how long the file is. */
enum { PE_SECTIONS = 6, PE_OPTIONAL = 20, PE_END = 24, SECTION_BYTES = 40, SECTION_SIZE = 16, SECTION_AT = 20, SECTIONS_MAX = 16 };

enum { GZIP_BLOCK = 64 << 10, LINE_MAX_BYTES = 512 };
#define IMAGE_MAX_BYTES (UINT64_C(512) << 20)

static uint64_t little_endian(const uint8_t *p, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

bool kernel_arm64_is(const uint8_t *head, size_t length)
{
	return length >= HEADER_END && memcmp(head + MAGIC, "ARM\x64", 4) == 0;
}

/* Where its last section ends; 0: no PE header, as before Linux 4.x or without CONFIG_EFI. */
static uint64_t file_end(const uint8_t *image, size_t size)
{
	size_t pe = (size_t)little_endian(image + PE_OFFSET, 4);
	uint64_t end = 0;

	if (memcmp(image, "MZ", 2) != 0 || pe > size || size - pe < PE_END || memcmp(image + pe, "PE\0\0", 4) != 0)
		return 0;

	size_t n = (size_t)little_endian(image + pe + PE_SECTIONS, 2);
	size_t at = pe + PE_END + (size_t)little_endian(image + pe + PE_OPTIONAL, 2);

	for (size_t i = 0; i < n && i < SECTIONS_MAX && at + (i + 1) * SECTION_BYTES <= size; i++) {
		const uint8_t *section = image + at + i * SECTION_BYTES;
		uint64_t section_end = little_endian(section + SECTION_AT, 4) + little_endian(section + SECTION_SIZE, 4);

		end = section_end > end ? section_end : end;
	}
	return end;
}

static size_t copy_until(char *to, size_t size, const char *from, const char *end, const char *stop)
{
	size_t used = 0;

	while (from < end && used + 1 < size && *from >= ' ' && *from < 0x7f) {
		to[used++] = *from++;
		if (used >= strlen(stop) && strncmp(from - strlen(stop), stop, strlen(stop)) == 0)
			break;
	}
	to[used] = '\0';
	return used;
}

/* Takes "6.1.0-57-cloud-arm64 (builder) #1 SMP …" out of "6.1.0-57-cloud-arm64 (builder) (compiler) #1 SMP …", as a bzImage has it. False where the build's
 * number is missing. */
static bool take_version(const char *at, const char *end, char *ret, size_t size)
{
	size_t used = copy_until(ret, size, at, end, ")");
	const char *number = memmem(at, end - at < LINE_MAX_BYTES ? (size_t)(end - at) : LINE_MAX_BYTES, " #", 2);

	if (number)
		copy_until(ret + used, size - used, number, end, "\n");
	return number && end - number > 2 && number[2] >= '0' && number[2] <= '9';
}

/* What the kernel says at its start. It is in there more than once, once as a pattern without the build's number. */
static void find_version(const uint8_t *image, size_t size, char *ret, size_t ret_size)
{
	static const char words[] = "Linux version ";
	const char *at = (const char *)image, *end = at + size;

	while ((at = memmem(at, (size_t)(end - at), words, sizeof(words) - 1))) {
		at += sizeof(words) - 1;
		if (at < end && *at >= '0' && *at <= '9' && take_version(at, end, ret, ret_size))
			return;
	}
}

static int read_image(const uint8_t *image, size_t size, struct kernel_image *ret, struct error *err)
{
	if (little_endian(image + FLAGS, 8) & FLAG_BIG_ENDIAN)
		return error_set(err, ENOEXEC, "is a Linux kernel for arm64 of the other byte order (big endian)");
	if (file_end(image, size) > size)
		return error_set(err, ENOEXEC, "is cut short: %zu of %llu bytes", size, (unsigned long long)file_end(image, size));
	ret->arch = "aarch64";
	ret->needs_bytes = (int64_t)(little_endian(image + IMAGE_SIZE, 8) & INT64_MAX);
	find_version(image, size, ret->version, sizeof(ret->version));
	return 0;
}

int kernel_arm64_read(int fd, struct kernel_image *ret, struct error *err)
{
	size_t size = (size_t)ret->size_bytes;
	void *image = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (image == MAP_FAILED)
		return error_errno(err, "cannot be read");

	int rc = read_image(image, size, ret, err);

	munmap(image, size);
	ret->format = "Image";
	return rc;
}

/* ---- in a gzip file ---- */

static void free_archive(struct archive **a)
{
	archive_read_free(*a);
}

static struct archive *open_gzip(int fd)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;

	if (!a)
		return NULL;
	archive_read_support_filter_gzip(a);
	archive_read_support_format_raw(a);
	if (lseek(fd, 0, SEEK_SET) == 0 && archive_read_open_fd(a, fd, GZIP_BLOCK) == ARCHIVE_OK &&
	    archive_read_next_header(a, &entry) == ARCHIVE_OK)
		return a;
	archive_read_free(a);
	return NULL;
}

/* As many bytes as there are, up to `size`; -1: damaged or cut short. */
static la_ssize_t read_fully(struct archive *a, uint8_t *to, size_t size)
{
	size_t used = 0;
	la_ssize_t n = 1;

	while (used < size && (n = archive_read_data(a, to + used, size - used)) > 0)
		used += (size_t)n;
	return n < 0 ? -1 : (la_ssize_t)used;
}

bool kernel_arm64_is_gzip(int fd, const uint8_t *head, size_t length)
{
	uint8_t inner[HEADER_END];

	if (length < 2 || head[0] != 0x1f || head[1] != 0x8b)
		return false;

	_cleanup_(free_archive) struct archive *a = open_gzip(fd);

	return a && read_fully(a, inner, sizeof(inner)) == sizeof(inner) && kernel_arm64_is(inner, sizeof(inner));
}

int kernel_arm64_read_gzip(int fd, struct kernel_image *ret, struct error *err)
{
	_cleanup_(free_archive) struct archive *a = open_gzip(fd);
	_cleanup_free_ uint8_t *image = malloc(HEADER_END);

	if (!a || !image || read_fully(a, image, HEADER_END) != HEADER_END)
		return error_set(err, ENOEXEC, "cannot be unpacked");

	/* What it takes in memory is more than the file. */
	uint64_t room = little_endian(image + IMAGE_SIZE, 8);

	if (room < HEADER_END || room > IMAGE_MAX_BYTES)
		return error_set(err, ENOEXEC, "is a packed kernel for arm64 of an impossible size");

	uint8_t *larger = realloc(image, (size_t)room);

	if (!larger)
		return error_set(err, ENOMEM, "out of memory");
	image = larger;

	la_ssize_t more = read_fully(a, image + HEADER_END, (size_t)room - HEADER_END);

	if (more < 0)
		return error_set(err, ENOEXEC, "is a packed kernel for arm64, damaged or cut short");
	ret->format = "Image, gzip";
	return read_image(image, (size_t)more + HEADER_END, ret, err);
}
