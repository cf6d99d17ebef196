/* The guest's initramfs: what is in it, and that the same program gives the same bytes. */
#include <archive.h>
#include <archive_entry.h>
#include <base/files.h>
#include <criterion/criterion.h>
#include <vmdriver/initramfs.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void setup(void)
{
	strcpy(dir, "/tmp/initramfs-test-XXXXXX");
	cr_assert(mkdtemp(dir));
}

static void teardown(void)
{
	dir_remove(dir, NULL);
}

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

/* A program of 100,003 bytes: no multiple of any block size. */
static const char *make_program(void)
{
	const char *path = in_dir("program");
	FILE *f = fopen(path, "w");

	for (int i = 0; i < 100003; i++)
		fputc(i * 7 % 251, f);
	fclose(f);
	return path;
}

static char *slurp(const char *path, size_t *ret_size)
{
	struct stat st;
	int fd = open(path, O_RDONLY);

	cr_assert_geq(fd, 0);
	fstat(fd, &st);

	char *data = malloc((size_t)st.st_size + 1);

	cr_assert_eq(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_size = (size_t)st.st_size;
	return data;
}

Test(initramfs, holds_init_nodes_and_folders, .init = setup, .fini = teardown)
{
	struct error err = {0};
	const char *program = make_program();

	cr_assert_eq(initramfs_write(in_dir("a.cpio"), program, NULL, NULL, &err), 0, "%s", err.message);

	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	char seen[256] = "";

	archive_read_support_format_cpio(a);
	cr_assert_eq(archive_read_open_filename(a, in_dir("a.cpio"), 65536), ARCHIVE_OK);
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		strcat(strcat(seen, name), " ");
		cr_assert_eq(archive_entry_uid(entry), 0);
		cr_assert_eq(archive_entry_mtime(entry), 0);
		if (strcmp(name, "init") == 0) {
			char *content = malloc(200000);
			size_t size;
			char *expected = slurp(program, &size);

			cr_assert_eq(archive_entry_perm(entry), 0755);
			cr_assert_eq(archive_read_data(a, content, 200000), 100003);
			cr_assert_arr_eq(content, expected, size);
			free(content);
			free(expected);
		}
		if (strcmp(name, "dev/console") == 0)
			cr_assert(archive_entry_filetype(entry) == AE_IFCHR && archive_entry_rdevmajor(entry) == 5 &&
				  archive_entry_rdevminor(entry) == 1);
		if (strcmp(name, "dev/ttyS1") == 0)
			cr_assert(archive_entry_rdevmajor(entry) == 4 && archive_entry_rdevminor(entry) == 65);
		if (strcmp(name, "tmp") == 0)
			cr_assert(archive_entry_filetype(entry) == AE_IFDIR && archive_entry_perm(entry) == 01777);
	}
	cr_assert_str_eq(seen, "init dev dev/console dev/null dev/ttyS0 dev/ttyS1 proc run sys tmp ");
	archive_read_free(a);
}

Test(initramfs, same_program_same_bytes, .init = setup, .fini = teardown)
{
	const char *program = make_program();
	size_t size_a, size_b;

	cr_assert_eq(initramfs_write(in_dir("a.cpio"), program, NULL, NULL, NULL), 0);
	/* Another time stamp and owner's mode on the program must not show. */
	cr_assert_eq(chmod(program, 0700), 0);
	cr_assert_eq(utimensat(AT_FDCWD, program, (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
	cr_assert_eq(initramfs_write(in_dir("b.cpio"), program, NULL, NULL, NULL), 0);

	char *a = slurp(in_dir("a.cpio"), &size_a), *b = slurp(in_dir("b.cpio"), &size_b);

	cr_assert_eq(size_a, size_b);
	cr_assert_arr_eq(a, b, size_a);
	free(a);
	free(b);
}

Test(initramfs, modules_come_in_their_order, .init = setup, .fini = teardown)
{
	static struct module_list list = {
		.items = {{"virtio_ring", (void *)"ring", 4}, {"virtio", (void *)"bus", 3}},
		.n = 2,
	};
	char seen[512] = "", content[8] = "";
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	struct error err = {0};

	cr_assert_eq(initramfs_write(in_dir("a.cpio"), make_program(), NULL, &list, &err), 0, "%s", err.message);
	archive_read_support_format_cpio(a);
	cr_assert_eq(archive_read_open_filename(a, in_dir("a.cpio"), 65536), ARCHIVE_OK);
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		strcat(strcat(seen, archive_entry_pathname(entry)), " ");
		if (strstr(archive_entry_pathname(entry), "00-"))
			cr_assert_eq(archive_read_data(a, content, sizeof(content)), 4);
	}
	cr_assert(strstr(seen, " tmp modules modules/00-virtio_ring.ko modules/01-virtio.ko "), "%s", seen);
	cr_assert_str_eq(content, "ring");
	archive_read_free(a);
}

/* The runtime of guests that run containers: another program, and nothing where there is none. */
Test(initramfs, holds_a_runtime, .init = setup, .fini = teardown)
{
	struct error err = {0};
	char program[128], runtime[128];
	int found = 0;

	snprintf(program, sizeof(program), "%s", make_program());
	snprintf(runtime, sizeof(runtime), "%s", in_dir("runtime"));
	cr_assert_eq(file_write_atomic(runtime, "a runtime", 9, 0644, &err), 0, "%s", err.message);
	cr_assert_eq(initramfs_write(in_dir("a.cpio"), program, runtime, NULL, &err), 0, "%s", err.message);

	struct archive *a = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_format_cpio(a);
	cr_assert_eq(archive_read_open_filename(a, in_dir("a.cpio"), 65536), ARCHIVE_OK);
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		char content[16] = "";

		if (strcmp(archive_entry_pathname(entry), INITRAMFS_RUNTIME) != 0)
			continue;
		found++;
		cr_expect_eq(archive_entry_perm(entry), 0755);
		cr_expect_eq(archive_read_data(a, content, sizeof(content)), 9);
		cr_expect_str_eq(content, "a runtime");
	}
	archive_read_free(a);
	cr_expect_eq(found, 1);
	cr_expect_eq(initramfs_write(in_dir("b.cpio"), program, "/nope/runtime", NULL, &err), -ENOENT);
	cr_expect(strstr(err.message, "/nope/runtime"), "%s", err.message);
	cr_expect(!path_exists(in_dir("b.cpio")));
}

Test(initramfs, missing_program_is_named, .init = setup, .fini = teardown)
{
	struct error err = {0};

	cr_assert_eq(initramfs_write(in_dir("a.cpio"), "/nope/agent", NULL, NULL, &err), -ENOENT);
	cr_assert(strstr(err.message, "/nope/agent"), "%s", err.message);
	cr_assert(!path_exists(in_dir("a.cpio")));
}

Test(initramfs, never_writes_over_a_file, .init = setup, .fini = teardown)
{
	const char *program = make_program();

	cr_assert_eq(initramfs_write(in_dir("a.cpio"), program, NULL, NULL, NULL), 0);
	cr_assert_eq(initramfs_write(in_dir("a.cpio"), program, NULL, NULL, NULL), -EEXIST);
}
