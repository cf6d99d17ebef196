/* Raw images of a guest's root file system, made from a folder, or from the layers of an image that containers run, by the file systems' own tools.
 * Nothing of the host is changed and nothing is mounted where others see it. As an ordinary user the owner of the files becomes root in the image.
 *
 * They are kept in <cache_dir>/vm/disks/<key>/: `disk`, and `facts` with its size and digest. The key is a digest of the tree's metadata (disk_tree.h),
 * the format, the tool and its options. A folder gets its name when all in it is complete and on disk; one process makes them at a time. An image is
 * checked against its digest before it is used: a damaged one is made again. Guests only read them. */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPIO: no disk, but an archive that is put into the initramfs. */
enum disk_format { DISK_CPIO, DISK_EXT4, DISK_SQUASHFS, DISK_EROFS, DISK_FORMAT_COUNT };

static const char *const disk_format_names[] = {"initramfs", "ext4", "squashfs", "erofs"};
_Static_assert(sizeof(disk_format_names) / sizeof(disk_format_names[0]) == DISK_FORMAT_COUNT, "one name a format");

enum { DISK_KEY_SIZE = 33, DISK_LAYERS_MAX = 56 }; /* layers: what fits into the options of a mount */

/* Strings are borrowed. */
struct disk_plan {
	enum disk_format format;
	const char *const *layers; /* absolute folders, bottom first; one: it is taken as it is. More: as overlayfs shows them */
	size_t n_layers;
	const char *cache_dir;
	void (*note)(void *arg, const char *text); /* may be NULL */
	void *note_arg;
};

struct disk {
	char path[PATH_MAX];
	char key[DISK_KEY_SIZE];
	int64_t bytes, allocated_bytes;
	bool made; /* just now, not found */
};

/* Are the programs there? -ENOENT with the package. */
int disk_check_tools(const struct disk_plan *plan, struct error *err);

/* Finds the image, or makes it. On failure nothing half-made is left. -EAGAIN: the folder changed meanwhile; -ENOSPC. */
int disk_get(const struct disk_plan *plan, struct disk *ret, struct error *err);
