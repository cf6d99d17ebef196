#include "manifest.h"

#include "config.h"
#include "digest.h"
#include "json.h"
#include "text.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void manifest_done(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->n_layers; i++)
		free(manifest->layers[i].path);
	free(manifest->layers);
	free(manifest->name);
	config_done(&manifest->config);
	*manifest = (struct manifest){0};
}

int manifest_make_layers(struct manifest *manifest, size_t n, struct error *err)
{
	if (n == 0)
		return error_set(err, EBADMSG, "the image has no layers");
	if (n > IMAGE_LAYERS_MAX)
		return error_set(err, EFBIG, "the image has %zu layers; at most %d can be used", n, IMAGE_LAYERS_MAX);
	manifest->layers = calloc(n, sizeof(*manifest->layers));
	if (!manifest->layers)
		return error_set(err, ENOMEM, "out of memory");
	manifest->n_layers = n;
	return 0;
}

static int take_diff_id(void *arg, size_t index, const char *hex, struct error *err)
{
	struct manifest *manifest = arg;

	if (index >= manifest->n_layers)
		return error_set(err, EBADMSG, "it lists more layers than the manifest (%zu)", manifest->n_layers);
	memcpy(manifest->layers[index].diff_id, hex, IMAGE_DIGEST_HEX + 1);
	return 0;
}

static int check_diff_ids(const struct manifest *manifest, struct error *err)
{
	for (size_t i = 0; i < manifest->n_layers; i++)
		if (!manifest->layers[i].diff_id[0])
			return error_set(err, EBADMSG, "it lists %zu layers, the manifest %zu", i, manifest->n_layers);
	return 0;
}

int manifest_read_config(const struct layout *layout, const char *path, const char *hex, int64_t size, struct manifest *manifest,
			 struct error *err)
{
	_cleanup_json_ json_t *document = NULL;
	int rc = layout_json(layout, path, hex, size, &document, err);

	if (rc == 0)
		rc = config_read(document, &manifest->config, err);
	if (rc == 0)
		rc = image_check_platform(manifest->config.architecture, manifest->config.os, err);
	if (rc == -ENOEXEC)
		return rc;
	if (rc == 0)
		rc = config_diff_ids(document, take_diff_id, manifest, err);
	if (rc == 0)
		rc = check_diff_ids(manifest, err);
	if (rc < 0)
		return error_prefix(err, "configuration of the image");
	memcpy(manifest->digest, hex, IMAGE_DIGEST_HEX + 1);
	return 0;
}

bool manifest_name_matches(const char *name, const char *wish)
{
	size_t name_length = strlen(name), wish_length = strlen(wish);
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;

	if (strcmp(name, wish) == 0)
		return true;
	if (strncmp(base, wish, wish_length) == 0 && (base[wish_length] == ':' || base[wish_length] == '\0'))
		return true;
	/* the end of the reference, from the beginning of a part on */
	return name_length > wish_length && strcmp(name + name_length - wish_length, wish) == 0 &&
	       strchr(":/", name[name_length - wish_length - 1]);
}
