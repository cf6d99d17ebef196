/* What a person asks for in `bench container run`: options as text into one plain struct. Each option is set by its long name, so that the
 * command's option table and this one cannot drift apart unseen: tests/cli/container_input.sh tries each that the help names. */
#pragma once

#include "texts.h"

#include <bench/error.h>
#include <runtime/container.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUN_MOUNTS_MAX = 64 };

struct run_spec {
	const char *image;       /* name of an image, or a folder; NULL: rootfs */
	const char *rootfs;      /* folder */
	const char *const *argv; /* NULL-terminated, borrowed; empty: the image's own command */
	const char *entrypoint;  /* in the place of the image's; NULL: its own */
	const char *name, *user, *working_dir;
	struct texts environment; /* "NAME=value" */
	struct texts devices;
	struct texts texts; /* what mounts point to */
	struct container_mount mounts[RUN_MOUNTS_MAX];
	bool interactive, terminal, detach, keep, dry_run;
	bool limited;       /* a limit was asked for: then it is set, or it is an error … */
	bool cgroup_chosen; /* … unless auto was asked for as well */
	int64_t timeout_ns; /* 0: none */
	struct container_options options;
};

/* Defaults: all isolated, an overlay in memory. */
struct run_spec run_spec_default(void);
void run_spec_done(struct run_spec *spec);

/* Sets one option by its long name ("memory", "64M"); switches have NULL. -ENOENT: there is no such option. */
int run_spec_set(struct run_spec *spec, const char *option, const char *value, struct error *err);

/* What contradicts each other, once all are set. */
int run_spec_check(struct run_spec *spec, struct error *err);

/* ---- inside ---- */

typedef int (*run_setter)(struct run_spec *spec, const char *value, struct error *err);
struct run_option {
	const char *name;
	run_setter set;
};
extern const struct run_option run_limit_options[]; /* run_limits.c; ends with a NULL name */

/* "NAME" or "CAP_NAME", "ALL": bits. -EINVAL with the name that it may have meant. */
int run_capability(const char *text, uint64_t *ret, struct error *err);
