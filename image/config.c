#include "config.h"

#include "digest.h"
#include "json.h"
#include "text.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void config_done(struct image_config *config)
{
	texts_free(config->entrypoint);
	texts_free(config->command);
	texts_free(config->environment);
	free(config->working_dir);
	free(config->user);
	*config = (struct image_config){0};
}

static int read_word(const json_t *document, const char *key, char *ret, size_t size, struct error *err)
{
	const char *text = json_text(document, key);

	ret[0] = '\0';
	if (!text || !*text)
		return 0;
	if (!text_is_word(text, size))
		return error_set(err, EBADMSG, "its %s '%s' is none", key, text_shown(text).text);
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

static int read_text(const json_t *object, const char *key, char **ret, struct error *err)
{
	const char *text = json_text(object, key);

	*ret = text && *text ? strdup(text) : NULL;
	return *ret || !text || !*text ? 0 : error_set(err, ENOMEM, "out of memory");
}

int config_read(const json_t *document, struct image_config *ret, struct error *err)
{
	const json_t *config = json_object_get(document, "config");

	*ret = (struct image_config){0};
	if (!json_is_object(document))
		return error_set(err, EBADMSG, "it is not an object");
	int rc = read_word(document, "architecture", ret->architecture, sizeof(ret->architecture), err);
	if (rc == 0)
		rc = read_word(document, "os", ret->os, sizeof(ret->os), err);
	if (rc == 0)
		rc = json_texts(config, "Entrypoint", &ret->entrypoint, err);
	if (rc == 0)
		rc = json_texts(config, "Cmd", &ret->command, err);
	if (rc == 0)
		rc = json_texts(config, "Env", &ret->environment, err);
	if (rc == 0)
		rc = read_text(config, "WorkingDir", &ret->working_dir, err);
	if (rc == 0)
		rc = read_text(config, "User", &ret->user, err);
	if (rc == 0 && ret->working_dir && ret->working_dir[0] != '/')
		rc = error_set(err, EBADMSG, "its working folder '%s' is not absolute", text_shown(ret->working_dir).text);
	return rc;
}

/* A string, or null where there is none; jansson refuses what is no UTF-8, which cannot come from a document. */
static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

json_t *config_to_json(const struct image_config *config)
{
	return json_pack("{s:s, s:s, s:{s:o, s:o, s:o, s:o, s:o}}", "architecture", config->architecture, "os", config->os, "config",
			 "Entrypoint", json_from_texts(config->entrypoint), "Cmd", json_from_texts(config->command), "Env",
			 json_from_texts(config->environment), "WorkingDir", text_or_null(config->working_dir), "User",
			 text_or_null(config->user));
}

int config_diff_ids(const json_t *document, int (*each)(void *arg, size_t index, const char *hex, struct error *err), void *arg,
		    struct error *err)
{
	const json_t *list = json_object_get(json_object_get(document, "rootfs"), "diff_ids");
	size_t n = json_array_size(list);
	int rc = 0;

	if (!json_is_array(list))
		return error_set(err, EBADMSG, "it does not list its layers (rootfs.diff_ids)");
	if (n > IMAGE_LAYERS_MAX)
		return error_set(err, EFBIG, "it has %zu layers; at most %d can be used", n, IMAGE_LAYERS_MAX);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		char hex[IMAGE_DIGEST_HEX + 1];

		rc = digest_parse(text ? text : "", hex, err);
		if (rc == 0)
			rc = each(arg, i, hex, err);
	}
	return rc;
}
