/* The ways in which a container can be started here: as root with and without a user namespace, as an ordinary user. */
#pragma once

#include "runtime_fixture.h"

#include <base/process.h>

static char layers_top[64]; /* beside the root: overlayfs refuses layers that lie in each other */

static inline void finish(void)
{
	if (layers_top[0])
		dir_remove(layers_top, NULL);
	teardown();
}

/* As an ordinary user from now on, who owns all that was made. */
static inline void become_owner(void)
{
	const char *const give[] = {"chown", "-R", "65534:65534", root, layers_top[0] ? layers_top : root, NULL};
	struct error err = {0};

	if (geteuid() == 0)
		cr_assert_eq(process_run(give, NULL, 10000, true, NULL, 0, &err), 0, "%s", err.message);
	become_ordinary();
}

/* Runs `check` in each of the ways in which a container can be started here; the last one gives up root for good. */
static inline void in_all_ways(void (*check)(struct container_options *options))
{
	bool is_root = geteuid() == 0;

	for (enum container_choice userns = CONTAINER_AUTO; is_root && userns <= CONTAINER_OFF; userns++) {
		struct container_options options = options_here();

		options.userns = userns;
		check(&options);
	}
	become_owner();
	struct container_options options = options_here();
	struct error err = {0};
	if (container_support(&options, &err) != CONTAINER_UNSUPPORTED)
		check(&options);
}

static inline void expect_script(const struct container_options *options, const char *script, const char *want)
{
	char text[16384];

	run_script(options, script, text, sizeof(text));
	cr_expect_str_eq(text, want, "userns %d, uid %u, script %s\nsays: %s\nnot:  %s", options->userns, geteuid(), script, text, want);
}

static inline void write_text(const char *path, const char *text)
{
	struct error err = {0};

	cr_assert_eq(file_write_atomic(path, text, strlen(text), 0644, &err), 0, "%s", err.message);
}
