#include "texts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct texts *texts, char *text)
{
	char **grown = text ? reallocarray(texts->list, texts->n + 2, sizeof(*grown)) : NULL;

	if (!grown) {
		free(text);
		texts->failed = true;
		return;
	}
	texts->list = grown;
	texts->list[texts->n++] = text;
	texts->list[texts->n] = NULL;
}

void texts_add(struct texts *texts, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	put(texts, text);
}

void texts_add_all(struct texts *texts, const char *const *list)
{
	for (; list && *list; list++)
		put(texts, strdup(*list));
}

static char **find(const struct texts *texts, const char *name, size_t length)
{
	for (size_t i = 0; i < texts->n; i++)
		if (strncmp(texts->list[i], name, length) == 0 && texts->list[i][length] == '=')
			return &texts->list[i];
	return NULL;
}

void texts_set_variable(struct texts *texts, const char *assignment)
{
	char **place = find(texts, assignment, strcspn(assignment, "="));

	if (!place) {
		put(texts, strdup(assignment));
		return;
	}
	char *copy = strdup(assignment);
	if (!copy) {
		texts->failed = true;
		return;
	}
	free(*place);
	*place = copy;
}

const char *texts_variable(const struct texts *texts, const char *name)
{
	char **place = find(texts, name, strlen(name));

	return place ? *place + strlen(name) + 1 : NULL;
}

int texts_check(const struct texts *texts, struct error *err)
{
	return texts->failed ? error_set(err, ENOMEM, "out of memory") : 0;
}

void texts_done(struct texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		free(texts->list[i]);
	free(texts->list);
	*texts = (struct texts){0};
}
