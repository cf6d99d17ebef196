/* Files and disks seen from inside: for tests of limits, and for comparisons of throughput. Only in answer to a request. The host measures the time. */
#pragma once

#include <stddef.h>

/* "read|write <block> <bytes> [<file>]": so many bytes of the disk "bench-scratch", or of a file that exists, in blocks of that size, from its beginning on
 * and over again, past the page cache (O_DIRECT); what was written is on the disk. */
void drive_disk(char *arguments, char *answer, size_t size);

/* "<path>": reads all regular files below it; other file systems are left out. */
void drive_files(const char *path, char *answer, size_t size);

/* Takes everything out of the page cache: of a guest's kernel, which is the agent's own. Refused elsewhere. */
void drive_drop(char *answer, size_t size);

/* "<file>": writes one byte to it. */
void drive_write(const char *path, char *answer, size_t size);
