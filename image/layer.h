/* Writes files into the folder of one layer: by descriptors, below that folder and nowhere else.
 *
 * It takes entries as they come from an archive or a folder and does not trust them: an entry whose parent is a link, or that would leave the
 * folder, is refused. Nothing that exists is opened for writing: a new entry takes the place of an old one. Whiteouts of OCI (".wh.NAME",
 * ".wh..wh..opq") become what overlayfs expects.
 *
 * Order: layer_init, layer_add*, layer_finish, layer_done. Folders get their modes and times in layer_finish(). */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define LAYER_WHITEOUT_PREFIX ".wh."

enum { LAYER_XATTRS_MAX = 64 };

struct layer_options {
	bool privileged;      /* owners, setuid bits, device nodes, capabilities of files; otherwise all files belong to the caller */
	bool plain;           /* only files, folders and links, without owners, attributes and whiteouts */
	int64_t max_bytes;    /* of all files together, as their sizes say */
	uint64_t max_entries; /* entries of the source */
	const bool *cancelled;
};

/* What was left out or changed, for the notes of the image. */
struct layer_left_out {
	uint64_t devices, sockets, attributes, setuid_bits, mounts;
};

struct layer_xattr {
	const char *name;
	const void *value;
	size_t size;
};

struct layer_entry {
	const char *path; /* as the source says */
	mode_t mode;      /* type and permissions */
	int64_t uid, gid;
	int64_t size; /* of a regular file */
	struct timespec mtime;
	const char *link; /* target of a symbolic link; of a hard link: a path of the same layer */
	bool is_hardlink;
	dev_t device;
	struct layer_xattr xattrs[LAYER_XATTRS_MAX];
	size_t n_xattrs;
};

/* Where the bytes of a regular file come from: 1 with a block (borrowed until the next call), 0 at the end, -errno. */
struct layer_data {
	int (*next)(void *arg, const void **ret, size_t *ret_size, int64_t *ret_offset, struct error *err);
	void *arg;
};

struct layer_folder;
struct layer {
	int root_fd; /* borrowed */
	struct layer_options options;
	int64_t bytes;
	uint64_t entries;
	struct layer_left_out left_out;
	char parent_path[PATH_MAX]; /* the folder that parent_fd is */
	int parent_fd;              /* -1: none */
	struct layer_folder *folders;
	size_t n_folders, folders_room, folders_bytes;
};

void layer_init(struct layer *layer, int root_fd, const struct layer_options *options);
int layer_add(struct layer *layer, const struct layer_entry *entry, const struct layer_data *data, struct error *err);
int layer_finish(struct layer *layer, struct error *err);
void layer_done(struct layer *layer);

/* -EINTR when the caller wishes to end. */
int layer_check_cancelled(const bool *cancelled, struct error *err);
