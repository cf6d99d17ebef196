/* One table says how a plain struct is written as a JSON object and how it is read back, so that the two cannot drift apart. */
#pragma once

#include "json_node.h"

#include <stdbool.h>
#include <stddef.h>

enum json_kind {
	JSON_MAP_TEXT,          /* char[size] */
	JSON_MAP_TEXT_OR_NULL,  /* char[size]; empty <-> null */
	JSON_MAP_TEXT_OPTIONAL, /* char[size]; empty <-> member absent */
	JSON_MAP_COUNT,         /* uint32_t */
	JSON_MAP_INT_OR_NULL,   /* int, -1 <-> null */
	JSON_MAP_INT64,         /* int64_t, not negative */
	JSON_MAP_INT64_OR_NULL, /* int64_t, -1 <-> null */
	JSON_MAP_UINT64_TEXT,   /* uint64_t as decimal text: JSON numbers lose its upper bits in many readers */
	JSON_MAP_BOOL,          /* bool */
	JSON_MAP_BOOL_OR_NULL,  /* int: 1 <-> true, 0 <-> false, -1 <-> null */
};

/* One member; a table ends with a NULL key. */
struct json_field {
	const char *key;
	enum json_kind kind;
	size_t offset, size; /* of the struct's field */
};

#define JSON_FIELD(type, field, kind_)                                                                                                     \
	{                                                                                                                                  \
#field, JSON_MAP_##kind_, offsetof(type, field), sizeof(((type *)0)->field)                                                \
	}

/* An object under construction: after a failure it accepts everything, and json_make_end() answers NULL. */
struct json_make {
	json_t *object;
	bool failed;
};

struct json_make json_make_begin(void);
/* Takes the value over (NULL is a failure). */
void json_make_set(struct json_make *make, const char *key, json_t *value);
void json_make_fields(struct json_make *make, const struct json_field *fields, const void *from);
/* The object, the caller's; NULL when there was no memory. */
json_t *json_make_end(struct json_make *make);
/* An object of one table. */
json_t *json_from_fields(const struct json_field *fields, const void *from);

/* Fills a struct from an object. Members that the table does not name are left alone: a newer program may have added them. */
int json_read_fields(const struct json_node *object, const struct json_field *fields, void *ret, struct error *err);
