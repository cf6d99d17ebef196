/* The image's cache, with a mmdebstrap of our own first in PATH. */
#include <base/files.h>
#include <bench/timeline.h>
#include <osimage/os_image.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static bool is_mounted_below(const char *path)
{
	char text[1 << 16];

	return file_read("", "/proc/self/mountinfo", text, sizeof(text), NULL) > 0 && strstr(text, path);
}

static bool exists_within(const char *path, int seconds)
{
	int64_t deadline_ns = clock_now_ns() + seconds * INT64_C(1000000000);

	while (!path_exists(path) && clock_now_ns() < deadline_ns)
		poll(NULL, 0, 2);
	return path_exists(path);
}

/* Does nobody hold the lock any more? */
static bool is_free_within(const char *path, int seconds)
{
	int64_t deadline_ns = clock_now_ns() + seconds * INT64_C(1000000000);
	int fd = open(path, O_RDWR | O_CLOEXEC), rc;

	cr_assert_geq(fd, 0);
	while ((rc = flock(fd, LOCK_EX | LOCK_NB)) < 0 && clock_now_ns() < deadline_ns)
		poll(NULL, 0, 2);
	close(fd);
	return rc == 0;
}

/* Ctrl-C: the supervisor kills whoever makes the image. Tools of mmdebstrap's kind mount in the new system, and keep a part of it elsewhere. */
Test(os_image, a_making_that_is_killed_leaves_no_mount_and_no_process, .fini = clean, .timeout = 60)
{
	char path[300], temporary[300];
	struct os_image image;
	struct error err = {0};

	if (geteuid() != 0)
		cr_skip_test("mounts need root");
	cr_assert_eq(unshare(CLONE_NEWNS), 0); /* what a failure of this test leaves is not the host's */
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	pretend("top=${0%/*}; [ -e $top/begun ] && exec mkdir \"$target\"\n"
		"mkdir -p \"$target/proc\"; mount -t tmpfs none \"$target/proc\"; mktemp -d >$top/temporary\n"
		"flock $top/held sh -c \"echo >$top/begun; exec sleep 60\" & wait");
	pid_t maker = fork();
	if (maker == 0)
		_exit(os_image_get(OS_IMAGE_FOLDER, top, NULL, NULL, &image, NULL) != 0);
	snprintf(path, sizeof(path), "%s/begun", top);
	cr_assert(exists_within(path, 20), "the tool did not begin");
	kill(maker, SIGKILL);
	waitpid(maker, NULL, 0);
	snprintf(path, sizeof(path), "%s/held", top);
	cr_expect(is_free_within(path, 10), "a helper of the tool lives");
	snprintf(path, sizeof(path), "%s/os/", top);
	cr_expect_not(is_mounted_below(path), "a mount is left");
	/* The next one sweeps the rest. */
	cr_assert_eq(os_image_get(OS_IMAGE_FOLDER, top, NULL, NULL, &image, &err), 0, "%s", err.message);
	snprintf(path, sizeof(path), "%s/temporary", top);
	cr_assert_gt(file_read("", path, temporary, sizeof(temporary), NULL), 0);
	cr_expect_eq(strncmp(temporary, top, strlen(top)), 0, "temporary files in %s", temporary);
	cr_expect_not(path_exists(temporary));
}
