/* OCI image layout: index.json, nested indexes (one manifest a platform), manifest, configuration. */
#include "manifest.h"

#include "json.h"
#include "text.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NESTED_MAX = 4, NAMES_SHOWN_MAX = 200 };

#define REF_NAME        "org.opencontainers.image.ref.name"
#define CONTAINERD_NAME "io.containerd.image.name"

static bool is_index(const char *media_type)
{
	return strcmp(media_type, "application/vnd.oci.image.index.v1+json") == 0 ||
	       strcmp(media_type, "application/vnd.docker.distribution.manifest.list.v2+json") == 0;
}

static bool is_manifest(const char *media_type)
{
	return strcmp(media_type, "application/vnd.oci.image.manifest.v1+json") == 0 ||
	       strcmp(media_type, "application/vnd.docker.distribution.manifest.v2+json") == 0;
}

static bool is_layer(const char *media_type)
{
	static const char *const known[] = {
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(media_type, known[i]) == 0)
			return true;
	return false;
}

/* "docker.io/library/busybox:1.36" where containerd wrote it, else what OCI has: a reference or a tag alone. */
static const char *name_of(const json_t *entry)
{
	const json_t *annotations = json_object_get(entry, "annotations");
	const char *name = json_text(annotations, CONTAINERD_NAME);

	return name ? name : json_text(annotations, REF_NAME);
}

static bool is_wished(const json_t *entry, const char *tag)
{
	const char *name = name_of(entry), *ref = json_text(json_object_get(entry, "annotations"), REF_NAME);

	return !tag || (name && manifest_name_matches(name, tag)) || (ref && manifest_name_matches(ref, tag));
}

/* Signatures and provenance stand beside images, as manifests of no platform. */
static bool is_attestation(const json_t *entry)
{
	const char *type = json_text(json_object_get(entry, "annotations"), "vnd.docker.reference.type");
	const char *os = json_text(json_object_get(entry, "platform"), "os");

	return type || (os && strcmp(os, "unknown") == 0);
}

static int check_platform(const json_t *entry, struct error *err)
{
	const json_t *platform = json_object_get(entry, "platform");
	const char *architecture = json_text(platform, "architecture"), *os = json_text(platform, "os");

	if (!platform)
		return 0;
	return image_check_platform(architecture ? architecture : "", os ? os : "", err);
}

/* What was found in one index. */
struct choice {
	const json_t *entry;
	size_t fitting;
	char names[NAMES_SHOWN_MAX];
	struct error foreign; /* of an image for another platform */
};

static void list_name(struct choice *choice, const json_t *entry)
{
	const char *name = name_of(entry);
	size_t used = strlen(choice->names);

	if (name)
		snprintf(choice->names + used, sizeof(choice->names) - used, "%s%s", used ? ", " : "", text_shown(name).text);
}

static void consider(struct choice *choice, const json_t *entry, const char *tag)
{
	struct error err = {0};

	if (is_attestation(entry))
		return;
	list_name(choice, entry);
	if (!is_wished(entry, tag))
		return;
	if (check_platform(entry, &err) < 0) {
		if (!choice->foreign.code)
			choice->foreign = err;
		return;
	}
	/* The same manifest under a second name is no second image. */
	const char *digest = json_text(entry, "digest"), *before = json_text(choice->entry, "digest");
	if (choice->entry && digest && before && strcmp(digest, before) == 0)
		return;
	choice->entry = choice->fitting ? choice->entry : entry;
	choice->fitting++;
}

static int choose(const json_t *index, const char *tag, const json_t **ret, struct error *err)
{
	const json_t *list = json_object_get(index, "manifests"), *entry;
	struct choice choice = {0};
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > JSON_LIST_MAX)
		return error_set(err, EBADMSG, "an index lists no manifests, or more than %d", JSON_LIST_MAX);
	json_array_foreach(list, i, entry) consider(&choice, entry, tag);
	*ret = choice.entry;
	if (choice.fitting == 1)
		return 0;
	if (choice.fitting > 1) {
		error_set(err, ENOTUNIQ, "there are several images in it: %s", choice.names[0] ? choice.names : "without names");
		return error_hint(err, "choose one with --tag");
	}
	if (choice.foreign.code) {
		if (err)
			*err = choice.foreign;
		return -choice.foreign.code;
	}
	if (!tag || !choice.names[0])
		return error_set(err, ENOENT, "there is no image%s%s in it", tag ? " called " : "", tag ? text_shown(tag).text : "");
	return error_set(err, ENOENT, "there is no image '%s' in it, but: %s", text_shown(tag).text, choice.names);
}

