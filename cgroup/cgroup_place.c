#include "cgroup_place.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

struct cursor {
	const char *text;
	size_t size, at;
};

static int peek(const struct cursor *cursor)
{
	return cursor->at < cursor->size ? (unsigned char)cursor->text[cursor->at] : -1;
}

static void skip_blanks(struct cursor *cursor)
{
	while (cursor->at < cursor->size && memchr(" \t\r\n", cursor->text[cursor->at], 4))
		cursor->at++;
}

/* From the opening quote to behind the closing one. */
static void skip_string(struct cursor *cursor)
{
	for (cursor->at++; cursor->at < cursor->size && peek(cursor) != '"'; cursor->at++)
		if (peek(cursor) == '\\')
			cursor->at++;
	cursor->at++;
}

/* Behind a value of any kind: to the comma or bracket that ends it on this level. */
static void skip_value(struct cursor *cursor)
{
	for (int depth = 0; cursor->at < cursor->size;) {
		int character = peek(cursor);

		if (character == '"') {
			skip_string(cursor);
			continue;
		}
		if (depth == 0 && (character == ',' || character == '}' || character == ']'))
			return;
		depth += (character == '{' || character == '[') - (character == '}' || character == ']');
		cursor->at++;
	}
}

/* Is the string from `start` to here this key? Escapes are jansson's business. */
static bool is_key(const struct cursor *cursor, size_t start, const char *key)
{
	size_t end = cursor->at < cursor->size ? cursor->at : cursor->size;
	json_t *string = json_loadb(cursor->text + start, end - start, JSON_DECODE_ANY, NULL);
	bool same = string && strcmp(json_string_value(string), key) == 0;

	json_decref(string);
	return same;
}

/* Enters the object at the cursor and stops at the key; *ret_start is where its name starts. */
static bool find_key(struct cursor *cursor, const char *key, size_t *ret_start)
{
	skip_blanks(cursor);
	if (peek(cursor) != '{')
		return false;
	do {
		cursor->at++;
		skip_blanks(cursor);
		size_t start = cursor->at;
		if (peek(cursor) != '"')
			return false;
		skip_string(cursor);
		bool found = is_key(cursor, start, key);
		skip_blanks(cursor);
		cursor->at++; /* the colon */
		if (found) {
			*ret_start = start;
			return true;
		}
		skip_value(cursor);
	} while (peek(cursor) == ',');
	return false;
}

size_t cgroup_place_line(const char *text, size_t size, const char *const *keys, size_t n_keys)
{
	struct cursor cursor = {.text = text, .size = size};
	size_t at = 0, line = 1;

	skip_blanks(&cursor);
	at = cursor.at < size ? cursor.at : 0;
	for (size_t i = 0; i < n_keys && find_key(&cursor, keys[i], &at); i++)
		;
	for (size_t i = 0; i < at && i < size; i++)
		line += text[i] == '\n';
	return line;
}
