#include "words.h"

#include <base/units.h>
#include <bench/guest.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- what the machine is told at its boot ---- */

static int set_option(const char *word, struct guest_options *ret, struct error *err)
{
	struct cgroup_limits *limits = &ret->limits;
	const char *value = strchr(word, '=');
	int64_t number = 0;

	if (strcmp(word, "shared") == 0) {
		ret->shared = true;
		return 0;
	}
	if (!value || parse_integer(word, value + 1, 1, INT64_MAX / 2, &number, err) < 0)
		return error_set(err, EINVAL, "BENCH_CONTAINER: '%.60s' is not understood", word);
	if (strncmp(word, "memory=", 7) == 0)
		limits->memory_bytes = number;
	else if (strncmp(word, "cpu=", 4) == 0)
		limits->cpu_percent = (int)number;
	else if (strncmp(word, "pids=", 5) == 0)
		limits->pids_max = (int)number;
	else
		return error_set(err, EINVAL, "BENCH_CONTAINER: '%.60s' is not understood", word);
	return 0;
}

int guest_options_parse(const char *text, struct guest_options *ret, struct error *err)
{
	char copy[256], *save = NULL;
	struct guest_options options = {0};
	int rc = 0;

	if (strlen(text) >= sizeof(copy))
		return error_set(err, E2BIG, "BENCH_CONTAINER is longer than %zu characters", sizeof(copy) - 1);
	strcpy(copy, text);
	for (char *word = strtok_r(copy, ",", &save); word && rc == 0; word = strtok_r(NULL, ",", &save))
		rc = set_option(word, &options, err);
	if (rc == 0)
		*ret = options;
	return rc;
}

/* ---- lines ---- */

char *words_room(struct words *words, size_t *ret_size)
{
	*ret_size = sizeof(words->buffer) - words->used;
	return words->buffer + words->used;
}

void words_filled(struct words *words, size_t bytes)
{
	words->used += bytes;
}

static struct word request(char *line)
{
	static const struct {
		const char *begin;
		enum word_kind kind;
		bool whole;
	} known[] = {{GUEST_START, WORD_START, false}, {GUEST_STOP, WORD_STOP, false}, {GUEST_LOOK, WORD_LOOK, true}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t length = strlen(known[i].begin);
		const char *id = line + length;

		if (strncmp(line, known[i].begin, length) != 0 || (known[i].whole && *id))
			continue;
		if (known[i].whole || (*id && strlen(id) < GUEST_ID_MAX))
			return (struct word){.kind = known[i].kind, .text = id, .length = strlen(id)};
	}
	return (struct word){.kind = WORD_UNKNOWN, .text = line, .length = strlen(line)};
}

struct word words_next(struct words *words)
{
	words->used -= words->taken;
	memmove(words->buffer, words->buffer + words->taken, words->used);
	words->taken = 0;

	char *end = memchr(words->buffer, '\n', words->used);

	if (!end && words->used < sizeof(words->buffer))
		return (struct word){.kind = WORD_NONE};
	words->taken = end ? (size_t)(end - words->buffer) + 1 : words->used;
	if (!end || strncmp(words->buffer, GUEST_REQUEST, strlen(GUEST_REQUEST)) != 0)
		return (struct word){.kind = WORD_FORWARD, .text = words->buffer, .length = words->taken};
	*end = '\0';
	return request(words->buffer);
}
