/* The choice of a kernel on trees of made-up hosts, and taking one out of a package. */
#include <archive.h>
#include <archive_entry.h>
#include <base/files.h>
#include <criterion/criterion.h>
#include <vmdriver/kernel.h>
#include <vmdriver/kernel_fetch.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void setup(void)
{
	strcpy(dir, "/tmp/kernel-test-XXXXXX");
	cr_assert(mkdtemp(dir));
}

static void teardown(void)
{
	dir_remove(dir, NULL);
}

enum { KERNEL_BYTES = 20000 };

static void fill_kernel(uint8_t image[KERNEL_BYTES], const char *version)
{
	memset(image, 0, KERNEL_BYTES);
	image[0x1f1] = 1, image[0x1f5] = 4;
	image[0x1fe] = 0x55, image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f, image[0x207] = 2, image[0x20e] = 0x80, image[0x236] = 1;
	snprintf((char *)image + 0x280, 100, "%s", version);
}

/* Writes a file below the test's folder; `version` NULL: text, not a kernel. */
static void put(const char *name, const char *version)
{
	char path[256], parent[256];
	uint8_t image[KERNEL_BYTES];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = '\0';
	cr_assert_eq(dir_make(parent, 0755, NULL), 0);
	if (version)
		fill_kernel(image, version);
	cr_assert_eq(version ? file_write_atomic(path, image, sizeof(image), 0600, NULL) : file_write_atomic(path, "text\n", 5, 0600, NULL),
		     0);
}

static struct kernel_choice find(void)
{
	struct kernel_choice choice;
	struct error err = {0};
	char cache[128];

	snprintf(cache, sizeof(cache), "%s/cache", dir);
	cr_assert_eq(kernel_find(dir, "6.9.1-host", arch_host(), NULL, cache, &choice, &err), 0, "%s", err.message);
	return choice;
}

Test(kernel, the_hosts_own_comes_first, .init = setup, .fini = teardown)
{
	put("boot/vmlinuz-6.9.1-host", "6.9.1-host");
	put("boot/vmlinuz-7.0.0-other", "7.0.0-other");

	struct kernel_choice choice = find();

	cr_assert_str_eq(choice.image.version, "6.9.1-host");
	cr_assert(strstr(choice.source, "the host's own"));
}

Test(kernel, or_beside_its_modules, .init = setup, .fini = teardown)
{
	put("lib/modules/6.9.1-host/vmlinuz", "6.9.1-host");
	cr_assert_str_eq(find().image.version, "6.9.1-host");
}

Test(kernel, then_the_newest_by_version_not_by_letters, .init = setup, .fini = teardown)
{
	put("boot/vmlinuz-6.9.0", "6.9.0");
	put("boot/vmlinuz-6.10.0", "6.10.0");
	put("boot/vmlinuz-7.0.0-broken", NULL);
	cr_assert_str_eq(find().image.version, "6.10.0");
}

Test(kernel, then_the_cache, .init = setup, .fini = teardown)
{
	put("cache/vm/kernels/vmlinuz-6.1.0-40-cloud", "6.1.0-40-cloud");
	put("cache/vm/kernels/tmp-abcdef/vmlinuz-6.1.0-99-cloud", "6.1.0-99-cloud");

	struct kernel_choice choice = find();

	cr_assert_str_eq(choice.image.version, "6.1.0-40-cloud");
	cr_assert(strstr(choice.source, "downloaded"));
}

Test(kernel, named_or_nothing, .init = setup, .fini = teardown)
{
	struct kernel_choice choice;
	struct error err = {0};
	char named[128];

	put("boot/vmlinuz-6.9.1-host", "6.9.1-host");
	put("notes.txt", NULL);
	snprintf(named, sizeof(named), "%s/notes.txt", dir);
	cr_assert_eq(kernel_find(dir, "6.9.1-host", arch_host(), named, dir, &choice, &err), -ENOEXEC);
	cr_assert(strstr(err.message, "notes.txt is a text file"), "%s", err.message);
	cr_assert_eq(kernel_find("/nope", "x", arch_host(), NULL, "/nope", &choice, &err), -ENOENT);
	cr_assert(err.hint[0]);
}

/* ---- packages ---- */

