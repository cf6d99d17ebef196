/* A result, or the journal of an unfinished run, from text. Called by results/result_io alone and by the fuzzer. */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

#include <stddef.h>

/* Version of the journal's lines; the parts in them are those of RESULT_SCHEMA_VERSION. */
enum { RESULT_JOURNAL_VERSION = 1 };

/* `text` need not end with NUL; `source` names it in messages. -EBADMSG, -ENOMEM; *ret is untouched then. */
int result_parse(const char *text, size_t size, const char *source, struct result *ret, struct error *err);
