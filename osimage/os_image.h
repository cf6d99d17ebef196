/* One complete Debian with systemd, for whatever boots an operating system: a system container, a virtual machine.
 *
 * What is in it stands in one place, os_recipe.c. mmdebstrap makes it once, into <cache_dir>/os/<key>/; the key is the digest of the recipe, so that
 * a changed recipe is another image. An image gets its name last: what is there is complete, and what an interrupted making left is removed by the
 * next. The agent is not in it, but an empty file in its place (OS_IMAGE_AGENT): put the program there, or mount it over. Its unit is in the image:
 * it starts after multi-user.target is reached, with BENCH_CONTROL of the environment of process 1 (a container's, or the kernel's command line).
 *
 * Knows neither containers nor virtual machines, prints nothing. */
#pragma once

#include <bench/error.h>

#include <limits.h>

#define OS_IMAGE_AGENT "/usr/lib/bench/agent" /* where the unit looks for the program */

enum os_image_form {
	OS_IMAGE_FOLDER, /* files with the owners that they have inside: for root alone */
	OS_IMAGE_TAR,    /* for everybody; an ordinary user needs ids in /etc/subuid and /etc/subgid */
};

struct os_image {
	char path[PATH_MAX]; /* of the folder, or the tar */
	char key[65];        /* digest of the recipe */
	char name[64];       /* for a result: "Debian bookworm (systemd)" */
};

/* Finds the image in the cache, or makes it (half a minute, and a network): one at a time a cache, others wait. note may be NULL.
 * -ENOENT: no mmdebstrap; -EPERM: a folder was asked for without being root. */
int os_image_get(enum os_image_form form, const char *cache_dir, void (*note)(void *arg, const char *text), void *note_arg,
		 struct os_image *ret, struct error *err);

/* Could it? 1: it is there; 0: it can be made; -errno and what is missing. Changes nothing. */
int os_image_probe(enum os_image_form form, const char *cache_dir, struct error *err);

/* The image's key alone, known before it is made. */
void os_image_key(char ret[65]);
