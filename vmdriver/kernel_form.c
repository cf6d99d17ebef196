#include "kernel_form.h"

#include <archive.h>
#include <archive_entry.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Offsets of the x86 boot protocol (Documentation/arch/x86/boot.rst). */
enum { SETUP_SECTS = 0x1f1, PAYLOAD_OFFSET = 0x248, PAYLOAD_LENGTH = 0x24c, HEADER_END = 0x250, SECTOR = 512 };

enum { BLOCK_BYTES = 1 << 20 };
#define UNPACKED_MAX_BYTES (UINT32_C(512) << 20)

static uint32_t little_endian(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void free_archive(struct archive **a)
{
	archive_read_free(*a);
}

static int read_all(const char *path, uint8_t **ret, size_t *ret_size, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *data = NULL;
	struct stat st;
	size_t used = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "kernel %s", path);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return error_set(err, ENOMEM, "kernel %s: out of memory", path);
	while (used < (size_t)st.st_size) {
		ssize_t n = read(fd, data + used, (size_t)st.st_size - used);

		if (n < 0)
			return error_errno(err, "read kernel %s", path);
		if (n == 0)
			break;
		used += (size_t)n;
	}
	*ret = take_ptr(data);
	*ret_size = used;
	return 0;
}

/* The packed kernel is followed by its size when unpacked: as much as it says is taken. */
static int copy_unpacked(struct archive *a, int out, uint32_t size, struct error *err)
{
	_cleanup_free_ uint8_t *block = malloc(BLOCK_BYTES);
	uint32_t left = size;

	if (!block)
		return error_set(err, ENOMEM, "out of memory");
	while (left > 0) {
		la_ssize_t n = archive_read_data(a, block, left < BLOCK_BYTES ? left : BLOCK_BYTES);

		if (n <= 0)
			return error_set(err, EBADMSG, "it cannot be unpacked: %s", n < 0 ? archive_error_string(a) : "it is cut short");
		for (la_ssize_t put = 0; put < n;) {
			ssize_t written = write(out, block + put, (size_t)(n - put));

			if (written < 0)
				return error_errno(err, "write");
			put += written;
		}
		left -= (uint32_t)n;
	}
	return 0;
}

static int unpack(const uint8_t *image, size_t size, int out, struct error *err)
{
	_cleanup_(free_archive) struct archive *a = archive_read_new();
	struct archive_entry *entry;

	if (size < HEADER_END)
		return error_set(err, EBADMSG, "it is cut short");

	size_t sectors = image[SETUP_SECTS] ? image[SETUP_SECTS] : 4;
	size_t start = (sectors + 1) * SECTOR + little_endian(image + PAYLOAD_OFFSET), length = little_endian(image + PAYLOAD_LENGTH);

	if (length < 8 || start > size || length > size - start)
		return error_set(err, EBADMSG, "it does not hold the packed kernel that it announces");

	uint32_t unpacked = little_endian(image + start + length - 4);

	/* gzip has it in its own end. */
	if (image[start] != 0x1f || image[start + 1] != 0x8b)
		length -= 4;

	if (!a)
		return error_set(err, ENOMEM, "out of memory");
	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (unpacked == 0 || unpacked > UNPACKED_MAX_BYTES || archive_read_open_memory(a, image + start, length) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK || archive_filter_count(a) < 2)
		return error_set(err, ENOTSUP, "it is packed in a way that is not known here");
	return copy_unpacked(a, out, unpacked, err);
}

int kernel_form_unpack(const char *from, const char *to, struct kernel_image *ret, struct error *err)
{
	_cleanup_free_ uint8_t *image = NULL;
	struct error why = {0};
	size_t size = 0;
	int rc = read_all(from, &image, &size, err);

	if (rc < 0)
		return rc;

	_cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (out < 0)
		return error_errno(err, "create %s", to);
	rc = unpack(image, size, out, err);
	if (rc == 0 && kernel_image_read(to, ret, &why) < 0)
		rc = error_set(err, ENOTSUP, "%s", why.message);
	if (rc < 0) {
		unlink(to);
		error_prefix(err, "unpack kernel %s", from);
	}
	return rc;
}
