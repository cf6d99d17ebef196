/* One image of an archive: which layers, and what it says about itself. Read from an OCI layout (oci.c) or a docker archive (docker.c). */
#pragma once

#include "image.h"
#include "layout.h"

#include <bench/error.h>

#include <limits.h>

struct manifest_layer {
	char *path;                          /* inside the layout */
	char blob_hex[IMAGE_DIGEST_HEX + 1]; /* of the file as it is; empty: the archive does not say */
	int64_t size;                        /* of the file as it is; -1: the archive does not say */
	char diff_id[IMAGE_DIGEST_HEX + 1];  /* of the uncompressed tar */
};

struct manifest {
	char *name;                        /* as the archive calls it; NULL: it does not */
	char digest[IMAGE_DIGEST_HEX + 1]; /* of the configuration */
	struct image_config config;
	struct manifest_layer *layers; /* bottom first */
	size_t n_layers;
};

/* Chooses by tag (NULL: the only image, or the only one for this host) and reads. Release with manifest_done() in any case. */
int oci_manifest(const struct layout *layout, const char *tag, struct manifest *ret, struct error *err);
int docker_manifest(const struct layout *layout, const char *tag, struct manifest *ret, struct error *err);

/* Reads the configuration, checks the platform and fills in config, digest and the diff_ids of `n_layers` layers that the manifest lists. */
int manifest_read_config(const struct layout *layout, const char *path, const char *hex, int64_t size, struct manifest *manifest,
			 struct error *err);

/* Makes room for `n` layers, at most IMAGE_LAYERS_MAX. */
int manifest_make_layers(struct manifest *manifest, size_t n, struct error *err);

/* Is `wish` the reference `name`, or its tag, or its name without registry and tag? "1.36" and "busybox:1.36" are "docker.io/library/busybox:1.36". */
bool manifest_name_matches(const char *name, const char *wish);

void manifest_done(struct manifest *manifest);
