/* Tars, in any compression that needs no outside program: looked into, and unpacked into a layer. */
#pragma once

#include "image.h"
#include "layer.h"

#include <bench/error.h>

#include <stdint.h>

/* Told how many bytes of the (compressed) file were read. */
struct unpack_progress {
	void (*report)(void *arg, int64_t bytes);
	void *arg;
};

/* Unpacks the tar at the descriptor (from its current place to its end). `ret_diff_id`: SHA-256 of the uncompressed tar, to its last byte;
 * may be NULL. Does not call layer_finish(). */
int unpack_tar(int fd, struct layer *layer, const struct unpack_progress *progress, char *ret_diff_id, struct error *err);

enum unpack_kind {
	UNPACK_ROOT,   /* a root file system */
	UNPACK_IMAGES, /* an archive that has images in it: an OCI layout, or what `docker save` writes */
};

/* Reads as much of a tar as it takes to know. */
int unpack_sniff(int fd, enum unpack_kind *ret, struct error *err);
