/* The guest's first and only file system: a cpio archive (newc) with one program as /init. */
#pragma once

#include <bench/error.h>

/* Writes the archive to `path` (a new file, 0600): /init with the bytes of `init_path`, the device nodes console, ttyS0, ttyS1 and null, and
 * the empty folders proc, sys, dev, tmp, run. The same program gives the same bytes. A half-written file is removed. */
int initramfs_write(const char *path, const char *init_path, struct error *err);
