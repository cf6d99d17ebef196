#include "unpack.h"

#include "digest.h"
#include "text.h"

#include <bench/cleanup.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { READ_BLOCK = 256 << 10 };

/* What a tar of so many bytes may weigh beside them: headers and padding of its entries. */
#define TAR_OVERHEAD_MAX (INT64_C(4) << 30)

/* Two readers in a row: the first takes compression away, the second reads the tar. Between them the uncompressed bytes are counted and hashed,
 * which a single reader would not let us see. */
struct stream {
	int fd;
	char *block;
	int64_t read_bytes, plain_bytes, plain_max;
	const struct unpack_progress *progress;
	const bool *cancelled;
	struct archive *plain, *tar;
	struct digest digest;
	struct error err; /* of a callback, which can hand back a code alone */
};

static int archive_failed(struct stream *stream, struct archive *a, struct error *err)
{
	int code = archive_errno(a);
	const char *text = archive_error_string(a);

	if (stream->err.code) {
		if (err)
			*err = stream->err;
		return -stream->err.code;
	}
	return error_set(err, code == ENOMEM ? ENOMEM : EBADMSG, "not a sound tar: %s", text_shown(text ? text : "unreadable").text);
}

static la_ssize_t read_compressed(struct archive *a, void *arg, const void **ret)
{
	struct stream *stream = arg;
	ssize_t got;

	do {
		if (layer_check_cancelled(stream->cancelled, &stream->err) < 0)
			return -1;
		got = read(stream->fd, stream->block, READ_BLOCK);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		error_errno(&stream->err, "read");
		return -1;
	}
	stream->read_bytes += got;
	if (stream->progress)
		stream->progress->report(stream->progress->arg, stream->read_bytes);
	*ret = stream->block;
	return got;
}

static la_ssize_t read_plain(struct archive *a, void *arg, const void **ret)
{
	struct stream *stream = arg;
	size_t size;
	la_int64_t offset;
	int rc;

	do
		rc = archive_read_data_block(stream->plain, ret, &size, &offset);
	while (rc == ARCHIVE_OK && size == 0);
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc != ARCHIVE_OK) {
		archive_failed(stream, stream->plain, &stream->err);
		return -1;
	}
	stream->plain_bytes += (int64_t)size;
	if (stream->plain_bytes > stream->plain_max) {
		error_set(&stream->err, EFBIG, "its uncompressed size is beyond all bounds");
		return -1;
	}
	digest_update(&stream->digest, *ret, size);
	return (la_ssize_t)size;
}

/* No filter that would start another program (lrzip, grzip, …). */
static int open_plain(struct stream *stream)
{
	struct archive *a = stream->plain = archive_read_new();
	struct archive_entry *entry;

	if (!a)
		return ARCHIVE_FATAL;
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
	if (archive_read_open(a, stream, NULL, read_compressed, NULL) != ARCHIVE_OK)
		return ARCHIVE_FATAL;
	int rc = archive_read_next_header(a, &entry);
	return rc == ARCHIVE_EOF ? ARCHIVE_OK : rc;
}

static int stream_open(struct stream *stream, struct error *err)
{
	stream->block = malloc(READ_BLOCK);
	digest_init(&stream->digest);
	if (!stream->block)
		return error_set(err, ENOMEM, "out of memory");
	if (open_plain(stream) != ARCHIVE_OK)
		return archive_failed(stream, stream->plain, err);
	stream->tar = archive_read_new();
	if (!stream->tar)
		return error_set(err, ENOMEM, "out of memory");
	archive_read_support_format_tar(stream->tar);
	archive_read_support_format_empty(stream->tar);
	if (archive_read_open(stream->tar, stream, NULL, read_plain, NULL) != ARCHIVE_OK)
		return archive_failed(stream, stream->tar, err);
	return 0;
}

static void stream_close(struct stream *stream)
{
	if (stream->tar)
		archive_read_free(stream->tar);
	if (stream->plain)
		archive_read_free(stream->plain);
	free(stream->block);
}

/* 1 with the next entry, 0 at the end. */
static int next_entry(struct stream *stream, struct archive_entry **ret, struct error *err)
{
	int rc = archive_read_next_header(stream->tar, ret);

	if (rc == ARCHIVE_EOF)
		return 0;
	/* A warning is about an attribute or an owner's name, but a name that cannot be told is none. */
	if ((rc != ARCHIVE_OK && rc != ARCHIVE_WARN) || stream->err.code)
		return archive_failed(stream, stream->tar, err);
	if (!archive_entry_pathname(*ret))
		return error_set(err, EBADMSG, "not a sound tar: a file has no readable name");
	return 1;
}

