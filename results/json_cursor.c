/* Walks a JSON document value by value. */
#include "json_cursor.h"

#include "json_node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static size_t line_of(const struct json_cursor *cursor)
{
	size_t line = 1;

	for (size_t i = 0; i < cursor->at && i < cursor->size; i++)
		line += cursor->text[i] == '\n';
	return line;
}

int json_cursor_fail(const struct json_cursor *cursor, struct error *err, const char *what)
{
	if (cursor->at >= cursor->size)
		return error_set(err, EBADMSG, "%s: line %zu: the file is cut off", cursor->source, line_of(cursor));
	return error_set(err, EBADMSG, "%s: line %zu: %s", cursor->source, line_of(cursor), what);
}

void json_cursor_skip_blanks(struct json_cursor *cursor)
{
	while (cursor->at < cursor->size && memchr(" \t\r\n", cursor->text[cursor->at], 4))
		cursor->at++;
}

bool json_cursor_at(struct json_cursor *cursor, char character)
{
	json_cursor_skip_blanks(cursor);
	return cursor->at < cursor->size && cursor->text[cursor->at] == character;
}

bool json_cursor_take(struct json_cursor *cursor, char character)
{
	bool is_next = json_cursor_at(cursor, character);

	cursor->at += is_next;
	return is_next;
}

/* What a person can make of jansson's complaint, without what it quotes from the file. */
static const char *complaint(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_stack_overflow:
		return "nested too deeply";
	case json_error_invalid_utf8:
		return "not UTF-8";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a zero byte in a string";
	case json_error_duplicate_key:
		return "an object has two members of the same name";
	case json_error_numeric_overflow:
		return "a number is too large";
	case json_error_out_of_memory:
		return "out of memory";
	default:
		return "not JSON";
	}
}

int json_cursor_value(struct json_cursor *cursor, json_t **ret, struct error *err)
{
	size_t left, bound;
	json_error_t error;
	json_t *value;

	json_cursor_skip_blanks(cursor);
	left = cursor->size - cursor->at;
	bound = left < JSON_CURSOR_VALUE_MAX ? left : JSON_CURSOR_VALUE_MAX;
	if (bound == 0)
		return json_cursor_fail(cursor, err, "");
	value = json_loadb(cursor->text + cursor->at, bound, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
	if (value) {
		cursor->at += (size_t)error.position;
		*ret = value;
		return 0;
	}
	if (json_error_code(&error) == json_error_premature_end_of_input && bound < left)
		return json_cursor_fail(cursor, err, "a value is larger than 2 MiB");
	if (json_error_code(&error) == json_error_premature_end_of_input)
		cursor->at = cursor->size;
	else if (error.position > 0)
		cursor->at += (size_t)error.position - 1;
	return json_cursor_fail(cursor, err, complaint(&error));
}

/* Behind a value: is there another one? -EBADMSG when neither a comma nor the end follows. */
static int next(struct json_cursor *cursor, char end, bool *ret_more, struct error *err)
{
	*ret_more = json_cursor_take(cursor, ',');
	if (*ret_more || json_cursor_take(cursor, end))
		return 0;
	return json_cursor_fail(cursor, err, "expected a comma or the end of the list");
}

static int take_member(struct json_cursor *cursor, int (*member)(struct json_cursor *cursor, const char *key, void *arg, struct error *err),
		       void *arg, struct error *err)
{
	json_t *key = NULL;
	int r;

	if (!json_cursor_at(cursor, '"'))
		return json_cursor_fail(cursor, err, "expected the name of a member");
	r = json_cursor_value(cursor, &key, err);
	if (r < 0)
		return r;
	if (json_cursor_take(cursor, ':'))
		r = member(cursor, json_string_value(key), arg, err);
	else
		r = json_cursor_fail(cursor, err, "expected a colon");
	json_decref(key);
	return r;
}

int json_cursor_object(struct json_cursor *cursor, int (*member)(struct json_cursor *cursor, const char *key, void *arg, struct error *err),
		       void *arg, struct error *err)
{
	bool more = true;
	int r = 0;

	if (!json_cursor_take(cursor, '{'))
		return json_cursor_fail(cursor, err, "expected an object");
	if (json_cursor_take(cursor, '}'))
		return 0;
	while (r == 0 && more) {
		r = take_member(cursor, member, arg, err);
		if (r == 0)
			r = next(cursor, '}', &more, err);
	}
	return r;
}

int json_cursor_array(struct json_cursor *cursor, int (*element)(json_t *value, size_t index, void *arg, struct error *err), void *arg,
		      struct error *err)
{
	bool more = true;
	int r = 0;

	if (!json_cursor_take(cursor, '['))
		return json_cursor_fail(cursor, err, "expected an array");
	if (json_cursor_take(cursor, ']'))
		return 0;
	for (size_t i = 0; r == 0 && more; i++) {
		json_t *value = NULL;

		r = json_cursor_value(cursor, &value, err);
		if (r == 0)
			r = element(value, i, arg, err);
		json_decref(value);
		if (r == 0)
			r = next(cursor, ']', &more, err);
	}
	return r;
}
