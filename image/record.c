#include "record.h"

#include "config.h"
#include "json.h"
#include "text.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_SCHEMA "bench.image/1"

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+";

int record_check_name(const char *name, struct error *err)
{
	size_t length = strspn(name, name_characters);
	bool is_name = length > 0 && length < IMAGE_NAME_MAX && name[length] == '\0' && !strchr("._-:/@+", name[0]) &&
		       name[length - 1] != '/' && !strstr(name, "//") && !strstr(name, "/.");

	if (is_name)
		return 0;
	error_set(err, EINVAL, "'%s' is no name for an image", text_shown(name).text);
	return error_hint(err, "a name has letters, digits and . _ - : / @ +, begins with a letter or digit, and is shorter than %d bytes",
			  IMAGE_NAME_MAX);
}

int record_path(const char *store, const char *name, char ret[PATH_MAX], struct error *err)
{
	char file[IMAGE_NAME_MAX];

	snprintf(file, sizeof(file), "%s", name);
	for (char *c = file; *c; c++)
		*c = *c == '/' ? '=' : *c;
	return path_format(ret, PATH_MAX, err, "%s/images/%s.json", store, file);
}

bool record_name(const char *file, char ret[IMAGE_NAME_MAX])
{
	const char *end = strstr(file, ".json");

	if (!end || strcmp(end, ".json") != 0 || end - file >= IMAGE_NAME_MAX)
		return false;
	snprintf(ret, IMAGE_NAME_MAX, "%.*s", (int)(end - file), file);
	for (char *c = ret; *c; c++)
		*c = *c == '=' ? '/' : *c;
	return record_check_name(ret, NULL) == 0;
}

static json_t *read_document(const char *path, struct error *err)
{
	_cleanup_free_ char *text = malloc(JSON_DOCUMENT_MAX);

	if (!text) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	ssize_t length = file_read("", path, text, JSON_DOCUMENT_MAX, err);
	return length < 0 ? NULL : json_parse(text, (size_t)length, path, err);
}

static int write_document(const char *path, json_t *document, struct error *err)
{
	_cleanup_json_ json_t *owned = document;
	_cleanup_free_ char *text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;

	if (!text)
		return error_set(err, ENOMEM, "out of memory");
	return file_write_atomic(path, text, strlen(text), 0600, err);
}

static int take_text(const json_t *document, const char *key, char *ret, size_t size)
{
	const char *text = json_text(document, key);

	if (!text || strlen(text) >= size)
		return -EBADMSG;
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

static int take_layers(const char *store, const json_t *list, struct image *ret, struct error *err)
{
	size_t n = json_array_size(list);

	if (n == 0 || n > IMAGE_LAYERS_MAX)
		return error_set(err, EBADMSG, "it has no layers, or too many");
	ret->layers = calloc(n + 1, sizeof(*ret->layers));
	for (size_t i = 0; ret->layers && i < n; i++) {
		const char *hex = json_string_value(json_array_get(list, i));

		if (!hex || !text_is_hex_digest(hex))
			return error_set(err, EBADMSG, "the name of a layer is no digest");
		if (asprintf(&ret->layers[i], "%s/layers/%s/root", store, hex) < 0) {
			ret->layers[i] = NULL;
			return error_set(err, ENOMEM, "out of memory");
		}
		ret->n_layers++;
	}
	return ret->layers ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int take_document(const char *store, const json_t *document, struct image *ret, struct error *err)
{
	const char *schema = json_text(document, "schema");

	if (!schema || strcmp(schema, RECORD_SCHEMA) != 0 || take_text(document, "name", ret->name, sizeof(ret->name)) < 0 ||
	    take_text(document, "digest", ret->digest, sizeof(ret->digest)) < 0 ||
	    take_text(document, "imported_at", ret->imported_at, sizeof(ret->imported_at)) < 0)
		return error_set(err, EBADMSG, "it is no record of an image (" RECORD_SCHEMA ")");
	ret->bytes = json_integer_value(json_object_get(document, "bytes"));
	int rc = config_read(document, &ret->config, err);
	if (rc == 0)
		rc = json_texts(document, "notes", &ret->notes, err);
	return rc < 0 ? rc : take_layers(store, json_object_get(document, "layers"), ret, err);
}

int record_read(const char *store, const char *name, struct image *ret, struct error *err)
{
	_cleanup_json_ json_t *document = NULL;
	struct error own = {0};
	char path[PATH_MAX];
	int rc = record_path(store, name, path, err);

	*ret = (struct image){0};
	if (rc < 0)
		return rc;
	document = read_document(path, &own);
	rc = document ? take_document(store, document, ret, &own) : -own.code;
	if (rc == 0)
		return 0;
	image_done(ret);
	if (err)
		*err = own;
	return rc == -ENOENT ? rc : error_prefix(err, "record of image '%s'", name);
}

int record_write(const char *store, const struct image *image, const char (*layer_hex)[IMAGE_DIGEST_HEX + 1], struct error *err)
{
	json_t *layers = json_array(), *document = config_to_json(&image->config);
	char path[PATH_MAX];
	int rc = record_path(store, image->name, path, err);

	for (size_t i = 0; i < image->n_layers; i++)
		json_array_append_new(layers, json_string(layer_hex[i]));
	json_t *head = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:o}", "schema", RECORD_SCHEMA, "name", image->name, "digest",
				 image->digest, "imported_at", image->imported_at, "bytes", (json_int_t)image->bytes, "layers", layers,
				 "notes", json_from_texts(image->notes));
	if (!head || !document || json_array_size(layers) != image->n_layers || json_object_update(head, document) < 0)
		rc = rc < 0 ? rc : error_set(err, ENOMEM, "out of memory");
	json_decref(document);
	if (rc == 0)
		return write_document(path, head, err);
	json_decref(head);
	return rc;
}

int layer_record_write(const char *folder, const struct layer_record *record, struct error *err)
{
	const struct layer_left_out *out = &record->left_out;
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/layer.json", folder);

	if (rc < 0)
		return rc;
	return write_document(path,
			      json_pack("{s:I, s:{s:I, s:I, s:I, s:I, s:I}}", "bytes", (json_int_t)record->bytes, "left_out", "devices",
					(json_int_t)out->devices, "sockets", (json_int_t)out->sockets, "attributes",
					(json_int_t)out->attributes, "setuid_bits", (json_int_t)out->setuid_bits, "mounts",
					(json_int_t)out->mounts),
			      err);
}

static uint64_t counter(const json_t *document, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(json_object_get(document, "left_out"), key));

	return value < 0 ? 0 : (uint64_t)value;
}

int layer_record_read(const char *folder, struct layer_record *ret, struct error *err)
{
	_cleanup_json_ json_t *document = NULL;
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/layer.json", folder);

	if (rc < 0)
		return rc;
	document = read_document(path, err);
	if (!document)
		return -EBADMSG;
	*ret = (struct layer_record){
		.bytes = json_integer_value(json_object_get(document, "bytes")),
		.left_out = {counter(document, "devices"), counter(document, "sockets"), counter(document, "attributes"),
			     counter(document, "setuid_bits"), counter(document, "mounts")},
	};
	return 0;
}
