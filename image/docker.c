/* The archive of `docker save` in its older form: manifest.json lists for each image its configuration, its tags and its layers (tars). It has no
 * digests of its files; the configuration is called by its own digest, and says those of the unpacked layers. */
#include "manifest.h"

#include "digest.h"
#include "json.h"
#include "text.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tag by which the image is wished for, else its first. */
static const char *name_of(const json_t *image, const char *tag)
{
	const json_t *tags = json_object_get(image, "RepoTags");
	const char *first = json_string_value(json_array_get(tags, 0));

	for (size_t i = 0; tag && i < json_array_size(tags); i++) {
		const char *name = json_string_value(json_array_get(tags, i));

		if (name && manifest_name_matches(name, tag))
			return name;
	}
	return tag ? NULL : first;
}

static int choose(const json_t *list, const char *tag, const json_t **ret, struct error *err)
{
	size_t n = json_array_size(list), fitting = 0;
	char names[200] = "";

	for (size_t i = 0; i < n; i++) {
		const json_t *image = json_array_get(list, i);
		const char *first = name_of(image, NULL);
		size_t used = strlen(names);

		if (first)
			snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", text_shown(first).text);
		if (tag && !name_of(image, tag))
			continue;
		*ret = fitting++ ? *ret : image;
	}
	if (fitting == 1)
		return 0;
	if (fitting == 0)
		return error_set(err, ENOENT, "there is no image%s%s in it%s%s", tag ? " called " : "", tag ? text_shown(tag).text : "",
				 names[0] ? ", but: " : "", names);
	error_set(err, ENOTUNIQ, "there are several images in it: %s", names[0] ? names : "without names");
	return error_hint(err, "choose one with --tag");
}

/* The digest in "<hex>.json", "blobs/sha256/<hex>" or "sha256:<hex>"; false where the name has none. */
static bool digest_in_name(const char *path, char ret[IMAGE_DIGEST_HEX + 1])
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	base += strncmp(base, "sha256:", 7) == 0 ? 7 : 0;
	snprintf(ret, IMAGE_DIGEST_HEX + 1, "%s", base);
	return text_is_hex_digest(ret) && (base[IMAGE_DIGEST_HEX] == '\0' || strcmp(base + IMAGE_DIGEST_HEX, ".json") == 0);
}

static int take_layers(const json_t *list, struct manifest *ret, struct error *err)
{
	int rc = manifest_make_layers(ret, json_array_size(list), err);

	for (size_t i = 0; rc == 0 && i < ret->n_layers; i++) {
		const char *path = json_string_value(json_array_get(list, i));

		ret->layers[i].size = -1;
		ret->layers[i].path = path ? strdup(path) : NULL;
		if (!path)
			rc = error_set(err, EBADMSG, "manifest.json: the name of a layer is no text");
		else if (!ret->layers[i].path)
			rc = error_set(err, ENOMEM, "out of memory");
	}
	return rc;
}

int docker_manifest(const struct layout *layout, const char *tag, struct manifest *ret, struct error *err)
{
	_cleanup_json_ json_t *list = NULL;
	const json_t *image = NULL;
	char hex[IMAGE_DIGEST_HEX + 1];
	int rc = layout_json(layout, "manifest.json", NULL, -1, &list, err);

	*ret = (struct manifest){0};
	if (rc == 0 && (!json_is_array(list) || json_array_size(list) > JSON_LIST_MAX))
		rc = error_set(err, EBADMSG, "manifest.json is no list of images");
	if (rc == 0)
		rc = choose(list, tag, &image, err);
	if (rc < 0)
		return rc;
	const char *config = json_text(image, "Config"), *name = name_of(image, tag);
	if (!config || !digest_in_name(config, hex))
		return error_set(err, EBADMSG, "manifest.json: the configuration '%s' is not called by its digest",
				 text_shown(config).text);
	rc = take_layers(json_object_get(image, "Layers"), ret, err);
	if (rc == 0)
		rc = manifest_read_config(layout, config, hex, -1, ret, err);
	ret->name = rc == 0 && name ? strdup(name) : NULL;
	return rc;
}
