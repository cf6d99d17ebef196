/* Mounts as the child makes them, for the files child_*.c: objects behind descriptors. All return a descriptor, 0 or -errno. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct child;

/* Opens (O_PATH) a path inside the new root, without a way out by a symbolic or magic link. */
int mount_target(int root_fd, const char *path, uint64_t flags);

/* The same; what is missing is made: a folder, or an empty file in folders. */
int mount_target_made(int root_fd, const char *path, bool folder);

/* Makes sure that the root has a folder of that name: makes it, and one in place of a link or file. For roots that are overlays. */
int mount_folder_at_top(int root_fd, const char *name);

/* The child's root_fd goes on top of "/", where it waits for the pivot: no path of the host has to be open to us for that. */
int mount_place_root(struct child *child);

/* A detached mount goes on top of the old root, where nobody looks it up, and out of sight with it. */
int mount_on_old_root(struct child *child, int fd);

/* mount_setattr on a detached or attached mount; flags: AT_RECURSIVE or 0. The mount gets private as well: the clone of a shared one would carry
 * what is mounted on it to the host. */
int mount_change(int mount_fd, uint64_t set, uint64_t clear, unsigned flags);

/* Shows files of a detached mount with the ids of a user namespace. */
int mount_map_ids(int mount_fd, int userns_fd);

/* Hangs a mount into the new root. */
int mount_hang(const struct child *child, int mount_fd, const char *target, uint64_t open_flags);

/* The same, and closes mount_fd; a negative one is the error of the call that should have opened it. */
int mount_attach(const struct child *child, int mount_fd, const char *target, uint64_t open_flags);

/* A detached clone of a place; flags: AT_EMPTY_PATH, AT_RECURSIVE. */
int mount_clone(int dir_fd, const char *path, unsigned flags);

/* A new file system as a detached mount; `options` are pairs "key=value" separated by commas. */
int mount_new(const char *type, const char *options, uint64_t attributes);
