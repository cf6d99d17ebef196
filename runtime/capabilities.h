/* Linux capabilities by name, and the few that a container keeps. Internal to runtime/. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bit n: capability n is kept. What a package manager or a server needs to switch users and own files; nothing that reaches beyond the
 * container's own files and processes. */
uint64_t capabilities_default(void);

/* What this process may use: its effective set. */
uint64_t capabilities_held(void);

/* Highest capability that the running kernel knows. */
int capabilities_last(void);

/* Names of a set, separated by blanks, without "cap_". */
void capabilities_names(uint64_t set, char *ret, size_t size);
