/* base/files: small files, atomic writes, trees that go without following links. */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(files, reads_below_a_root_prefix)
{
	struct scratch scratch = scratch_make();
	char text[16];
	int64_t value = -1;

	scratch_write(&scratch, "a", "hello\n");
	cr_expect_eq(file_read(scratch.path, "/a", text, sizeof(text), NULL), 5);
	cr_expect_str_eq(text, "hello");
	cr_expect_eq(file_read(scratch.path, "/a", text, 3, NULL), -EFBIG);
	cr_expect_eq(file_read(scratch.path, "/b", text, sizeof(text), NULL), -ENOENT);
	scratch_write(&scratch, "n", "-42\n");
	cr_expect_eq(file_read_int(scratch.path, "/n", &value, NULL), 0);
	cr_expect_eq(value, -42);
	scratch_write(&scratch, "n", "max\n");
	cr_expect_eq(file_read_int(scratch.path, "/n", &value, NULL), 0);
	cr_expect_eq(value, INT64_MAX);
	scratch_write(&scratch, "n", "12 apples\n");
	cr_expect_eq(file_read_int(scratch.path, "/n", &value, NULL), -EINVAL);
	scratch_remove(&scratch);
}

Test(files, finds_fields_by_their_whole_name)
{
	char value[16];
	const char *text = "Pss_Dirty:  1 kB\nPss:      48 kB\ncpu0 9\ncpu  1 2 3\nlast=x";

	cr_expect(text_field(text, "Pss", value, sizeof(value)));
	cr_expect_str_eq(value, "48 kB");
	cr_expect(text_field(text, "cpu", value, sizeof(value)));
	cr_expect_str_eq(value, "1 2 3");
	cr_expect(text_field(text, "last", value, sizeof(value)));
	cr_expect_str_eq(value, "x");
	cr_expect_not(text_field(text, "Ps", value, sizeof(value)));
	cr_expect_not(text_field("", "Pss", value, sizeof(value)));
}

Test(files, an_atomic_write_replaces_whole_or_not_at_all)
{
	struct scratch scratch = scratch_make();
	struct error err = {0};
	char text[16];

	cr_expect_eq(file_write_atomic(scratch_path(&scratch, "f"), "one", 3, 0644, &err), 0, "%s", err.message);
	cr_expect_eq(file_write_atomic(scratch_path(&scratch, "f"), "two", 3, 0644, &err), 0);
	cr_expect_eq(file_read("", scratch_path(&scratch, "f"), text, sizeof(text), NULL), 3);
	cr_expect_str_eq(text, "two");
	cr_expect_eq(file_write_atomic(scratch_path(&scratch, "none/f"), "x", 1, 0644, &err), -ENOENT);
	/* A folder in the way: the rename fails, and no temporary file stays. */
	cr_expect_eq(dir_make(scratch_path(&scratch, "d/e"), 0755, NULL), 0);
	cr_expect_lt(file_write_atomic(scratch_path(&scratch, "d"), "x", 1, 0644, &err), 0);
	char leftover[256];
	snprintf(leftover, sizeof(leftover), "%s/d.%d.tmp", scratch.path, (int)getpid());
	cr_expect_not(path_exists(leftover));
	scratch_remove(&scratch);
}

Test(files, removal_does_not_follow_links)
{
	struct scratch scratch = scratch_make();

	cr_assert_eq(dir_make(scratch_path(&scratch, "precious"), 0755, NULL), 0);
	scratch_write(&scratch, "precious/file", "keep");
	cr_assert_eq(dir_make(scratch_path(&scratch, "tree/a/b"), 0755, NULL), 0);
	cr_assert_eq(symlink(scratch_path(&scratch, "precious"), scratch_path(&scratch, "tree/a/link")), 0);
	cr_expect_eq(dir_remove(scratch_path(&scratch, "tree"), NULL), 0);
	cr_expect_not(path_exists(scratch_path(&scratch, "tree")));
	cr_expect(path_exists(scratch_path(&scratch, "precious/file")));
	cr_expect_eq(dir_remove(scratch_path(&scratch, "never-was"), NULL), 0);
	scratch_remove(&scratch);
}

Test(files, copies_bytes_and_nothing_else)
{
	struct scratch scratch = scratch_make();
	struct stat st;
	char text[16];

	scratch_write(&scratch, "from", "content");
	cr_assert_eq(chmod(scratch_path(&scratch, "from"), 04755), 0);
	cr_expect_eq(file_copy(scratch_path(&scratch, "from"), scratch_path(&scratch, "to"), 0600, NULL), 0);
	cr_expect_eq(file_read("", scratch_path(&scratch, "to"), text, sizeof(text), NULL), 7);
	cr_expect_eq(stat(scratch_path(&scratch, "to"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_expect_eq(file_copy(scratch_path(&scratch, "none"), scratch_path(&scratch, "to2"), 0600, NULL), -ENOENT);
	cr_expect_not(path_exists(scratch_path(&scratch, "to2")));
	scratch_remove(&scratch);
}
