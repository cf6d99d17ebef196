/* The image's cache, with a mmdebstrap of our own first in PATH. */
#include <base/files.h>
#include <osimage/os_image.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/bench-unit.XXXXXX";

/* `body` is a script; "$target" is what the image is to be called, its last argument. */
static void pretend(const char *body)
{
	char path[300], text[2000], search[600];

	cr_assert(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/mmdebstrap", top);
	snprintf(text, sizeof(text), "#!/bin/sh\nfor target in \"$@\"; do :; done\necho made >>%s/count\n%s\n", top, body);
	cr_assert_eq(file_write_atomic(path, text, strlen(text), 0755, NULL), 0);
	snprintf(search, sizeof(search), "%s:%s", top, getenv("PATH"));
	setenv("PATH", search, 1);
}

static void clean(void)
{
	dir_remove(top, NULL);
}

static int made_times(void)
{
	char path[300], text[300] = "";
	int times = 0;

	snprintf(path, sizeof(path), "%s/count", top);
	file_read("", path, text, sizeof(text), NULL);
	for (char *at = text; (at = strstr(at, "made")); at++)
		times++;
	return times;
}

Test(os_image, is_made_once, .fini = clean)
{
	struct os_image first, second;
	struct error err = {0};

	pretend("echo tar >\"$target\"");
	cr_assert_eq(os_image_probe(OS_IMAGE_TAR, top, &err), 0, "%s", err.message);
	cr_assert_eq(os_image_get(OS_IMAGE_TAR, top, NULL, NULL, &first, &err), 0, "%s", err.message);
	cr_assert_eq(os_image_get(OS_IMAGE_TAR, top, NULL, NULL, &second, &err), 0, "%s", err.message);
	cr_assert_str_eq(first.path, second.path);
	cr_assert(path_exists(first.path));
	cr_assert_eq(os_image_probe(OS_IMAGE_TAR, top, &err), 1);
	cr_assert_eq(made_times(), 1);
}

Test(os_image, failure_leaves_nothing_and_says_why, .fini = clean)
{
	struct os_image image = {.path = "untouched"};
	struct error err = {0};
	char path[300];

	pretend("echo half >\"$target\"; echo 'I: begins' >&2; echo 'E: no mirror answers' >&2; exit 25");
	cr_assert_eq(os_image_get(OS_IMAGE_TAR, top, NULL, NULL, &image, &err), -EIO);
	cr_assert(strstr(err.message, "25") && strstr(err.message, "no mirror answers"), "%s", err.message);
	cr_assert_str_eq(image.path, "untouched");
	cr_assert_eq(os_image_probe(OS_IMAGE_TAR, top, &err), 0);
	snprintf(path, sizeof(path), "rmdir %s/os 2>/dev/null || [ $(ls %s/os) = lock ]", top, top);
	cr_assert_eq(system(path), 0, "something is left");
}

Test(os_image, interrupted_making_is_removed, .fini = clean)
{
	struct os_image image;
	struct error err = {0};
	char path[300];

	pretend("echo tar >\"$target\"");
	snprintf(path, sizeof(path), "%s/os/tmp-abcdef/root/etc", top);
	cr_assert_eq(dir_make(path, 0700, NULL), 0);
	cr_assert_eq(os_image_get(OS_IMAGE_TAR, top, NULL, NULL, &image, &err), 0, "%s", err.message);
	snprintf(path, sizeof(path), "%s/os/tmp-abcdef", top);
	cr_assert_not(path_exists(path));
}
