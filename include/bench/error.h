/* The error object: what went wrong, with what, and what the person can do about it.
 *
 * Owned by the caller, plain data (it crosses process boundaries as it is, and fits in one atomic pipe write). Functions that can
 * fail take it as last parameter and return 0 or -errno. Nothing but a command prints one. Context is added on the way up:
 * "container 'a': mount proc on /proc: Operation not permitted". `err` may be NULL everywhere: then only the code survives. */
#pragma once

#include <limits.h>

struct error {
	int code; /* errno value, > 0; 0 means no error */
	char message[480];
	char hint[256]; /* what to do, or empty */
};

_Static_assert(sizeof(struct error) <= PIPE_BUF, "an error must cross a pipe in one atomic write");

/* Sets code and message (printf format). Returns -code, so that `return error_set(err, EINVAL, …)` works. Clears the hint. */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As error_set() with errno as code and ": <text of errno>" appended. Call it right after the failed call. */
int error_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "<context>: " before the message. Returns -err->code (or -EIO when there is no error object). */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the line that tells the person what to do. Returns -err->code. */
int error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
