#include "json.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

json_t *json_parse(const char *text, size_t size, const char *source, struct error *err)
{
	json_error_t where;
	json_t *value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);

	if (!value)
		error_set(err, EBADMSG, "%s is no sound JSON: line %d: %s", source, where.line, text_shown(where.text).text);
	return value;
}

const char *json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

void texts_free(char **texts)
{
	for (size_t i = 0; texts && texts[i]; i++)
		free(texts[i]);
	free(texts);
}

int json_texts(const json_t *object, const char *key, char ***ret, struct error *err)
{
	const json_t *list = json_object_get(object, key);
	size_t n = json_array_size(list);

	*ret = NULL;
	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list) || n > JSON_LIST_MAX)
		return error_set(err, EBADMSG, "'%s' is not a list of at most %d texts", key, JSON_LIST_MAX);
	char **texts = calloc(n + 1, sizeof(*texts));
	if (!texts)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		texts[i] = text ? strdup(text) : NULL;
		if (texts[i])
			continue;
		texts_free(texts);
		return text ? error_set(err, ENOMEM, "out of memory")
			    : error_set(err, EBADMSG, "'%s' has something else than text in it", key);
	}
	*ret = texts;
	return 0;
}

json_t *json_from_texts(char *const *texts)
{
	json_t *list = texts ? json_array() : json_null();

	for (size_t i = 0; list && texts && texts[i]; i++)
		if (json_array_append_new(list, json_string(texts[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}
