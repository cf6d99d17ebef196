/* A disk with a complete Debian, made from the image that system containers boot, too (osimage/): the agent's program in its place, and with it the
 * system's own kernel and initramfs. Made by tar and mke2fs, as root or (with fakeroot) without; nothing is mounted.
 *
 * Disks are kept below <cache_dir>/vm/os, each under a name made from all that went into it, which it gets last: what has one is complete. One
 * process at a time makes them, others wait. They are only ever read: a machine writes to a layer of its own (host_os.c). */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OS_DISK_KEY_SIZE = 33 };

/* What is to be made. Strings are borrowed. */
struct os_disk_plan {
	bool firmware;            /* a disk with partitions and a boot loader, and a system that was never started before */
	const char *command_line; /* that the boot loader gives to the kernel; only with firmware */
	const char *agent_path;
};

struct os_disk {
	char disk[PATH_MAX];                    /* raw: an ext4 file system, or with firmware a partitioned disk */
	char kernel[PATH_MAX];                  /* of the system, as it stands on the image, too */
	char initrd[PATH_MAX];                  /* made by the system for that kernel */
	char release[96];                       /* "Debian GNU/Linux 12 (bookworm)" */
	int64_t packages;                       /* installed */
	int64_t virtual_bytes, allocated_bytes; /* of the disk */
};

/* Name of the disk: depends on the image's key, the kind of disk, the command line, the recipe and the agent's bytes. */
int os_disk_key(const struct os_disk_plan *plan, const char *image_key, char ret[OS_DISK_KEY_SIZE], struct error *err);

/* Are the programs there that making needs? -ENOENT with a remedy. */
int os_disk_check_tools(const struct os_disk_plan *plan, struct error *err);

/* Finds the disk or makes it (half a minute, and a download the first time); `note` (may be NULL) is told so. On failure nothing
 * half-made is left. */
int os_disk_get(const struct os_disk_plan *plan, const char *cache_dir, void (*note)(void *arg, const char *text), void *note_arg,
		struct os_disk *ret, struct error *err);
