#include "import.h"

#include "digest.h"
#include "platform.h"
#include "record.h"
#include "text.h"
#include "tree.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_BYTES_DEFAULT (INT64_C(64) << 30)
#define MAX_FILES_DEFAULT UINT64_C(2000000)

static void report(void *arg, int64_t bytes)
{
	const struct import *import = arg;

	if (import->options->progress)
		import->options->progress(import->options->progress_arg, import->what, bytes, import->total);
}

static struct layer_options layer_options(const struct import *import)
{
	const struct image_import_options *options = import->options;

	return (struct layer_options){
		.privileged = import->privileged,
		.max_bytes = options->max_bytes > 0 ? options->max_bytes : MAX_BYTES_DEFAULT,
		.max_entries = options->max_files > 0 ? options->max_files : MAX_FILES_DEFAULT,
		.cancelled = options->cancelled,
	};
}

/* Makes <private folder>/<name>/ and opens it. */
static int make_folder(const struct import *import, const char *name, mode_t mode, struct error *err)
{
	if (mkdirat(import->folder_fd, name, 0700) < 0)
		return error_errno(err, "make a folder in the store");
	int fd = openat(import->folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, mode) < 0) {
		error_errno(err, "make a folder in the store");
		if (fd >= 0)
			close(fd);
		return err ? -err->code : -EIO;
	}
	return fd;
}

/* A layer in the making. */
struct making {
	struct import *import;
	struct layer layer;
	struct unpack_progress progress;
	int root_fd;
	char folder[PATH_MAX];
};

static void making_done(struct making *making)
{
	layer_done(&making->layer);
	if (making->root_fd >= 0)
		close(making->root_fd);
}

static int making_begin(struct making *making, struct import *import, const char *what, int64_t total, struct error *err)
{
	char name[64];
	struct layer_options options = layer_options(import);

	import->what = what;
	import->total = total;
	making->import = import;
	making->progress = (struct unpack_progress){report, import};
	making->root_fd = -1;
	layer_init(&making->layer, -1, &options);
	snprintf(name, sizeof(name), "layer-%zu", import->n_folders);
	int rc = path_format(making->folder, sizeof(making->folder), err, "%s/%s", import->folder, name);
	if (rc < 0)
		return rc;
	_cleanup_close_ int fd = make_folder(import, name, 0700, err);
	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "layer-%zu/root", import->n_folders++);
	making->root_fd = make_folder(import, name, 0755, err);
	making->layer.root_fd = making->root_fd;
	return making->root_fd < 0 ? making->root_fd : 0;
}

/* The layer is whole: it gets its mark, still in the private folder. */
static int making_end(struct making *making, const char *hex, struct error *err)
{
	struct import *import = making->import;
	struct layer_record record = {making->layer.bytes, making->layer.left_out};
	int rc = layer_finish(&making->layer, err);

	if (rc == 0)
		rc = layer_record_write(making->folder, &record, err);
	if (rc < 0)
		return rc;
	struct import_layer *layer = &import->layers[import->n_layers++];
	*layer = (struct import_layer){.held_fd = -1, .folder = import->n_folders - 1, .bytes = record.bytes, .left_out = record.left_out};
	memcpy(layer->hex, hex, sizeof(layer->hex));
	return 0;
}

/* An image of one layer is called by its digest, and tells its architecture by its programs. */
static int describe_root(struct import *import, int root_fd, uint64_t entries, const char *hex, struct error *err)
{
	struct image_config *config = &import->image.config;

	if (entries == 0)
		return error_set(err, ENODATA, "there are no files in it");
	memcpy(import->image.digest, hex, IMAGE_DIGEST_HEX + 1);
	snprintf(config->os, sizeof(config->os), "linux");
	platform_of_root(root_fd, config->architecture, sizeof(config->architecture));
	return image_check_platform(config->architecture, config->os, err);
}

int import_root_tar(struct import *import, int fd, int64_t size, struct error *err)
{
	_cleanup_(making_done) struct making making = {0};
	char hex[IMAGE_DIGEST_HEX + 1];
	int rc = making_begin(&making, import, "unpacking", size, err);

	if (rc == 0)
		rc = unpack_tar(fd, &making.layer, &making.progress, hex, err);
	if (rc == 0)
		rc = describe_root(import, making.root_fd, making.layer.entries, hex, err);
	return rc < 0 ? rc : making_end(&making, hex, err);
}

