/* What an image says about its program: from the configuration of OCI and Docker (the same document), and to and from the store's own record. */
#pragma once

#include "image.h"

#include <bench/error.h>

#include <jansson.h>

/* Reads "architecture", "os" and the members of "config". `document`: the configuration of an image. Release with config_done() in any case. */
int config_read(const json_t *document, struct image_config *ret, struct error *err);

/* The same members, in the same places. NULL: no memory. */
json_t *config_to_json(const struct image_config *config);

/* The digests of the layers when unpacked ("rootfs.diff_ids"): calls `each` with 64 hexadecimal digits. */
int config_diff_ids(const json_t *document, int (*each)(void *arg, size_t index, const char *hex, struct error *err), void *arg,
		    struct error *err);

void config_done(struct image_config *config);
