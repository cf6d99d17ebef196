/* Where a kernel's modules are: the host's own folder, or one in the cache, taken from the distribution's package and indexed by depmod. */
#pragma once

#include "arch.h"

#include <bench/error.h>

#include <stddef.h>

/* Finds the folder of modules of kernel `version` ("6.1.0-40-amd64", more may follow after a blank), with indexes: <root>/lib/modules/<version>
 * (of the host's own architecture), else <cache_dir>/vm/kernels…/<version>/lib/modules/<version>, which is made from the package of that kernel if it is not there. -ENOENT with a remedy where
 * there is neither. */
int module_tree_find(const struct arch *arch, const char *root, const char *version, const char *cache_dir,
		     void (*note)(void *arg, const char *text), void *note_arg, char *ret, size_t size, struct error *err);

/* Takes the modules out of a kernel's package (.deb, .rpm) and keeps them, indexed, as <dir>/<version>/lib/modules/<version>. Only those that a guest may
 * need; what is there already stays. Needs depmod. */
int module_tree_keep(const char *package, const char *dir, struct error *err);
