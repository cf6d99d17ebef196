/* What the makers of disk images share: a folder of the cache in which one process at a time makes them, and the tools that are run for it. An image is
 * made in <folder>/tmp-XXXXXX, which is renamed when it is complete and on disk. */
#pragma once

#include <bench/error.h>

#include <stddef.h>
#include <stdint.h>

struct sha256_ctx;

/* Makes `dir` and takes its lock; `what` ("a disk image") is for the note that says that another process has it. Close the descriptor to let go. */
int disk_cache_lock(const char *dir, const char *what, void (*note)(void *arg, const char *text), void *note_arg, int *ret_fd,
		    struct error *err);

/* Removes what processes left that were killed. Under the lock: then nothing of it is in use. */
void disk_cache_sweep(const char *dir);

/* Makes all in `work` last and gives it its name. */
int disk_cache_publish(const char *work, const char *home, struct error *err);

/* Runs a tool in `dir` (NULL: here). When it fails, its first line of error becomes the message; -ENOSPC where room was what it lacked. `full_dir` is on
 * the file system that is looked at for that. */
int disk_cache_run(const char *const argv[], const char *dir, const char *full_dir, int timeout_ms, const char *what, struct error *err);

/* Keys. A text counts with its end: "a" then "bc" is not "ab" then "c". */
void disk_key_text(struct sha256_ctx *hash, const char *text);
int disk_key_file(struct sha256_ctx *hash, const char *path, struct error *err);
/* The first (size - 1) / 2 bytes of the digest, in hex. */
void disk_key_finish(struct sha256_ctx *hash, char *ret, size_t size);
