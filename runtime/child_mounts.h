/* Mounts as the child makes them, for the files child_*.c: objects behind descriptors. All return a descriptor, 0 or -errno. */
#pragma once

#include <stdint.h>

struct child;

/* Opens (O_PATH) a path inside the new root, without a way out by a symbolic or magic link. */
int mount_target(int root_fd, const char *path, uint64_t flags);

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
