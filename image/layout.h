/* The files of an OCI layout or of a docker archive: a folder of someone else, or our own private copy of a tar. Nothing of a blob is used before
 * its digest and size were found to be right. */
#pragma once

#include "image.h"

#include <bench/error.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct layout {
	int fd;          /* the folder; borrowed */
	bool is_private; /* only we can write to it: verified in place, otherwise copied first */
	int scratch_fd;  /* folder for copies; borrowed */
	const bool *cancelled;
};

/* What a descriptor of OCI says: {"mediaType", "digest", "size"}. */
struct descriptor {
	char hex[IMAGE_DIGEST_HEX + 1];
	int64_t size;
	char media_type[96];
};

int descriptor_read(const json_t *object, struct descriptor *ret, struct error *err);

bool layout_has(const struct layout *layout, const char *path);

/* A JSON document by its path. `hex`: the digest that it must have, or NULL; `size`: the size that it must have, or -1. The caller's reference. */
int layout_json(const struct layout *layout, const char *path, const char *hex, int64_t size, json_t **ret, struct error *err);

/* Opens a file whose bytes nobody else can change any more. `hex` and `size` as above; without a digest whoever reads it must check it.
 * Symbolic links inside the layout are followed. */
int layout_blob(const struct layout *layout, const char *path, const char *hex, int64_t size, int *ret_fd, struct error *err);

/* Makes a file without a name in a folder: nobody else can open it, and it is gone with its last descriptor. The descriptor, or -errno. */
int layout_nameless_file(int folder_fd, struct error *err);
