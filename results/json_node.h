/* A parsed JSON value that knows where it stands, so that every complaint names its place: "result.json: samples[3].marks.ready: expected an integer".
 * Plain data on the stack of the reader; borrows everything. Hostile input is expected: no complaint repeats text of the file. */
#pragma once

#include <bench/error.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_node {
	const char *source;             /* name of the file */
	const struct json_node *parent; /* NULL: a member of the document */
	const char *key;                /* name of the member; NULL: an element */
	size_t index;                   /* of the element */
	json_t *value;
};

/* "<source>: <path>: <what>", -EBADMSG. */
int json_node_fail(const struct json_node *node, struct error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));

int json_node_expect_object(const struct json_node *node, struct error *err);

/* A member of an object; one that is missing is an error. */
int json_node_member(const struct json_node *object, const char *key, struct json_node *ret, struct error *err);

/* The number, inside [min, max]. */
int json_node_integer(const struct json_node *node, int64_t min, int64_t max, int64_t *ret, struct error *err);
int json_node_bool(const struct json_node *node, bool *ret, struct error *err);

/* Is it text that a terminal may show: without control characters? */
bool json_text_is_plain(const char *text);

/* The plain text of a node, borrowed; shorter than `size` bytes. */
int json_node_text(const struct json_node *node, size_t size, const char **ret, struct error *err);

/* A JSON string of any bytes: what is not valid UTF-8 becomes "?", a control character a blank; never longer than it was. NULL: no memory. */
json_t *json_text_new(const char *text);
