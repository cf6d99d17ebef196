/* Owner, mode, times and extended attributes of an entry, by descriptor. Internal to layer.c. */
#pragma once

#include "layer.h"

/* Of an open regular file, or the owner and attributes of a folder. */
int layer_set_owner(struct layer *layer, int fd, const struct layer_entry *entry, struct error *err);
int layer_set_xattrs(struct layer *layer, int fd, const struct layer_entry *entry, struct error *err);

/* Of a link, a device or a FIFO, never followed: owner, times and (but of links) mode. */
int layer_set_at(struct layer *layer, int parent_fd, const char *name, const struct layer_entry *entry, struct error *err);

/* The permissions that an entry gets here. */
mode_t layer_mode(struct layer *layer, const struct layer_entry *entry);

void layer_times(struct timespec mtime, struct timespec ret[2]);
