/* Lines of the host: requests to the runtime in the guest, and what is meant for the container. Pure; the buffer is the caller's. */
#pragma once

#include <bench/agent.h>
#include <bench/error.h>
#include <cgroup/cgroup.h>

#include <stdbool.h>
#include <stddef.h>

/* ---- what the machine is told at its boot ---- */

struct guest_options {
	bool shared; /* waits for requests; else one container, at once */
	struct cgroup_limits limits;
};

/* "shared,memory=134217728,cpu=100,pids=512". -EINVAL names the word that is not understood. */
int guest_options_parse(const char *text, struct guest_options *ret, struct error *err);

/* ---- lines ---- */

enum word_kind {
	WORD_NONE,  /* no whole line yet */
	WORD_START, /* with an id */
	WORD_STOP,  /* with an id */
	WORD_LOOK,
	WORD_UNKNOWN, /* a request that is none of these */
	WORD_FORWARD, /* the container's: `text`, `length`, with its LF; a piece of a line that is longer than the buffer */
};

struct word {
	enum word_kind kind;
	const char *text; /* of an id: ends with NUL. Valid until the next call */
	size_t length;
};

struct words {
	size_t used, taken; /* bytes in the buffer; of these, what words_next() gave out last */
	char buffer[AGENT_LINE_MAX];
};

/* Where to read to, and how much. */
char *words_room(struct words *words, size_t *ret_size);
void words_filled(struct words *words, size_t bytes);

struct word words_next(struct words *words);
