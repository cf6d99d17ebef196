#include "layout.h"

#include "beneath.h"
#include "digest.h"
#include "json.h"
#include "layer.h"
#include "text.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { COPY_BLOCK = 256 << 10 };

int descriptor_read(const json_t *object, struct descriptor *ret, struct error *err)
{
	const char *digest = json_text(object, "digest"), *type = json_text(object, "mediaType");
	const json_t *size = json_object_get(object, "size");

	*ret = (struct descriptor){.size = -1};
	if (!digest || !json_is_integer(size) || json_integer_value(size) < 0)
		return error_set(err, EBADMSG, "a descriptor lacks its digest or its size");
	ret->size = json_integer_value(size);
	if (type && strlen(type) < sizeof(ret->media_type))
		memcpy(ret->media_type, type, strlen(type) + 1);
	return digest_parse(digest, ret->hex, err);
}

static int open_file(const struct layout *layout, const char *path, int64_t *ret_size, struct error *err)
{
	char clean[PATH_MAX];
	off_t size = 0;
	int rc = beneath_normalise(path, clean, err);

	if (rc < 0)
		return rc;
	int fd = beneath_open_file(layout->fd, clean, true, &size);
	if (fd < 0 && errno == EINVAL)
		return error_set(err, EBADMSG, "'%s' is not a regular file", text_shown(clean).text);
	*ret_size = size;
	return fd >= 0 ? fd : error_errno(err, "'%s'", text_shown(clean).text);
}

bool layout_has(const struct layout *layout, const char *path)
{
	_cleanup_close_ int fd = beneath_open_file(layout->fd, path, true, NULL);

	return fd >= 0;
}

static int check_size(const char *path, int64_t want, int64_t got, struct error *err)
{
	if (want < 0 || want == got)
		return 0;
	return error_set(err, EBADMSG, "'%s' has %lld bytes, its descriptor says %lld", text_shown(path).text, (long long)got,
			 (long long)want);
}

static int check_digest(const char *path, const char *want, struct digest *digest, struct error *err)
{
	char got[IMAGE_DIGEST_HEX + 1];

	digest_hex(digest, got);
	if (!want || strcmp(want, got) == 0)
		return 0;
	error_set(err, EBADMSG, "'%s' does not match its digest: it is sha256:%.12s..., expected sha256:%.12s...", text_shown(path).text,
		  got, want);
	return error_hint(err, "the file is damaged or was changed; fetch it again");
}

static ssize_t read_some(int fd, void *buffer, size_t size)
{
	ssize_t got;

	do
		got = read(fd, buffer, size);
	while (got < 0 && errno == EINTR);
	return got;
}

int layout_json(const struct layout *layout, const char *path, const char *hex, int64_t size, json_t **ret, struct error *err)
{
	int64_t file_size, used = 0;
	struct digest digest;
	_cleanup_close_ int fd = open_file(layout, path, &file_size, err);

	if (fd < 0)
		return fd;
	if (file_size > JSON_DOCUMENT_MAX)
		return error_set(err, EFBIG, "'%s' is larger than %d MiB", text_shown(path).text, JSON_DOCUMENT_MAX >> 20);
	int rc = check_size(path, size, file_size, err);
	if (rc < 0)
		return rc;
	_cleanup_free_ char *text = malloc((size_t)file_size + 1);
	if (!text)
		return error_set(err, ENOMEM, "out of memory");
	for (ssize_t got = 1; got > 0 && used < file_size; used += got) {
		got = read_some(fd, text + used, (size_t)(file_size - used));
		if (got < 0)
			return error_errno(err, "read '%s'", text_shown(path).text);
	}
	digest_init(&digest);
	digest_update(&digest, text, (size_t)used);
	rc = check_digest(path, hex, &digest, err);
	if (rc < 0)
		return rc;
	*ret = json_parse(text, (size_t)used, text_shown(path).text, err);
	return *ret ? 0 : -EBADMSG;
}

static int write_all(int fd, const char *data, ssize_t size)
{
	while (size > 0) {
		ssize_t put = write(fd, data, (size_t)size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		data += put;
		size -= put;
	}
	return 0;
}

/* Hashes `in`, and copies it to `out` unless that is -1; not a byte more than `size`. */
static int pass(const struct layout *layout, const char *path, int in, int out, int64_t size, struct digest *digest, struct error *err)
{
	_cleanup_free_ char *block = malloc(COPY_BLOCK);
	int rc = 0;

	if (!block)
		return error_set(err, ENOMEM, "out of memory");
	digest_init(digest);
	while (rc == 0) {
		ssize_t got = read_some(in, block, COPY_BLOCK);

		if (got < 0)
			return error_errno(err, "read '%s'", text_shown(path).text);
		if (got == 0)
			return check_size(path, size, digest->bytes, err);
		digest_update(digest, block, (size_t)got);
		if (digest->bytes > size)
			return error_set(err, EBADMSG, "'%s' grows while it is read", text_shown(path).text);
		if (out >= 0 && write_all(out, block, got) < 0)
			return error_errno(err, "copy '%s'", text_shown(path).text);
		rc = layer_check_cancelled(layout->cancelled, err);
	}
	return rc;
}

int layout_nameless_file(int folder_fd, struct error *err)
{
	int fd = openat(folder_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		fd = openat(folder_fd, "copy", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0)
			unlinkat(folder_fd, "copy", 0);
	}
	return fd >= 0 ? fd : error_errno(err, "make a temporary file in the store");
}

int layout_blob(const struct layout *layout, const char *path, const char *hex, int64_t size, int *ret_fd, struct error *err)
{
	int64_t file_size;
	struct digest digest;
	_cleanup_close_ int in = open_file(layout, path, &file_size, err);
	_cleanup_close_ int out = -1;

	if (in < 0)
		return in;
	int rc = check_size(path, size, file_size, err);
	if (rc < 0)
		return rc;
	if (!layout->is_private) {
		out = layout_nameless_file(layout->scratch_fd, err);
		if (out < 0)
			return out;
	}
	if (hex || out >= 0)
		rc = pass(layout, path, in, out, file_size, &digest, err);
	if (rc == 0 && hex)
		rc = check_digest(path, hex, &digest, err);
	if (rc < 0)
		return rc;
	*ret_fd = out >= 0 ? take_fd(&out) : take_fd(&in);
	return lseek(*ret_fd, 0, SEEK_SET) < 0 ? error_errno(err, "read '%s'", text_shown(path).text) : 0;
}