int import_root_folder(struct import *import, int fd, struct error *err)
{
	_cleanup_(making_done) struct making making = {0};
	char hex[IMAGE_DIGEST_HEX + 1];
	int rc = making_begin(&making, import, "copying", 0, err);

	if (rc == 0)
		rc = tree_copy(fd, import->store->fd, &making.layer, &making.progress, hex, err);
	/* the folder itself is one entry */
	if (rc == 0)
		rc = describe_root(import, making.root_fd, making.layer.entries - 1, hex, err);
	return rc < 0 ? rc : making_end(&making, hex, err);
}

int import_stage(struct import *import, int fd, int64_t size, int *ret_fd, struct error *err)
{
	struct layer_options options = layer_options(import);
	struct unpack_progress progress = {report, import};
	_cleanup_(layer_done) struct layer layer = {.parent_fd = -1};
	_cleanup_close_ int folder = make_folder(import, "archive", 0700, err);

	if (folder < 0)
		return folder;
	import->what = "reading the archive";
	import->total = size;
	options.plain = true;
	options.privileged = false;
	layer_init(&layer, folder, &options);
	int rc = unpack_tar(fd, &layer, &progress, NULL, err);
	if (rc == 0)
		*ret_fd = take_fd(&folder);
	return rc;
}

/* Does the store have it already? Then it is locked, so that nobody removes it meanwhile. */
static int take_known_layer(struct import *import, const char *hex, struct error *err)
{
	_cleanup_close_ int lock = store_lock(import->store, err);
	_cleanup_close_ int fd = -1;
	struct layer_record record;
	char folder[PATH_MAX];

	if (lock < 0)
		return lock;
	int rc = store_hold_layer(import->store, hex, &fd, err);
	if (rc <= 0)
		return rc;
	rc = path_format(folder, sizeof(folder), err, "%s/layers/%s", import->store->path, hex);
	if (rc == 0)
		rc = layer_record_read(folder, &record, err);
	if (rc < 0)
		return rc;
	struct import_layer *layer = &import->layers[import->n_layers++];
	*layer = (struct import_layer){.held_fd = take_fd(&fd), .bytes = record.bytes, .left_out = record.left_out};
	snprintf(layer->hex, sizeof(layer->hex), "%s", hex);
	return 1;
}

static int unpack_layer(struct import *import, const struct layout *layout, const struct manifest_layer *from, const char *what,
			struct error *err)
{
	_cleanup_(making_done) struct making making = {.root_fd = -1, .layer.parent_fd = -1};
	_cleanup_close_ int fd = -1;
	char diff_id[IMAGE_DIGEST_HEX + 1];
	struct stat st;
	int rc = layout_blob(layout, from->path, from->blob_hex[0] ? from->blob_hex : NULL, from->size, &fd, err);

	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return error_errno(err, "look at a layer");
	rc = making_begin(&making, import, what, st.st_size, err);
	if (rc == 0)
		rc = unpack_tar(fd, &making.layer, &making.progress, diff_id, err);
	if (rc == 0 && strcmp(diff_id, from->diff_id) != 0) {
		error_set(err, EBADMSG, "unpacked it is sha256:%.12s..., the configuration says sha256:%.12s...", diff_id, from->diff_id);
		rc = error_hint(err, "the file is damaged or was changed; fetch it again");
	}
	return rc < 0 ? rc : making_end(&making, diff_id, err);
}

/* A layer that comes again further up hides all of itself below: overlayfs takes each once. */
static bool comes_again(const struct manifest *manifest, size_t i)
{
	for (size_t j = i + 1; j < manifest->n_layers; j++)
		if (strcmp(manifest->layers[i].diff_id, manifest->layers[j].diff_id) == 0)
			return true;
	return false;
}

int import_layers(struct import *import, const struct layout *layout, const struct manifest *manifest, struct error *err)
{
	char what[48];
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < manifest->n_layers; i++) {
		if (comes_again(manifest, i))
			continue;
		snprintf(what, sizeof(what), "layer %zu of %zu", i + 1, manifest->n_layers);
		rc = take_known_layer(import, manifest->layers[i].diff_id, err);
		if (rc == 0)
			rc = unpack_layer(import, layout, &manifest->layers[i], what, err);
		if (rc < 0 && rc != -EINTR)
			error_prefix(err, "%s", what);
	}
	import->what = "";
	return rc < 0 ? rc : 0;
}
