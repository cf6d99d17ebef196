/* A result as JSON (docs/results.md, schema/result.schema.json). The only place that knows jansson, with results/sample_journal. */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

/* Writes, with its summary, atomically: temporary name, fsync, rename. On failure nothing exists under `path` that was not there before. */
int result_write(const struct result *result, const char *path, struct error *err);

/* The same document as text; the caller frees. NULL on failure. What is not UTF-8 is written as "?", a control character as a blank. */
char *result_to_text(const struct result *result, struct error *err);

/* Reads a result file or a sample journal of an unfinished run (told apart by content; pipes too). Anything malformed, truncated, larger than
 * 256 MiB or of an unknown schema version is one error that says what and where ("result.json: samples[3].marks.ready: expected an integer"):
 * -EBADMSG, -EFBIG, or what the system said. What comes back is consistent: labels are unique, indexes in range, text is UTF-8 without control
 * characters. The file's summary is skipped: summary_make() computes it anew. *ret needs no initialisation and is untouched on failure. */
int result_read(const char *path, struct result *ret, struct error *err);

/* Frees what hangs on it and zeroes it; the struct itself is the caller's. */
void result_free(struct result *result);

/* Append to the growing arrays; -ENOMEM. An array must have grown by these alone: its room is known from its length. */
int result_add_block(struct result *result, const struct block *block, struct error *err);
int result_add_sample(struct result *result, const struct sample *sample, struct error *err);
/* Keeps the steps of a sample; *ret_number is what its `steps` must be. */
int result_add_steps(struct result *result, const struct step_times *steps, uint32_t *ret_number, struct error *err);
