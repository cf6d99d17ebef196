/* Paths of archives, and folders that are opened below another and never outside it. */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { BENEATH_DEPTH_MAX = 128 };

/* Brings "./a//b/." into the form "a/b" ("" is the root itself). Refuses (-EPERM) absolute paths and "..", and (-ENAMETOOLONG) what is too long or
 * too deep to be a file here. */
int beneath_normalise(const char *path, char ret[PATH_MAX], struct error *err);

/* openat2() below `folder_fd`: through no symbolic link, no magic link and into no other mount. -1 with errno. */
int beneath_open(int folder_fd, const char *path, int flags);

/* The same, but symbolic links are followed as if `folder_fd` were "/". */
int beneath_open_in_root(int folder_fd, const char *path, int flags);

/* Opens a regular file to read, whatever else may lie there (a FIFO or a device is not even opened). -1 with errno; EINVAL: not a regular file. */
int beneath_open_file(int folder_fd, const char *path, bool follow, off_t *ret_size);