static int next_block(void *arg, const void **ret, size_t *ret_size, int64_t *ret_offset, struct error *err)
{
	struct stream *stream = arg;
	la_int64_t offset = 0;
	int rc = archive_read_data_block(stream->tar, ret, ret_size, &offset);

	*ret_offset = offset;
	if (rc == ARCHIVE_EOF)
		return 0;
	return rc == ARCHIVE_OK ? 1 : archive_failed(stream, stream->tar, err);
}

static void take_xattrs(struct archive_entry *from, struct layer_entry *entry)
{
	const char *name;
	const void *value;
	size_t size;

	archive_entry_xattr_reset(from);
	while (entry->n_xattrs < LAYER_XATTRS_MAX && archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK)
		entry->xattrs[entry->n_xattrs++] = (struct layer_xattr){name, value, size};
}

/* The strings stay the archive's. */
static void take_entry(struct archive_entry *from, struct layer_entry *ret)
{
	const char *hardlink = archive_entry_hardlink(from);

	ret->path = archive_entry_pathname(from);
	ret->mode = (mode_t)(archive_entry_filetype(from) | archive_entry_perm(from));
	ret->uid = archive_entry_uid(from);
	ret->gid = archive_entry_gid(from);
	ret->size = archive_entry_size(from);
	ret->mtime = (struct timespec){archive_entry_mtime(from), archive_entry_mtime_nsec(from)};
	ret->link = hardlink ? hardlink : archive_entry_symlink(from);
	ret->is_hardlink = hardlink != NULL;
	ret->device = makedev(archive_entry_rdevmajor(from), archive_entry_rdevminor(from));
	ret->n_xattrs = 0;
	take_xattrs(from, ret);
}

/* Reads what comes behind the tar's end: it belongs to the digest. */
static int drain(struct stream *stream, struct error *err)
{
	const void *block;
	la_ssize_t got;

	do
		got = read_plain(stream->plain, stream, &block);
	while (got > 0);
	return got < 0 ? archive_failed(stream, stream->plain, err) : 0;
}

int unpack_tar(int fd, struct layer *layer, const struct unpack_progress *progress, char *ret_diff_id, struct error *err)
{
	_cleanup_(stream_close) struct stream stream = {.fd = fd,
							.progress = progress,
							.cancelled = layer->options.cancelled,
							.plain_max = layer->options.max_bytes + TAR_OVERHEAD_MAX};
	struct layer_data data = {next_block, &stream};
	struct layer_entry entry = {0};
	struct archive_entry *from;
	int rc = stream_open(&stream, err);

	while (rc == 0 && (rc = next_entry(&stream, &from, err)) > 0) {
		take_entry(from, &entry);
		rc = layer_add(layer, &entry, &data, err);
	}
	if (rc == 0)
		rc = drain(&stream, err);
	if (rc == 0 && ret_diff_id)
		digest_hex(&stream.digest, ret_diff_id);
	return rc;
}

/* Names that an archive of images has, and no root file system: a list of its own files, "blobs", and folders and files called by digests. */
static bool is_of_images(const char *name)
{
	static const char *const known[] = {"oci-layout", "index.json", "manifest.json", "repositories", "blobs", ""};
	char first[80];

	while (name[0] == '.' && name[1] == '/')
		name += 2;
	if (strcmp(name, ".") == 0)
		return true;
	size_t length = strcspn(name, "/");

	snprintf(first, sizeof(first), "%.*s", (int)length, name);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(first, known[i]) == 0)
			return true;
	return strncmp(first, "sha256:", 7) == 0 || strspn(first, "0123456789abcdef") >= 32;
}

static bool is_marker(const char *name)
{
	while (name[0] == '.' && name[1] == '/')
		name += 2;
	return strcmp(name, "oci-layout") == 0 || strcmp(name, "manifest.json") == 0;
}

int unpack_sniff(int fd, enum unpack_kind *ret, struct error *err)
{
	_cleanup_(stream_close) struct stream stream = {.fd = fd, .plain_max = INT64_MAX};
	struct archive_entry *from;
	int rc = stream_open(&stream, err);

	*ret = UNPACK_ROOT;
	while (rc == 0 && (rc = next_entry(&stream, &from, err)) > 0) {
		const char *name = archive_entry_pathname(from);

		if (!is_of_images(name))
			return 0;
		if (is_marker(name)) {
			*ret = UNPACK_IMAGES;
			return 0;
		}
		rc = 0;
	}
	return rc;
}
