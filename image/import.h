/* An import that goes on: its private folder in the store, the layers it has so far. Internal to image/: import.c leads, import_layers.c unpacks,
 * import_publish.c makes the result seen. */
#pragma once

#include "image.h"
#include "layer.h"
#include "layout.h"
#include "manifest.h"
#include "store.h"
#include "unpack.h"

#include <bench/error.h>

struct import_layer {
	char hex[IMAGE_DIGEST_HEX + 1];
	int held_fd;   /* of a layer that the store has already; -1: ours */
	size_t folder; /* of ours: <temporary folder>/layer-<n> */
	int64_t bytes;
	struct layer_left_out left_out;
};

struct import {
	struct image_store *store;
	const struct image_import_options *options;
	char folder[PATH_MAX - 64]; /* private */
	int folder_fd;              /* holds the lock that says: alive */
	bool privileged;
	struct image image; /* name, digest, config, as they become known */
	struct import_layer layers[IMAGE_LAYERS_MAX];
	size_t n_layers, n_folders;
	const char *what; /* for the progress */
	int64_t total;
};

/* Makes the private folder, after removing what dead imports left. */
int import_begin(struct import *import, struct error *err);

/* The only layer of an image: a tar or a folder. `fd` is at its beginning. */
int import_root_tar(struct import *import, int fd, int64_t size, struct error *err);
int import_root_folder(struct import *import, int fd, struct error *err);

/* Unpacks a tar that has images in it, as it is, into <private folder>/archive. */
int import_stage(struct import *import, int fd, int64_t size, int *ret_fd, struct error *err);

/* Takes all layers of a manifest, verified. */
int import_layers(struct import *import, const struct layout *layout, const struct manifest *manifest, struct error *err);

/* -EEXIST, or -EBUSY: the name is taken. */
int import_check_name(const struct import *import, struct error *err);

/* Layers and record get their names: from here on the image is there. */
int import_publish(struct import *import, struct error *err);

/* Removes what is private. Idempotent. */
void import_end(struct import *import);