static size_t write_archive(char *buffer, size_t size, int (*set_format)(struct archive *), const char *name, const void *data,
			    size_t data_size)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	size_t used = 0;

	cr_assert_eq(set_format(a), ARCHIVE_OK);
	if (set_format == archive_write_set_format_ustar)
		cr_assert_eq(archive_write_add_filter_xz(a), ARCHIVE_OK);
	cr_assert_eq(archive_write_open_memory(a, buffer, size, &used), ARCHIVE_OK);
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, S_IFREG | 0644);
	archive_entry_set_size(entry, (la_int64_t)data_size);
	cr_assert_eq(archive_write_header(a, entry), ARCHIVE_OK, "%s", archive_error_string(a));
	cr_assert_eq(archive_write_data(a, data, data_size), (la_ssize_t)data_size);
	archive_entry_free(entry);
	archive_write_close(a);
	archive_write_free(a);
	return used;
}

static const char *make_deb(const char *member)
{
	static char path[128];
	static char inner[100000], outer[200000];
	uint8_t image[KERNEL_BYTES];

	fill_kernel(image, "5.4.3-unpacked");

	size_t size = write_archive(inner, sizeof(inner), archive_write_set_format_ustar, member, image, sizeof(image));

	size = write_archive(outer, sizeof(outer), archive_write_set_format_ar_svr4, "data.tar.xz", inner, size);
	snprintf(path, sizeof(path), "%s/package.deb", dir);
	cr_assert_eq(file_write_atomic(path, outer, size, 0600, NULL), 0);
	return path;
}

Test(kernel, unpacks_a_deb, .init = setup, .fini = teardown)
{
	struct kernel_image image;
	struct error err = {0};
	char path[128];

	cr_assert_eq(kernel_unpack(make_deb("./boot/vmlinuz-5.4.3-unpacked"), dir, &err), 0, "%s", err.message);
	snprintf(path, sizeof(path), "%s/vmlinuz-5.4.3-unpacked", dir);
	cr_assert_eq(kernel_image_read(path, &image, &err), 0, "%s", err.message);
	cr_assert_str_eq(image.version, "5.4.3-unpacked");
}

Test(kernel, unpacks_the_place_beside_modules, .init = setup, .fini = teardown)
{
	char path[128];

	cr_assert_eq(kernel_unpack(make_deb("./usr/lib/modules/5.4.3/vmlinuz"), dir, NULL), 0);
	snprintf(path, sizeof(path), "%s/vmlinuz-5.4.3", dir);
	cr_assert(path_exists(path));
}

Test(kernel, a_name_in_a_package_cannot_leave_the_folder, .init = setup, .fini = teardown)
{
	struct error err = {0};

	cr_assert_eq(kernel_unpack(make_deb("./boot/vmlinuz-../../../tmp/evil"), dir, &err), -ENOENT);
	cr_assert(strstr(err.message, "no kernel"), "%s", err.message);
}

Test(kernel, damaged_packages_are_errors, .init = setup, .fini = teardown)
{
	const char *path = make_deb("./boot/vmlinuz-1");
	struct error err = {0};

	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(truncate(path, st.st_size / 2), 0);
	cr_assert_lt(kernel_unpack(path, dir, &err), 0);
	cr_assert(strstr(err.message, "package.deb"), "%s", err.message);
	cr_assert_eq(truncate(path, 0), 0);
	cr_assert_lt(kernel_unpack(path, dir, &err), 0);
}

/* A cache that is empty at first, as on every new host: the way to success leaves no error behind. */
Test(kernel, a_choice_leaves_no_error, .init = setup, .fini = teardown)
{
	struct kernel_choice choice;
	struct error err = {0};

	if (kernel_choose(arch_host(), NULL, dir, NULL, NULL, &choice, &err) < 0)
		cr_skip_test("no kernel here and none to be had: %s", err.message);
	cr_assert_eq(err.code, 0, "%s", err.message);
	cr_assert(path_exists(choice.path));
}

Test(kernel, an_unwritable_cache_is_named)
{
	struct error err = {0};

	if (!kernel_fetch_tool())
		cr_skip_test("no package tool here");
	cr_assert_lt(kernel_fetch(arch_host(), "/proc/nope", NULL, NULL, &err), 0);
	cr_assert(strstr(err.message, "/proc/nope"), "%s", err.message);
	cr_assert(strstr(err.hint, "writable"), "%s", err.hint);
}
