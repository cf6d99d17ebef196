/* What the store writes down: images/<name>.json for an image, layer.json in the folder of a finished layer. */
#pragma once

#include "image.h"
#include "layer.h"

#include <bench/error.h>

#include <limits.h>

/* Is it a name for an image? Letters, digits and ". _ - : / @ +", beginning with a letter or digit; no empty part. */
int record_check_name(const char *name, struct error *err);

/* Path of an image's record: the "/" of a name becomes "=", which no name has. */
int record_path(const char *store, const char *name, char ret[PATH_MAX], struct error *err);

/* Reads images/<file>; the folders of its layers are absolute. -ENOENT: no such record. */
int record_read(const char *store, const char *name, struct image *ret, struct error *err);

/* The name that the file <file> of images/ stands for; false: it is no record. */
bool record_name(const char *file, char ret[IMAGE_NAME_MAX]);

/* Writes it, atomically and durably. `layer_hex`: as many as image->n_layers. */
int record_write(const char *store, const struct image *image, const char (*layer_hex)[IMAGE_DIGEST_HEX + 1], struct error *err);

/* The mark of a finished layer, with its size and what was left out of it. */
struct layer_record {
	int64_t bytes;
	struct layer_left_out left_out;
};

int layer_record_write(const char *folder, const struct layer_record *record, struct error *err);
int layer_record_read(const char *folder, struct layer_record *ret, struct error *err);
