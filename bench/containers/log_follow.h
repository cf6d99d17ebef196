/* The log of a container in the background, as it grows. */
#pragma once

#include <bench/error.h>

#include <stdio.h>

/* Copies what there is of the log in `folder`, then what is added, and returns when nobody writes it any more: its monitor has ended. A log that is
 * turned over meanwhile is read on in its successor. */
int log_follow(const char *folder, FILE *out, struct error *err);
