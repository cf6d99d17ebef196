/* Typed access to JSON values with the place in every error. */
#include "json_node.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PATH_TEXT_MAX = 160 };

/* Appends the path of a node; too long a path loses its end. */
static void format_path(const struct json_node *node, char *ret, size_t size)
{
	size_t length;

	if (node->parent)
		format_path(node->parent, ret, size);
	length = strlen(ret);
	if (node->key)
		snprintf(ret + length, size - length, "%s%s", length ? "." : "", node->key);
	else
		snprintf(ret + length, size - length, "[%zu]", node->index);
}

int json_node_fail(const struct json_node *node, struct error *err, const char *format, ...)
{
	char path[PATH_TEXT_MAX] = "", what[256];
	va_list args;

	format_path(node, path, sizeof(path));
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return error_set(err, EBADMSG, "%s: %s: %s", node->source, path, what);
}

int json_node_expect_object(const struct json_node *node, struct error *err)
{
	return json_is_object(node->value) ? 0 : json_node_fail(node, err, "expected an object");
}

int json_node_member(const struct json_node *object, const char *key, struct json_node *ret, struct error *err)
{
	struct json_node member = {.source = object->source, .parent = object, .key = key};
	int r = json_node_expect_object(object, err);

	if (r < 0)
		return r;
	member.value = json_object_get(object->value, key);
	if (!member.value)
		return json_node_fail(&member, err, "missing");
	*ret = member;
	return 0;
}

int json_node_integer(const struct json_node *node, int64_t min, int64_t max, int64_t *ret, struct error *err)
{
	json_int_t value;

	if (!json_is_integer(node->value))
		return json_node_fail(node, err, "expected an integer");
	value = json_integer_value(node->value);
	if (value < min)
		return json_node_fail(node, err, "expected at least %" PRId64 ", found %" JSON_INTEGER_FORMAT, min, value);
	if (value > max)
		return json_node_fail(node, err, "expected at most %" PRId64 ", found %" JSON_INTEGER_FORMAT, max, value);
	*ret = value;
	return 0;
}

int json_node_bool(const struct json_node *node, bool *ret, struct error *err)
{
	if (!json_is_boolean(node->value))
		return json_node_fail(node, err, "expected true or false");
	*ret = json_is_true(node->value);
	return 0;
}

/* Bytes of the control character that `text` begins with (C0, DEL, C1 in UTF-8), or 0. */
static size_t control_length(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = first ? (unsigned char)text[1] : 0;

	if ((first > 0 && first < 0x20) || first == 0x7f)
		return 1;
	return first == 0xc2 && second >= 0x80 && second < 0xa0 ? 2 : 0;
}

bool json_text_is_plain(const char *text)
{
	for (; *text; text++)
		if (control_length(text))
			return false;
	return true;
}

int json_node_text(const struct json_node *node, size_t size, const char **ret, struct error *err)
{
	if (!json_is_string(node->value))
		return json_node_fail(node, err, "expected a string");
	if (json_string_length(node->value) >= size)
		return json_node_fail(node, err, "longer than %zu bytes", size - 1);
	if (!json_text_is_plain(json_string_value(node->value)))
		return json_node_fail(node, err, "contains a control character");
	*ret = json_string_value(node->value);
	return 0;
}

/* Bytes of the character that `text` begins with, or 0 where it is not UTF-8. jansson is the judge, as it will be of the whole. */
static size_t character_length(const char *text)
{
	size_t left = strnlen(text, 4);

	if ((unsigned char)text[0] < 0x80)
		return 1;
	for (size_t length = 2; length <= left; length++) {
		json_t *character = json_stringn(text, length);

		json_decref(character);
		if (character)
			return length;
	}
	return 0;
}

json_t *json_text_new(const char *text)
{
	_cleanup_free_ char *clean = NULL;
	size_t length;

	if (json_text_is_plain(text)) {
		json_t *string = json_string(text);

		if (string)
			return string;
	}
	clean = strdup(text);
	for (char *at = clean; at && *at; at += length) {
		size_t control = control_length(at);

		length = control ? control : character_length(at);
		if (control)
			memset(at, ' ', control);
		if (length == 0) {
			*at = '?';
			length = 1;
		}
	}
	return clean ? json_string(clean) : NULL;
}
