/* From an image or a folder to what the runtime is given: root, layers, arguments, environment, working folder, user. The rules are those that
 * images are written for: entrypoint, then the command of the line or else the image's own; environment of the image below that of the line. */
#pragma once

#include "run_spec.h"
#include "texts.h"

#include <bench/error.h>
#include <image/image.h>

struct run_program {
	char image[PATH_MAX]; /* as people know it: the image's name, or the folder */
	struct image_store *store;
	struct image found;
	bool has_image;
	int hold_fd; /* keeps the image from being removed; -1: none */
	char rootfs[PATH_MAX];
	struct texts argv, envp;
	const char **layers; /* over the root, NULL-terminated; NULL: none */
	char *working_dir;
	uint32_t uid, gid;
};

/* Resolves, and points spec->options at what it found; both live together. */
int run_program_find(struct run_spec *spec, struct run_program *ret, struct error *err);
void run_program_done(struct run_program *program);

/* User and group of a container by name or number, looked up in its own root ("" : root). */
int run_program_user(const struct image *image, const char *user, uint32_t *ret_uid, uint32_t *ret_gid, struct error *err);
