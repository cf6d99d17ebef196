/* Modules of the guest's kernel: which ones a machine needs, with all that they need in turn, ready for its initramfs.
 *
 * Order of calls: modules_for() names the drivers of what a machine has; module_tree_find() (module_tree.h) finds the folder of that kernel's modules;
 * modules_load() resolves the names there, by the indexes that depmod makes, and reads the files. Nothing is loaded into the host's kernel. */
#pragma once

#include <bench/error.h>

#include <stddef.h>

enum module_feature {
	MODULES_DISK = 1 << 0,
	MODULES_NET = 1 << 1,
	MODULES_BALLOON = 1 << 2,
	MODULES_CONSOLE = 1 << 3,
	MODULES_FS_EXT4 = 1 << 4,
	MODULES_FS_SQUASHFS = 1 << 5,
	MODULES_FS_EROFS = 1 << 6,
	MODULES_FS_VIRTIOFS = 1 << 7,
	MODULES_OVERLAY = 1 << 8,
	MODULES_FS_9P = 1 << 9,
};

enum { MODULES_MAX = 100, MODULE_NAME_SIZE = 64, MODULES_NAMES_SIZE = 512 };

/* Names, separated by blanks, of the drivers for `features` (bits of enum module_feature) on this type of machine: where there is a virtio device, the
 * one of its bus too. Empty when nothing is needed. Returns `ret`. */
const char *modules_for(const char *machine, unsigned features, char ret[MODULES_NAMES_SIZE]);

struct module_file {
	char name[MODULE_NAME_SIZE]; /* "virtio_blk" */
	void *data;                  /* the ELF file, not compressed */
	size_t size;
};

/* In the order in which they are to be loaded. */
struct module_list {
	struct module_file items[MODULES_MAX];
	size_t n;
};

/* Reads the modules `names` (separated by blanks) and what they depend on, softly too, from a folder as /lib/modules/<version>. What the kernel has built
 * in is left out. -ENOENT when a name is neither. On failure `ret` is empty. Release it with module_list_done(). */
int modules_load(const char *tree, const char *names, struct module_list *ret, struct error *err);
void module_list_done(struct module_list *list);
