/* Structs from and to JSON objects by table. */
#include "json_map.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

struct json_make json_make_begin(void)
{
	json_t *object = json_object();

	return (struct json_make){object, !object};
}

void json_make_set(struct json_make *make, const char *key, json_t *value)
{
	if (make->failed)
		json_decref(value);
	else if (json_object_set_new(make->object, key, value) < 0)
		make->failed = true;
}

json_t *json_make_end(struct json_make *make)
{
	json_t *object = make->object;

	make->object = NULL;
	if (!make->failed)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *integer_or_null(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *uint64_text(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return json_string(text);
}

static json_t *bool_or_null(int value)
{
	return value < 0 ? json_null() : json_boolean(value);
}

static json_t *field_value(enum json_kind kind, const void *from)
{
	switch (kind) {
	case JSON_MAP_TEXT:
		return json_text_new(from);
	case JSON_MAP_TEXT_OR_NULL:
	case JSON_MAP_TEXT_OPTIONAL:
		return *(const char *)from ? json_text_new(from) : json_null();
	case JSON_MAP_COUNT:
		return json_integer(*(const uint32_t *)from);
	case JSON_MAP_INT_OR_NULL:
		return integer_or_null(*(const int *)from);
	case JSON_MAP_INT64:
		return json_integer(*(const int64_t *)from);
	case JSON_MAP_INT64_OR_NULL:
		return integer_or_null(*(const int64_t *)from);
	case JSON_MAP_UINT64_TEXT:
		return uint64_text(*(const uint64_t *)from);
	case JSON_MAP_BOOL:
		return json_boolean(*(const bool *)from);
	case JSON_MAP_BOOL_OR_NULL:
		return bool_or_null(*(const int *)from);
	}
	return NULL;
}

void json_make_fields(struct json_make *make, const struct json_field *fields, const void *from)
{
	for (; fields->key; fields++) {
		const char *at = (const char *)from + fields->offset;

		if (fields->kind != JSON_MAP_TEXT_OPTIONAL || *at)
			json_make_set(make, fields->key, field_value(fields->kind, at));
	}
}

json_t *json_from_fields(const struct json_field *fields, const void *from)
{
	struct json_make make = json_make_begin();

	json_make_fields(&make, fields, from);
	return json_make_end(&make);
}

/* ---- reading ---- */

static int read_text(const struct json_node *node, void *ret, size_t size, struct error *err)
{
	const char *text;
	int r = json_node_text(node, size, &text, err);

	if (r == 0)
		memcpy(ret, text, strlen(text) + 1);
	return r;
}

/* Decimal digits alone, as they are written: no sign, no leading zero. */
static int read_uint64(const struct json_node *node, uint64_t *ret, struct error *err)
{
	const char *text;
	uint64_t value = 0;
	int r = json_node_text(node, 21, &text, err);

	if (r < 0)
		return r;
	if (!*text || (text[0] == '0' && text[1]))
		return json_node_fail(node, err, "expected a decimal number in quotes");
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return json_node_fail(node, err, "expected a decimal number in quotes");
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return json_node_fail(node, err, "expected at most %" PRIu64, UINT64_MAX);
	}
	*ret = value;
	return 0;
}

static int read_number(const struct json_node *node, enum json_kind kind, void *ret, struct error *err)
{
	int64_t max = kind == JSON_MAP_COUNT ? UINT32_MAX : kind == JSON_MAP_INT_OR_NULL ? INT_MAX : INT64_MAX, value;
	int r = json_node_integer(node, 0, max, &value, err);

	if (r < 0)
		return r;
	if (kind == JSON_MAP_COUNT)
		*(uint32_t *)ret = (uint32_t)value;
	else if (kind == JSON_MAP_INT_OR_NULL)
		*(int *)ret = (int)value;
	else
		*(int64_t *)ret = value;
	return 0;
}

/* What null stands for; false where the kind has none. */
static bool read_null(enum json_kind kind, void *ret)
{
	switch (kind) {
	case JSON_MAP_TEXT_OR_NULL:
		*(char *)ret = '\0';
		return true;
	case JSON_MAP_INT_OR_NULL:
	case JSON_MAP_BOOL_OR_NULL:
		*(int *)ret = -1;
		return true;
	case JSON_MAP_INT64_OR_NULL:
		*(int64_t *)ret = -1;
		return true;
	default:
		return false;
	}
}

static int read_field(const struct json_node *node, const struct json_field *field, void *ret, struct error *err)
{
	bool flag;
	int r;

	if (json_is_null(node->value) && read_null(field->kind, ret))
		return 0;
	switch (field->kind) {
	case JSON_MAP_TEXT:
	case JSON_MAP_TEXT_OR_NULL:
	case JSON_MAP_TEXT_OPTIONAL:
		return read_text(node, ret, field->size, err);
	case JSON_MAP_UINT64_TEXT:
		return read_uint64(node, ret, err);
	case JSON_MAP_BOOL:
		return json_node_bool(node, ret, err);
	case JSON_MAP_BOOL_OR_NULL:
		r = json_node_bool(node, &flag, err);
		if (r == 0)
			*(int *)ret = flag;
		return r;
	default:
		return read_number(node, field->kind, ret, err);
	}
}

int json_read_fields(const struct json_node *object, const struct json_field *fields, void *ret, struct error *err)
{
	int r = json_node_expect_object(object, err);

	for (; r == 0 && fields->key; fields++) {
		char *at = (char *)ret + fields->offset;
		struct json_node member;

		if (fields->kind == JSON_MAP_TEXT_OPTIONAL && !json_object_get(object->value, fields->key)) {
			*at = '\0';
			continue;
		}
		r = json_node_member(object, fields->key, &member, err);
		if (r == 0)
			r = read_field(&member, fields, at, err);
	}
	return r;
}
