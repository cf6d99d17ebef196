/* Which kernel a guest runs: the one that was named, else the host's own (both sides then run the same), else the newest in /boot, else a
 * distribution's, downloaded once into the cache without being installed. A guest of another architecture: the one that was named, else downloaded. */
#pragma once

#include "arch.h"
#include "kernel_image.h"

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>

struct kernel_choice {
	char path[PATH_MAX];
	char source[256]; /* "the host's own (/boot/vmlinuz-6.1.0-40-amd64)" */
	struct kernel_image image;
};

/* Finds a kernel for this architecture without downloading. `root` is a prefix for the host's folders ("" on a live host), `release` the running
 * kernel's. `named` may be NULL. -ENOENT when nothing is there; a named file that is no kernel, or for another architecture, is an error, others are
 * passed over. */
int kernel_find(const char *root, const char *release, const struct arch *arch, const char *named, const char *cache_dir,
		struct kernel_choice *ret, struct error *err);

/* As kernel_find() on this host, but downloads where nothing is there; `note` (may be NULL) is told so. */
int kernel_choose(const struct arch *arch, const char *named, const char *cache_dir, void (*note)(void *arg, const char *text),
		  void *note_arg, struct kernel_choice *ret, struct error *err);
