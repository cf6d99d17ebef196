/* What a person sees while long work goes on: one line that renews itself on a terminal, now and then a plain line elsewhere. Always on stderr. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool is_terminal, is_quiet;
	bool line_is_open; /* an unfinished line stands on the terminal */
	int64_t start_ns, last_ns;
	uint32_t last_tenth;
	const char *phase; /* of progress_bytes() */
};

void progress_init(struct progress *progress, bool quiet);

/* "container 37/300  12 %  ETA 1 min 20 s" */
void progress_step(struct progress *progress, const char *label, uint32_t done, uint32_t total);

/* "alpine: layer 2 of 3  12.3 MiB of 45.0 MiB  ETA 2 s"; a new `phase` (text that stays where it is) begins a new estimate. `total` 0: not known. */
void progress_bytes(struct progress *progress, const char *label, const char *phase, int64_t done, int64_t total);

/* "shares: measuring  1.2 s of 3 s"; a line when a new `phase` (text that stays where it is) begins, renewed on a terminal. */
void progress_time(struct progress *progress, const char *label, const char *phase, int64_t done_ns, int64_t total_ns);

/* A message of its own line: "vm: unpacking a kernel". */
void progress_note(struct progress *progress, const char *label, const char *text);

void progress_end(struct progress *progress);
