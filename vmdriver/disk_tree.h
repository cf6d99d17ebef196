/* A folder that becomes a disk image: how large, and a digest by which a change is seen. Only metadata is read: what is written to a file, or to its
 * rights, changes its time of change (ctime), which nobody can set. */
#pragma once

#include <bench/error.h>

#include <stdint.h>

struct sha256_ctx;

struct disk_tree {
	int64_t blocks;  /* of 4 KiB that files and folders fill, sparse files as if they were none */
	int64_t entries; /* files, folders and all others */
};

/* Adds to the digest and to `ret`. Links are not followed. -EXDEV: another file system is mounted inside, whose content nobody may have meant. */
int disk_tree_read(const char *root, struct sha256_ctx *hash, struct disk_tree *ret, struct error *err);
