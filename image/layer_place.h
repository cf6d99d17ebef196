/* Where an entry of a layer goes: its parent folder, what stands in its way, and whiteouts. Internal to layer.c. */
#pragma once

#include "layer.h"

#include <stdbool.h>

/* Opens the parent folder of a normalised path (made where it is missing); `ret_name` points into `path`. The descriptor is the layer's, until the
 * next call: it cannot be stale, since whatever is removed lies below the folder of the entry that replaces it. */
int layer_open_parent(struct layer *layer, const char *path, int *ret_fd, const char **ret_name, struct error *err);

/* The remembered parent may be gone. */
void layer_forget_parent(struct layer *layer);

/* Removes what stands at `name`, but a folder where a folder comes. */
int layer_clear_way(struct layer *layer, int parent_fd, const char *name, bool folder_comes, bool *ret_was_whiteout, struct error *err);

/* A name that begins with ".wh.": hides NAME of the layers below, or all of them. */
int layer_add_whiteout(struct layer *layer, int parent_fd, const char *name, struct error *err);

/* Makes a folder hide what the layers below have in it. */
int layer_make_opaque(const struct layer *layer, int folder_fd, struct error *err);

/* The form for file systems and kernels where nobody may make a 0/0 device. */
int layer_make_whiteout_file(int parent_fd, const char *name, struct error *err);
