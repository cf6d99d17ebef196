/* Images: what a container runs. Imported once into a store, checked then, read-only from there on.
 *
 * Sources: a folder, a root file system in a tar (any compression that libarchive reads), an OCI image layout (folder or tar), an archive of
 * `docker save`. Layers are verified by their digests before anything of them is used, unpacked each into a folder of its own in the form that
 * overlayfs expects (whiteouts as 0/0 character devices, opaque folders by an extended attribute), and shared between images by digest.
 *
 * The store is a folder: layers/<sha256>/ (with root/ and the mark of a finished layer), images/<name>.json. What is half-made has a
 * temporary name and is removed by the next import. A store of root lies in /var/lib/bench/images, another user's in
 * $XDG_DATA_HOME/bench/images. Knows nothing of containers or guests. Prints nothing. */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { IMAGE_LAYERS_MAX = 128, IMAGE_NAME_MAX = 128, IMAGE_DIGEST_HEX = 64 };

/* What an image says about the program in it. Heap strings; NULL or empty lists where it says nothing. */
struct image_config {
	char architecture[16]; /* in the words of OCI: amd64, arm64, …; empty where a plain tar or folder says nothing */
	char os[16];           /* "linux" */
	char **entrypoint, **command, **environment; /* NULL-terminated */
	char *working_dir;
	char *user; /* "name", "uid", "uid:gid" … */
};

struct image {
	char name[IMAGE_NAME_MAX];         /* as the person calls it: "debian", "alpine:3.20" */
	char digest[IMAGE_DIGEST_HEX + 1]; /* of its configuration, or of the only layer: two imports of the same bytes have the same */
	char imported_at[40];              /* ISO 8601, UTC */
	int64_t bytes;                     /* of all layers, unpacked */
	struct image_config config;
	char **notes;  /* what was left out or changed at the import, and why; NULL-terminated, NULL: nothing */
	char **layers; /* absolute folders, bottom first; none comes twice */
	size_t n_layers;
};

struct image_store;

/* Opens (and makes) a store. NULL: the caller's own (see above; BENCH_IMAGE_DIR overrides). */
int image_store_open(const char *dir, struct image_store **ret, struct error *err);
void image_store_close(struct image_store *store);

struct image_import_options {
	const char *source; /* path of a folder, tar, OCI layout or docker archive; "-": a tar on standard input */
	const char *name;   /* NULL: from the source's own tag, or its file name */
	const char *tag;    /* which of several images of one archive; NULL: the only one, or that for this architecture of an index */
	bool replace;       /* an image of that name gives way; otherwise -EEXIST */
	void (*progress)(void *arg, const char *what, int64_t done_bytes, int64_t total_bytes); /* total 0: unknown; may be NULL */
	void *progress_arg;
	const bool *cancelled; /* looked at between files and blocks; -EINTR; may be NULL */
	int64_t max_bytes;     /* of all unpacked files of a layer, as their sizes say; 0: 64 GiB */
	uint64_t max_files;    /* entries of a layer; 0: two million */
};

/* Imports. Refuses: another OS or architecture than this host's kernel (-ENOEXEC, with the remedy: `vm` can emulate it), digests that do not
 * match, entries that would leave the layer ("..", absolute links that are followed, device nodes where not permitted become plain notes),
 * manifests that are not what they say. On failure the store is as before. */
int image_import(struct image_store *store, const struct image_import_options *options, struct image *ret, struct error *err);

/* `name`, or `name` with ":latest" where that alone exists. -ENOENT with the names that exist, where there is none. */
int image_find(struct image_store *store, const char *name, struct image *ret, struct error *err);

/* All, sorted by name. `ret` is heap, each to be released by image_done(), then free(). */
int image_list(struct image_store *store, struct image **ret, size_t *ret_count, struct error *err);

/* Removes the name, and the layers that no other image uses. -EBUSY while a container uses it (image_hold). */
int image_remove(struct image_store *store, const char *name, struct error *err);

/* A lock that keeps an image from being removed or replaced while it is used: close the descriptor to let go. Hold first, then image_find(): what was
 * found before may be gone. The descriptor is close-on-exec: the process that answers for the container keeps it. */
int image_hold(struct image_store *store, const char *name, int *ret_fd, struct error *err);

void image_done(struct image *image);

/* Resolves image->config.user in the image's own /etc/passwd and /etc/group (opened inside the layers, never outside). */
int image_user(const struct image *image, const char *user, uint32_t *ret_uid, uint32_t *ret_gid, struct error *err);

/* Checks an architecture and OS in OCI words against this host; 0, or -ENOEXEC with "what, why, what to do". */
int image_check_platform(const char *architecture, const char *os, struct error *err);
