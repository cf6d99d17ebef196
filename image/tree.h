/* Copies a folder of the host into a layer. Links are copied, never followed; other file systems mounted in it are left empty. */
#pragma once

#include "image.h"
#include "layer.h"
#include "unpack.h"

#include <bench/error.h>

/* Copies all below `folder_fd`. `store_fd`: the folder that must not be inside it. `ret_digest`: SHA-256 over names, modes, owners, times and bytes in
 * sorted order: the same tree gives the same digest. Does not call layer_finish(). */
int tree_copy(int folder_fd, int store_fd, struct layer *layer, const struct unpack_progress *progress,
	      char ret_digest[IMAGE_DIGEST_HEX + 1], struct error *err);
