/* A growing list of texts, NULL-terminated as execve() wants it. Valid when zeroed. Running out of memory is remembered and told by
 * texts_check(), so that callers add without looking. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>

struct texts {
	char **list; /* NULL while empty */
	size_t n;
	bool failed;
};

void texts_add(struct texts *texts, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* All of a NULL-terminated list; NULL is an empty one. */
void texts_add_all(struct texts *texts, const char *const *list);

/* "NAME=value": takes the place of an earlier one of that name, or comes last. */
void texts_set_variable(struct texts *texts, const char *assignment);

/* Value of a variable in a list of "NAME=value", or NULL. */
const char *texts_variable(const struct texts *texts, const char *name);

int texts_check(const struct texts *texts, struct error *err);
void texts_done(struct texts *texts);
