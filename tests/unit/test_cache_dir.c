/* The folder that is kept between runs: whose it may be. */
#include "scratch.h"

#include <measure/run_dir.h>
#include <osimage/os_image.h>
#include <vmdriver/disk_cache.h>
#include <vmdriver/kernel_fetch.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct scratch cache_make(void)
{
	struct scratch scratch = scratch_make();

	setenv("BENCH_CACHE_DIR", scratch_path(&scratch, "cache"), 1);
	cr_assert_eq(mkdir(scratch_path(&scratch, "cache"), 0755), 0);
	return scratch;
}

Test(cache_dir, one_of_our_own_is_taken)
{
	struct scratch scratch = cache_make();
	struct error err = {0};
	char path[PATH_MAX];

	cr_assert_eq(cache_dir_path(path, sizeof(path), true, &err), 0, "%s", err.message);
	cr_expect(path_exists(scratch_path(&scratch, "cache/CACHEDIR.TAG")));
	scratch_remove(&scratch);
}

Test(cache_dir, one_that_others_may_write_to_is_refused)
{
	struct scratch scratch = cache_make();
	struct error err = {0};
	char path[PATH_MAX];

	for (mode_t mode = 0722; mode <= 0777; mode++) {
		chmod(scratch_path(&scratch, "cache"), mode);
		cr_expect_eq(cache_dir_path(path, sizeof(path), true, &err), mode & 022 ? -EPERM : 0, "mode %o", (unsigned)mode);
	}
	cr_expect(strstr(err.message, "cache") && strstr(err.hint, "BENCH_CACHE_DIR"), "%s (%s)", err.message, err.hint);
	scratch_remove(&scratch);
}

Test(cache_dir, another_users_is_refused)
{
	struct scratch scratch = cache_make();
	struct error err = {0};
	char path[PATH_MAX];

	if (geteuid() != 0)
		cr_skip_test("giving a folder away needs root");
	cr_assert_eq(chown(scratch_path(&scratch, "cache"), 1000, 1000), 0);
	cr_expect_eq(cache_dir_path(path, sizeof(path), true, &err), -EPERM);
	cr_expect(strstr(err.message, "1000") && strstr(err.hint, "BENCH_CACHE_DIR"), "%s (%s)", err.message, err.hint);
	cr_expect_not(path_exists(scratch_path(&scratch, "cache/CACHEDIR.TAG")), "it was written to");
	scratch_remove(&scratch);
}

/* What is locked is a file there, and not what a link leads to. */
Test(cache_dir, no_lock_is_a_link)
{
	struct scratch scratch = cache_make();
	const char *const folders[] = {"cache/vm", "cache/os", "cache/vm/kernels"};
	struct error err = {0};
	char path[PATH_MAX];
	struct os_image image;
	int fd = -1;

	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(dir_make(scratch_path(&scratch, folders[i]), 0700, NULL), 0);
		snprintf(path, sizeof(path), "%s/%s/lock", scratch.path, folders[i]);
		cr_assert_eq(symlink(scratch_path(&scratch, "victim"), path), 0);
	}
	cr_expect_eq(disk_cache_lock(scratch_path(&scratch, "cache/vm"), "a test", NULL, NULL, &fd, &err), -ELOOP, "%s", err.message);
	scratch_write(&scratch, "mmdebstrap", "#!/bin/false\n");
	cr_assert_eq(chmod(scratch_path(&scratch, "mmdebstrap"), 0755), 0);
	for (const char *const *tool = (const char *const[]){"apt-get", "apt-cache", NULL}; *tool; tool++)
		cr_assert_eq(symlink("mmdebstrap", scratch_path(&scratch, *tool)), 0);
	setenv("PATH", scratch.path, 1);
	cr_expect_eq(os_image_get(OS_IMAGE_TAR, getenv("BENCH_CACHE_DIR"), NULL, NULL, &image, &err), -ELOOP, "%s", err.message);
	cr_expect_eq(kernel_fetch(arch_host(), getenv("BENCH_CACHE_DIR"), NULL, NULL, &err), -ELOOP, "%s", err.message);
	cr_expect_not(path_exists(scratch_path(&scratch, "victim")), "a file was made elsewhere");
	scratch_remove(&scratch);
}
