#include "import.h"

#include "record.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

enum { NOTES_MAX = 8 };

/* Can we give files to others? Root of a user namespace with one id cannot. */
static bool can_give_away(int folder_fd)
{
	if (geteuid() != 0)
		return false;
	_cleanup_close_ int fd = layout_nameless_file(folder_fd, NULL);
	return fd >= 0 && fchown(fd, 1, 1) == 0;
}

int import_begin(struct import *import, struct error *err)
{
	_cleanup_close_ int lock = store_lock(import->store, err);
	char folder[sizeof(import->folder)];
	int rc = lock < 0 ? lock : store_sweep(import->store, err);

	if (rc == 0)
		rc = path_format(folder, sizeof(folder), err, "%s/tmp/XXXXXX", import->store->path);
	if (rc < 0)
		return rc;
	if (!mkdtemp(folder))
		return error_errno(err, "make a folder in %s/tmp", import->store->path);
	memcpy(import->folder, folder, sizeof(folder));
	import->folder_fd = open(import->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Nobody else has it yet, and the store's lock is ours: it cannot block. */
	if (import->folder_fd < 0 || flock(import->folder_fd, LOCK_EX | LOCK_NB) < 0)
		return error_errno(err, "lock %s", import->folder);
	import->privileged = can_give_away(import->folder_fd);
	return 0;
}

void import_end(struct import *import)
{
	for (size_t i = 0; i < import->n_layers; i++)
		if (import->layers[i].held_fd >= 0)
			close(import->layers[i].held_fd);
	import->n_layers = 0;
	if (import->folder[0])
		dir_remove(import->folder, NULL);
	import->folder[0] = '\0';
	if (import->folder_fd >= 0)
		close(import->folder_fd);
	import->folder_fd = -1;
	image_done(&import->image);
}

int import_check_name(const struct import *import, struct error *err)
{
	char path[PATH_MAX];
	int rc = record_path(import->store->path, import->image.name, path, err);

	if (rc < 0)
		return rc;
	if (import->options->replace)
		return store_check_unused(import->store, import->image.name, err);
	if (!path_exists(path))
		return 0;
	error_set(err, EEXIST, "there is an image '%s' already", import->image.name);
	return error_hint(err, "replace it with --replace, or give the new one another name with --name");
}

static int add_note(char **notes, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int add_note(char **notes, const char *format, ...)
{
	size_t n = 0;
	va_list args;

	while (notes[n])
		n++;
	va_start(args, format);
	int rc = vasprintf(&notes[n], format, args);
	va_end(args);
	if (rc < 0)
		notes[n] = NULL;
	return rc < 0 ? -ENOMEM : 0;
}

static struct layer_left_out sum_left_out(const struct import *import)
{
	struct layer_left_out sum = {0};

	for (size_t i = 0; i < import->n_layers; i++) {
		const struct layer_left_out *one = &import->layers[i].left_out;

		sum.devices += one->devices;
		sum.sockets += one->sockets;
		sum.attributes += one->attributes;
		sum.setuid_bits += one->setuid_bits;
		sum.mounts += one->mounts;
	}
	return sum;
}

static int make_notes(struct import *import)
{
	struct layer_left_out out = sum_left_out(import);
	char **notes = import->image.notes = calloc(NOTES_MAX, sizeof(*notes));
	int rc = notes ? 0 : -ENOMEM;

	if (rc == 0 && !import->privileged)
		rc = add_note(notes, "all files belong to you: only root can give files to others");
	if (rc == 0 && out.setuid_bits)
		rc = add_note(notes, "%" PRIu64 " files lost their setuid or setgid bits: only root keeps them", out.setuid_bits);
	if (rc == 0 && out.devices)
		rc = add_note(notes, "%" PRIu64 " device nodes were left out", out.devices);
	if (rc == 0 && out.sockets)
		rc = add_note(notes, "%" PRIu64 " sockets were left out", out.sockets);
	if (rc == 0 && out.attributes)
		rc = add_note(notes, "%" PRIu64 " extended attributes were left out", out.attributes);
	if (rc == 0 && out.mounts)
		rc = add_note(notes, "%" PRIu64 " other file systems mounted in the folder were left empty", out.mounts);
	return rc;
}

/* Gives the layers that are new their places. What another import put there meanwhile is the same. */
static int place_layers(const struct import *import, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX], mark[PATH_MAX];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < import->n_layers; i++) {
		const struct import_layer *layer = &import->layers[i];

		if (layer->held_fd >= 0)
			continue;
		rc = path_format(from, sizeof(from), err, "%s/layer-%zu", import->folder, layer->folder);
		if (rc == 0)
			rc = path_format(to, sizeof(to), err, "%s/layers/%s", import->store->path, layer->hex);
		if (rc == 0)
			rc = path_format(mark, sizeof(mark), err, "%s/layer.json", to);
		if (rc < 0 || path_exists(mark))
			continue;
		/* Without its mark it is what a power cut left. */
		rc = dir_remove(to, err);
		if (rc == 0 && rename(from, to) < 0)
			rc = error_errno(err, "rename %s to %s", from, to);
	}
	_cleanup_close_ int folder = openat(import->store->fd, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rc == 0 && (folder < 0 || fsync(folder) < 0))
		rc = error_errno(err, "sync %s/layers", import->store->path);
	return rc;
}

static int write_record(struct import *import, struct error *err)
{
	char hex[IMAGE_LAYERS_MAX][IMAGE_DIGEST_HEX + 1];
	struct image *image = &import->image;
	time_t now = time(NULL);
	struct tm utc;

	for (size_t i = 0; i < import->n_layers; i++) {
		memcpy(hex[i], import->layers[i].hex, sizeof(hex[i]));
		image->bytes += import->layers[i].bytes;
	}
	image->n_layers = import->n_layers;
	strftime(image->imported_at, sizeof(image->imported_at), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	int rc = make_notes(import) < 0 ? error_set(err, ENOMEM, "out of memory") : record_write(import->store->path, image, hex, err);
	image->n_layers = 0;
	return rc;
}

int import_publish(struct import *import, struct error *err)
{
	/* The files must be on disk before a name says that they are. One call for all: a layer has thousands. */
	if (syncfs(import->store->fd) < 0)
		return error_errno(err, "sync %s", import->store->path);
	_cleanup_close_ int lock = store_lock(import->store, err);
	int rc = lock < 0 ? lock : import_check_name(import, err);

	if (rc == 0)
		rc = place_layers(import, err);
	if (rc == 0)
		rc = write_record(import, err);
	/* Layers of a replaced image, or our own if the record could not be written. */
	if (lock >= 0)
		store_sweep(import->store, NULL);
	return rc;
}
