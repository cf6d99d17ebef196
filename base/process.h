/* Child processes that we run to their end (tools, not instances). */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Runs argv[0] (searched in PATH) without a shell, stdin from /dev/null, in folder `cwd` (NULL: here). Its output (stdout and, when
 * `with_stderr`, stderr) is kept in `ret_output` (NUL-terminated, cut at size; may be NULL: discarded). Ends it, and all of its
 * process group, with SIGKILL after timeout_ms.
 * Returns the exit status (0…255), 128 + n when signal n ended it, or -errno (-ETIMEDOUT, -ENOENT …). */
int process_run(const char *const argv[], const char *cwd, int timeout_ms, bool with_stderr, char *ret_output, size_t size,
		struct error *err);

/* Full path of a program in PATH; false when there is none. */
bool process_find(const char *name, char *ret, size_t size);

/* Start time of a process in clock ticks since boot (/proc/PID/stat field 22): with the pid it names a process for good. -1: gone. */
int64_t process_start_ticks(pid_t pid);

/* A descriptor (pidfd) of the process with that number and start time: what is sent through it reaches that process or none. -ESRCH: it has ended,
 * whoever bears its number now. Close it. */
int process_open(pid_t pid, int64_t start_ticks);
