/* Gets a distribution's kernel as a package and takes the image out, without installing anything and without being root. */
#pragma once

#include "arch.h"

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>

/* Where kernels of this architecture are kept: <cache_dir>/vm/kernels, of another than the host's <cache_dir>/vm/kernels-<name>. Files are named
 * vmlinuz-<version> and are complete: they get their name last. */
int kernel_fetch_dir(const struct arch *arch, const char *cache_dir, char *ret, size_t size, struct error *err);

/* Is there a package tool that we know? Its name for a message ("apt-get"), or NULL. */
const char *kernel_fetch_tool(void);

/* Downloads and unpacks into the folder of this architecture. One at a time a cache: others wait. What a killed download left is removed. */
int kernel_fetch(const struct arch *arch, const char *cache_dir, void (*note)(void *arg, const char *text), void *note_arg,
		 struct error *err);

/* Takes the kernel image out of a .deb or .rpm file and writes it as <dir>/vmlinuz-<version>. */
int kernel_unpack(const char *package, const char *dir, struct error *err);

/* Downloads the package of kernel `version` ("6.1.0-40-amd64") and keeps its modules, see module_tree.h. Otherwise as kernel_fetch(). */
int kernel_fetch_modules(const struct arch *arch, const char *version, const char *cache_dir, void (*note)(void *arg, const char *text),
			 void *note_arg, struct error *err);

/* Takes the modules that a guest may need out of a .deb or .rpm file, as they are, with their lists: <dir>/lib/modules/<version>/… Returns the version. */
int kernel_unpack_modules(const char *package, const char *dir, char *ret_version, size_t size, struct error *err);
