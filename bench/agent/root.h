/* The root file system of a guest that has one on a disk. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Leaves the initramfs for the file system of this type on the disk whose serial number is "bench-root", or (virtiofs, 9p) the folder that the host shares by that
 * tag: mounted read-only, or, with `overlay`, under one
 * that keeps in memory what is written. /proc, /sys and /dev come along; /tmp and /run are in memory. Returns 0, or -1 when it has said why on the console. */
int guest_root(const char *type, bool overlay);

/* Device of the disk with this serial number ("/dev/vda"), as virtio disks have one; waits a few seconds for it. Returns 0 or -1. */
int guest_find_disk(const char *serial, char *ret, size_t size);
