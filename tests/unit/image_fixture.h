/* Tars, OCI layouts and docker archives, built in memory and in a scratch folder as a test needs them. */
#pragma once

#include "scratch.h"

#include <image/digest.h>
#include <image/image.h>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* tables of entries: what is not said is 0 */

enum { TAR_MAX = 1 << 20, TAR_ENTRIES_MAX = 12 };

/* One entry; a NULL path ends a list. `text`: bytes of a file, target of a link. */
struct tar_entry {
	const char *path;
	mode_t mode; /* with its type; 0: hard link to `text` */
	const char *text;
	const char *xattr; /* name; its value is "y" */
};

struct blob {
	char *data;
	size_t size;
	char hex[IMAGE_DIGEST_HEX + 1];
};

static inline void blob_hash(struct blob *blob)
{
	struct digest digest;

	digest_init(&digest);
	digest_update(&digest, blob->data, blob->size);
	digest_hex(&digest, blob->hex);
}

static inline struct blob blob_text(const char *text)
{
	struct blob blob = {strdup(text), strlen(text), ""};

	blob_hash(&blob);
	return blob;
}

static inline void tar_put(struct archive *a, const struct tar_entry *from)
{
	struct archive_entry *entry = archive_entry_new();
	size_t length = from->text && S_ISREG(from->mode) ? strlen(from->text) : 0;

	archive_entry_set_pathname(entry, from->path);
	archive_entry_set_mode(entry, from->mode ? from->mode : S_IFREG | 0644);
	archive_entry_set_mtime(entry, 1000000000, 0);
	archive_entry_set_uid(entry, 7);
	archive_entry_set_gid(entry, 8);
	archive_entry_set_size(entry, (int64_t)length);
	if (!from->mode)
		archive_entry_set_hardlink(entry, from->text);
	if (S_ISLNK(from->mode))
		archive_entry_set_symlink(entry, from->text);
	if (S_ISCHR(from->mode))
		archive_entry_set_rdev(entry, makedev(1, 3));
	if (from->xattr)
		archive_entry_xattr_add_entry(entry, from->xattr, "y", 1);
	cr_assert_eq(archive_write_header(a, entry), ARCHIVE_OK, "%s", archive_error_string(a));
	if (length)
		cr_assert_eq(archive_write_data(a, from->text, length), (la_ssize_t)length);
	archive_entry_free(entry);
}

/* `filter`: ARCHIVE_FILTER_NONE, _GZIP, _ZSTD, … */
static inline struct blob tar_make(const struct tar_entry *entries, int filter)
{
	struct blob blob = {malloc(TAR_MAX), 0, ""};
	struct archive *a = archive_write_new();

	archive_write_set_format_pax_restricted(a);
	cr_assert_eq(archive_write_add_filter(a, filter), ARCHIVE_OK);
	archive_write_set_bytes_in_last_block(a, 1);
	cr_assert_eq(archive_write_set_options(a, "xattrheader=SCHILY"), ARCHIVE_OK); /* not each twice */
	cr_assert_eq(archive_write_open_memory(a, blob.data, TAR_MAX, &blob.size), ARCHIVE_OK);
	for (size_t i = 0; entries[i].path; i++)
		tar_put(a, &entries[i]);
	cr_assert_eq(archive_write_close(a), ARCHIVE_OK, "%s", archive_error_string(a));
	archive_write_free(a);
	blob_hash(&blob);
	return blob;
}

static inline int blob_fd(const struct blob *blob)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, blob->data, blob->size), (ssize_t)blob->size);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static inline void blob_write(const struct scratch *scratch, const char *name, const struct blob *blob)
{
	cr_assert_eq(file_write_atomic(scratch_path(scratch, name), blob->data, blob->size, 0644, NULL), 0);
}

/* blobs/sha256/<hex> of a layout. */
static inline void layout_put(const struct scratch *scratch, const char *layout, const struct blob *blob)
{
	char name[160];

	snprintf(name, sizeof(name), "%s/blobs/sha256/%s", layout, blob->hex);
	blob_write(scratch, name, blob);
}

/* A layout with one image of one layer. `what` may change each document before its digest is taken. */
struct layout_wish {
	const char *architecture, *os;
	const char *tag;
	const struct blob *layer;
	const char *media_type;
	const char *diff_id; /* NULL: `layer` is not compressed */
	const char *config_extra;
	int64_t layer_size_error;
};

static inline void layout_make(const struct scratch *scratch, const char *name, const struct layout_wish *wish)
{
	char path[128], text[2048];

	snprintf(path, sizeof(path), "%s/blobs/sha256", name);
	cr_assert_eq(dir_make(scratch_path(scratch, path), 0755, NULL), 0);
	layout_put(scratch, name, wish->layer);
	snprintf(text, sizeof(text),
		 "{\"architecture\":\"%s\",\"os\":\"%s\",\"config\":{%s},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"]}}",
		 wish->architecture, wish->os, wish->config_extra ? wish->config_extra : "",
		 wish->diff_id ? wish->diff_id : wish->layer->hex);
	struct blob config = blob_text(text);
	layout_put(scratch, name, &config);
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
		 "vnd.oci.image.config.v1+json\",\"digest\":\"sha256:%s\",\"size\":%zu},"
		 "\"layers\":[{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%lld}]}",
		 config.hex, config.size, wish->media_type ? wish->media_type : "application/vnd.oci.image.layer.v1.tar", wish->layer->hex,
		 (long long)((int64_t)wish->layer->size + wish->layer_size_error));
	struct blob manifest = blob_text(text);
	layout_put(scratch, name, &manifest);
	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/"
		 "vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\","
		 "\"size\":%zu,\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}}]}",
		 manifest.hex, manifest.size, wish->tag ? wish->tag : "latest");
	snprintf(path, sizeof(path), "%s/index.json", name);
	scratch_write(scratch, path, text);
	snprintf(path, sizeof(path), "%s/oci-layout", name);
	scratch_write(scratch, path, "{\"imageLayoutVersion\":\"1.0.0\"}");
	free(config.data);
	free(manifest.data);
}

static inline const char *own_architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
	return "";
#endif
}

static inline struct image_store *store_make(const struct scratch *scratch)
{
	struct image_store *store = NULL;
	struct error err = {0};

	cr_assert_eq(image_store_open(scratch_path(scratch, "store"), &store, &err), 0, "%s", err.message);
	return store;
}

static inline int import_source(struct image_store *store, const struct scratch *scratch, const char *source, const char *name,
				struct image *ret, struct error *err)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", scratch_path(scratch, source));
	struct image_import_options options = {.source = path, .name = name};
	return image_import(store, &options, ret, err);
}

/* Number of entries of a folder of the store. */
static inline int store_count(const struct scratch *scratch, const char *folder)
{
	char name[64];
	int n = 0;

	snprintf(name, sizeof(name), "store/%s", folder);
	DIR *dir = opendir(scratch_path(scratch, name));
	cr_assert(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}