static int blob_path(const struct descriptor *descriptor, char ret[96])
{
	return snprintf(ret, 96, "blobs/sha256/%s", descriptor->hex);
}

static int take_layer(const json_t *object, struct manifest_layer *layer, struct error *err)
{
	struct descriptor descriptor;
	char path[96];
	int rc = descriptor_read(object, &descriptor, err);

	if (rc < 0)
		return rc;
	if (!is_layer(descriptor.media_type)) {
		error_set(err, EPROTONOSUPPORT, "a layer has the unknown type '%s'", text_shown(descriptor.media_type).text);
		return error_hint(err, "layers are tars, plain or compressed with gzip or zstd");
	}
	blob_path(&descriptor, path);
	layer->path = strdup(path);
	layer->size = descriptor.size;
	memcpy(layer->blob_hex, descriptor.hex, sizeof(layer->blob_hex));
	return layer->path ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int read_manifest(const struct layout *layout, const json_t *document, struct manifest *ret, struct error *err)
{
	const json_t *list = json_object_get(document, "layers");
	struct descriptor config;
	char path[96];
	int rc = descriptor_read(json_object_get(document, "config"), &config, err);

	if (rc == 0)
		rc = manifest_make_layers(ret, json_array_size(list), err);
	for (size_t i = 0; rc == 0 && i < ret->n_layers; i++)
		rc = take_layer(json_array_get(list, i), &ret->layers[i], err);
	if (rc < 0)
		return error_prefix(err, "manifest");
	blob_path(&config, path);
	return manifest_read_config(layout, path, config.hex, config.size, ret, err);
}

/* Follows a descriptor down to a manifest, through nested indexes. */
static int descend(const struct layout *layout, const json_t *entry, int depth, struct manifest *ret, struct error *err)
{
	_cleanup_json_ json_t *document = NULL;
	struct descriptor descriptor;
	char path[96];
	int rc = descriptor_read(entry, &descriptor, err);

	if (rc < 0)
		return rc;
	if (depth > NESTED_MAX)
		return error_set(err, EBADMSG, "indexes are nested more than %d deep", NESTED_MAX);
	blob_path(&descriptor, path);
	rc = layout_json(layout, path, descriptor.hex, descriptor.size, &document, err);
	if (rc < 0)
		return rc;
	if (is_manifest(descriptor.media_type))
		return read_manifest(layout, document, ret, err);
	if (!is_index(descriptor.media_type))
		return error_set(err, EPROTONOSUPPORT, "'%s' is no type of an image", text_shown(descriptor.media_type).text);
	const json_t *next;
	/* The name was matched above: here only the platform differs. */
	rc = choose(document, NULL, &next, err);
	return rc < 0 ? rc : descend(layout, next, depth + 1, ret, err);
}

static int check_version(const struct layout *layout, struct error *err)
{
	_cleanup_json_ json_t *document = NULL;
	int rc = layout_json(layout, "oci-layout", NULL, -1, &document, err);
	const char *version = rc == 0 ? json_text(document, "imageLayoutVersion") : NULL;

	if (rc == 0 && (!version || strncmp(version, "1.", 2) != 0))
		rc = error_set(err, EPROTONOSUPPORT, "'oci-layout' says version '%s'; only 1.x is known", text_shown(version).text);
	return rc;
}

int oci_manifest(const struct layout *layout, const char *tag, struct manifest *ret, struct error *err)
{
	_cleanup_json_ json_t *index = NULL;
	const json_t *entry = NULL;
	int rc = check_version(layout, err);

	*ret = (struct manifest){0};
	if (rc == 0)
		rc = layout_json(layout, "index.json", NULL, -1, &index, err);
	if (rc == 0)
		rc = choose(index, tag, &entry, err);
	if (rc == 0)
		rc = descend(layout, entry, 0, ret, err);
	if (rc == 0 && name_of(entry)) {
		ret->name = strdup(name_of(entry));
		rc = ret->name ? 0 : error_set(err, ENOMEM, "out of memory");
	}
	return rc;
}
