/* A private folder for one test, removed at its end. */
#pragma once

#include <base/files.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct scratch {
	char path[64];
};

static inline struct scratch scratch_make(void)
{
	struct scratch scratch = {.path = "/tmp/bench-unit.XXXXXX"};

	cr_assert(mkdtemp(scratch.path));
	return scratch;
}

static inline void scratch_remove(struct scratch *scratch)
{
	struct error err = {0};

	cr_expect_eq(dir_remove(scratch->path, &err), 0, "%s", err.message);
}

/* <scratch>/<name>, valid until the next call but three. */
static inline const char *scratch_path(const struct scratch *scratch, const char *name)
{
	static char paths[4][256];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, 256, "%s/%s", scratch->path, name);
	return path;
}

static inline void scratch_write(const struct scratch *scratch, const char *name, const char *text)
{
	FILE *file = fopen(scratch_path(scratch, name), "w");

	cr_assert(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
}
