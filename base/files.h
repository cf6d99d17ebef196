/* Small files, paths and trees. Readers of /proc, /sys and cgroup files take a root prefix ("" on a live host), so that they can be
 * tested on trees of other machines. All descriptors are close-on-exec. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* snprintf into a path buffer; -ENAMETOOLONG when it does not fit. */
int path_format(char *ret, size_t size, struct error *err, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Reads <root><path> whole into `ret` (NUL-terminated, the last newline removed). Returns the length, -EFBIG when it does not fit. */
ssize_t file_read(const char *root, const char *path, char *ret, size_t size, struct error *err);

/* Reads a file that holds one decimal integer ("max" reads as INT64_MAX). */
int file_read_int(const char *root, const char *path, int64_t *ret, struct error *err);

/* Finds the line "<key><separators><rest>" of a text as file_read() returned it; separators are ':', '=', blank and tab.
 * Copies <rest>; false when there is no such line. */
bool text_field(const char *text, const char *key, char *ret, size_t size);

/* Writes `text` to an existing kernel file (no creation, one write). */
int file_write_kernel(const char *path, const char *text, struct error *err);

/* Writes a whole file: temporary name beside it, fsync, rename, fsync of the folder. Nothing half-written is ever seen under `path`. */
int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode, struct error *err);

/* Copies a regular file's bytes to a new file (reflink or copy_file_range where possible); owner and mode are the new file's own. */
int file_copy(const char *from, const char *to, mode_t mode, struct error *err);

bool path_exists(const char *path);

/* mkdir -p. */
int dir_make(const char *path, mode_t mode, struct error *err);

/* rm -r that never follows a symbolic link and never crosses into another mount. A missing path is success. */
int dir_remove(const char *path, struct error *err);
