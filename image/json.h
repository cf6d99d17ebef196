/* JSON documents of strangers: bounded, and read without trusting a type. Messages never repeat what a document says unfiltered. */
#pragma once

#include <bench/error.h>

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_DOCUMENT_MAX = 4 << 20, JSON_LIST_MAX = 4096 };

static inline void cleanup_json(json_t **value)
{
	json_decref(*value);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

/* Parses a document that must be an object or an array. NULL with -EBADMSG in `err`. */
json_t *json_parse(const char *text, size_t size, const char *source, struct error *err);

/* The text of a member; NULL where there is none, or no text. Borrowed. */
const char *json_text(const json_t *object, const char *key);

/* A list of texts as a heap array that NULL ends; NULL and 0 where the member is missing or null; -EBADMSG where it is something else. */
int json_texts(const json_t *object, const char *key, char ***ret, struct error *err);

/* The same, the other way round; JSON null for NULL. NULL: no memory. */
json_t *json_from_texts(char *const *texts);

void texts_free(char **texts);
