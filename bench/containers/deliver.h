/* Signals for containers. The first process of a pid namespace is special: the kernel drops every signal for which it has no handler, even one
 * that would end any other program. A person who presses Ctrl-C expects the program to end as it would outside; so the default is carried out
 * here: a signal that would have ended it, and that it neither handles nor blocks nor ignores, becomes SIGKILL. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <sys/types.h>

/* "TERM", "SIGTERM", "15". */
int deliver_parse(const char *text, int *ret, struct error *err);

/* Sends; `own_pids`: it is process 1 of its own namespace. Returns 1 when SIGKILL was sent in the place of `number`, -ESRCH when it has ended. */
int deliver_signal(pid_t pid, int pidfd, bool own_pids, int number, struct error *err);
