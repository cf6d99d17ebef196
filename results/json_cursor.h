/* Walks a JSON document one value at a time, so that a large file never stands in memory as a tree, and a hostile one (a million empty arrays in a
 * megabyte) cannot blow one up: each value that is parsed whole is bounded. jansson parses the values; only the commas are ours. */
#pragma once

#include <bench/error.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { JSON_CURSOR_VALUE_MAX = 2 << 20 }; /* bytes of one value */

struct json_cursor {
	const char *source; /* name of the file, for messages */
	const char *text;   /* need not end with NUL */
	size_t size, at;
};

/* "<source>: line 12: <what>", -EBADMSG; at the end of the text it says that the file is cut off. */
int json_cursor_fail(const struct json_cursor *cursor, struct error *err, const char *what);

void json_cursor_skip_blanks(struct json_cursor *cursor);

/* Skips blanks; is this the next character? */
bool json_cursor_at(struct json_cursor *cursor, char character);

/* The same, and if so, takes it. */
bool json_cursor_take(struct json_cursor *cursor, char character);

/* Takes one value; the caller's reference. */
int json_cursor_value(struct json_cursor *cursor, json_t **ret, struct error *err);

/* Walks an object: calls `member` with the cursor on the value of each member, which it must take. A name that comes twice is not noticed here. */
int json_cursor_object(struct json_cursor *cursor, int (*member)(struct json_cursor *cursor, const char *key, void *arg, struct error *err),
		       void *arg, struct error *err);

/* Walks an array: calls `element` with each parsed element and its index. */
int json_cursor_array(struct json_cursor *cursor, int (*element)(json_t *value, size_t index, void *arg, struct error *err), void *arg,
		      struct error *err);
