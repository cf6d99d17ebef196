/* The guest's first file system: a cpio archive (newc) with one program as /init, and modules of its kernel. */
#pragma once

#include "modules.h"

#include <bench/error.h>

#define INITRAMFS_RUNTIME "runtime"

/* Writes the archive to `path` (a new file, 0600): /init with the bytes of `init_path`, the device nodes console, ttyS0, ttyS1 and null,
 * the empty folders proc, sys, dev, tmp, run, `runtime_path` (NULL: none) as INITRAMFS_RUNTIME, and `modules` (NULL: none) as /modules/00-<name>.ko, 01-… in their order. The same content gives the
 * same bytes. A half-written file is removed. */
int initramfs_write(const char *path, const char *init_path, const char *runtime_path, const struct module_list *modules,
		    struct error *err);
