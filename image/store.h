/* The folder of a store and its locks. Internal to image/.
 *
 *   <store>/lock                    held for the short moments in which something appears or disappears
 *   <store>/images/<name>.json      an image; a shared lock on it: in use
 *   <store>/layers/<sha256>/        a finished layer: root/ and layer.json; a shared lock on it: an import counts on it
 *   <store>/tmp/<random>/           an import that goes on; an exclusive lock on it: it lives */
#pragma once

#include "image.h"

#include <bench/error.h>

#include <limits.h>

enum { STORE_PATH_MAX = PATH_MAX - 512 };

struct image_store {
	int fd;
	char path[STORE_PATH_MAX];
};

/* The lock of the whole store: close the descriptor to let go. */
int store_lock(const struct image_store *store, struct error *err);

/* Removes what dead imports left and layers that no image has. Under the store's lock. */
int store_sweep(const struct image_store *store, struct error *err);

/* A finished layer, with a shared lock: 1 and the descriptor; 0: there is none. Under the store's lock. */
int store_hold_layer(const struct image_store *store, const char *hex, int *ret_fd, struct error *err);

/* -EBUSY while somebody uses the image; 0 also where there is none. Under the store's lock. */
int store_check_unused(const struct image_store *store, const char *name, struct error *err);
