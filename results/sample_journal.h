/* The journal of samples: JSON lines, one header, then each block and sample as it comes. A killed run keeps what it measured: result_read()
 * understands the file. A last line that is torn is dropped, the block in which the run ended is made up from its samples and marked tainted,
 * and the result is marked interrupted. Removed (by the caller) once the result itself is on disk. One write(2) a line, no fsync: it survives
 * the death of the process, not that of the machine. */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

struct sample_journal;

/* Creates `path` (it must not exist) and writes the header from what is known of the result so far (plan, environment, drivers). */
int sample_journal_open(const char *path, const struct result *header, struct sample_journal **ret, struct error *err);

/* A sample as soon as it is known, with its steps (or NULL), before its block. On failure (disk full) the lines before it stay whole, and a later call may succeed. */
int sample_journal_sample(struct sample_journal *journal, const struct sample *sample, const struct step_times *steps, struct error *err);

/* A block at its end, with its disturbance record; in the order in which samples count them. */
int sample_journal_block(struct sample_journal *journal, const struct block *block, struct error *err);

/* NULL is fine. */
void sample_journal_close(struct sample_journal *journal);
