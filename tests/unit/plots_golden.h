/* Files in tests of plots/: a temporary folder, reading whole files, comparing with a golden one. */
#pragma once

#include <base/files.h>

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A new folder below the temporary one; remove it with dir_remove(). */
static inline char *golden_folder(char ret[PATH_MAX])
{
	const char *base = getenv("TMPDIR");

	snprintf(ret, PATH_MAX, "%s/bench-plots-XXXXXX", base && *base ? base : "/tmp");
	cr_assert_not_null(mkdtemp(ret));
	return ret;
}

/* The bytes of <dir>/<name>, NUL-terminated; the caller frees. */
static inline char *golden_read(const char *dir, const char *name, size_t *ret_size)
{
	char path[2 * PATH_MAX];
	char *text = calloc(1, 16 << 20);

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "re");

	cr_assert_not_null(file, "cannot open %s", path);
	size_t size = fread(text, 1, (16 << 20) - 1, file);

	fclose(file);
	if (ret_size)
		*ret_size = size;
	return text;
}

/* Compares with tests/data/<name>; with BENCH_GOLDEN_WRITE=1 in the environment, writes it anew instead (then read the difference). */
static inline void golden_compare(const char *name, const char *text)
{
	if (getenv("BENCH_GOLDEN_WRITE")) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", BENCH_TEST_DATA, name);
		cr_assert_eq(file_write_atomic(path, text, strlen(text), 0644, NULL), 0);
		return;
	}
	char *golden = golden_read(BENCH_TEST_DATA, name, NULL);

	cr_expect(strcmp(golden, text) == 0, "%s differs from what is written now:\n%s", name, text);
	free(golden);
}
