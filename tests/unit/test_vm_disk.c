/* Images of a root file system: made of folders and layers by the real tools, kept, noticed when damaged, and nothing is left of one that fails. */

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>
#include <criterion/criterion.h>
#include <vmdriver/disk.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scene[64];

static const char *below(const char *name)
{
	static char paths[16][300];
	static int next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", scene, name);
	return path;
}

static void put(const char *name, const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(below(name), "we");

	cr_assert(file && fputs(text, file) >= 0, "%s", name);
}

static void make_tree(void)
{
	strcpy(scene, "/tmp/vm-disk-XXXXXX");
	cr_assert(mkdtemp(scene));
	cr_assert_eq(dir_make(below("tree/etc"), 0755, NULL), 0);
	cr_assert_eq(dir_make(below("cache"), 0700, NULL), 0);
	put("tree/etc/greeting", "hello from the tree\n");
	cr_assert_eq(symlink("greeting", below("tree/etc/link")), 0);
	cr_assert_eq(chmod(below("tree/etc/greeting"), 0640), 0);
}

static void remove_tree(void)
{
	dir_remove(scene, NULL);
}

static char noted[512];

static void note(void *arg, const char *text)
{
	snprintf(noted, sizeof(noted), "%s", text);
}

/* `layer` is the caller's, who may change it. */
static struct disk_plan plan_of(enum disk_format format, const char **layer)
{
	static char tree[300], cache[300];

	snprintf(tree, sizeof(tree), "%s/tree", scene);
	snprintf(cache, sizeof(cache), "%s/cache", scene);
	*layer = tree;
	return (struct disk_plan){.format = format, .layers = layer, .n_layers = 1, .cache_dir = cache, .note = note};
}

static void need_tools(const struct disk_plan *plan)
{
	struct error err = {0};

	if (disk_check_tools(plan, &err) < 0)
		cr_skip_test("%s", err.message);
}

static struct disk get(const struct disk_plan *plan)
{
	struct error err = {0};
	struct disk disk = {0};

	cr_assert_eq(disk_get(plan, &disk, &err), 0, "%s", err.message);
	cr_assert_eq(err.code, 0);
	return disk;
}

static int entries_of(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0;
	return count;
}

/* By the tools that look into such images; they are of the same packages, but cpio is its own. */
static void read_back(enum disk_format format, const char *image, const char *file, char *ret, size_t size)
{
	char name[64];
	const char *const ways[][8] = {
		[DISK_CPIO] = {"cpio", "--quiet", "-i", "--to-stdout", "-F", image, file, NULL},
		[DISK_EXT4] = {"debugfs", "-R", name, image, NULL},
		[DISK_SQUASHFS] = {"unsquashfs", "-cat", image, file, NULL},
	};

	snprintf(name, sizeof(name), "cat /%s", file);
	cr_assert_eq(process_run(ways[format], "/", 30000, false, ret, size, NULL), 0, "%s", ret);
}

static void round_trip(enum disk_format format)
{
	const char *layer;
	struct disk_plan plan = plan_of(format, &layer);
	char text[256];

	need_tools(&plan);
	struct disk first = get(&plan), again = get(&plan);

	cr_assert(first.made && !again.made, "it is made once");
	cr_assert_str_eq(first.path, again.path);
	cr_assert_eq(first.bytes, again.bytes);
	cr_assert_eq(entries_of(below("cache/vm/disks")), 1, "one image, and nothing beside it");
	if (format == DISK_EROFS)
		return; /* its tools do not print a file; a guest reads it (vm_disk.sh) */
	read_back(format, first.path, "etc/greeting", text, sizeof(text));
	cr_assert_str_eq(text, "hello from the tree\n");
}

Test(vm_disk, an_archive_for_the_initramfs, .init = make_tree, .fini = remove_tree)
{
	round_trip(DISK_CPIO);
}

Test(vm_disk, ext4, .init = make_tree, .fini = remove_tree)
{
	round_trip(DISK_EXT4);
}

Test(vm_disk, squashfs, .init = make_tree, .fini = remove_tree)
{
	round_trip(DISK_SQUASHFS);
}

Test(vm_disk, erofs, .init = make_tree, .fini = remove_tree)
{
	round_trip(DISK_EROFS);
}

static bool is_sound(const char *image)
{
	char output[2048];
	int rc = process_run((const char *const[]){"e2fsck", "-fn", image, NULL}, NULL, 30000, true, output, sizeof(output), NULL);

	if (rc != 0)
		fprintf(stderr, "%s\n", output);
	return rc == 0;
}

/* Many small files, long names, a sparse file and a folder of many: the size is a guess that must never be too small. */
Test(vm_disk, ext4_has_room_for_every_kind_of_tree, .init = make_tree, .fini = remove_tree)
{
	const char *layer;
	struct disk_plan plan = plan_of(DISK_EXT4, &layer);
	char name[300];

	need_tools(&plan);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "tree/etc/%0*d", i % 2 ? 200 : 6, i);
		put(name, i % 3 ? "x" : "");
	}
	cr_assert_eq(truncate(below("tree/etc/greeting"), 40 << 20), 0);
	struct disk disk = get(&plan);
	cr_assert(is_sound(disk.path));
	cr_assert(disk.allocated_bytes < disk.bytes, "what is empty takes no room");
}

Test(vm_disk, a_change_is_another_image, .init = make_tree, .fini = remove_tree)
{
	const char *layer;
	struct disk_plan plan = plan_of(DISK_EXT4, &layer);
	struct disk first, then;

	need_tools(&plan);
	first = get(&plan);
	/* As long as before, and with the old time: only the time of change tells. */
	struct stat st;
	cr_assert_eq(stat(below("tree/etc/greeting"), &st), 0);
	usleep(20000); /* the kernel's clock of files has ticks */
	put("tree/etc/greeting", "HELLO from the tree\n");
	const struct timespec times[2] = {st.st_atim, st.st_mtim};
	cr_assert_eq(utimensat(AT_FDCWD, below("tree/etc/greeting"), times, 0), 0);
	then = get(&plan);
	cr_assert(then.made);
	cr_assert_str_neq(first.key, then.key);
}

static void damage(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	cr_assert_eq(pwrite(fd, "?", 1, 5000), 1);
}

Test(vm_disk, a_damaged_image_is_made_again_and_that_is_said, .init = make_tree, .fini = remove_tree)
{
	const char *layer;
	struct disk_plan plan = plan_of(DISK_EXT4, &layer);
	struct disk disk;
	char facts[PATH_MAX];

	need_tools(&plan);
	disk = get(&plan);
	damage(disk.path);
	noted[0] = '\0';
	cr_assert(get(&plan).made, "one changed byte is noticed");
	cr_assert(strstr(noted, "making"), "%s", noted);
	cr_assert_eq(truncate(disk.path, 4096), 0);
	cr_assert(get(&plan).made, "so is a lost end");
	snprintf(facts, sizeof(facts), "%.*s/facts", (int)(strrchr(disk.path, '/') - disk.path), disk.path);
	cr_assert_eq(unlink(facts), 0);
	cr_assert(get(&plan).made, "and what was never finished");
	cr_assert_not(get(&plan).made);
	cr_assert_eq(entries_of(below("cache/vm/disks")), 1);
}

Test(vm_disk, what_a_killed_making_left_goes, .init = make_tree, .fini = remove_tree)
{
	const char *layer;
	struct disk_plan plan = plan_of(DISK_EXT4, &layer);

	need_tools(&plan);
	cr_assert_eq(dir_make(below("cache/vm/disks/tmp-old/merged"), 0700, NULL), 0);
	put("cache/vm/disks/tmp-old/disk", "half");
	get(&plan);
	cr_assert_eq(entries_of(below("cache/vm/disks")), 1);
}

/* ---- what cannot be ---- */

static void refused(const struct disk_plan *plan, int code, const char *word)
{
	struct error err = {0};
	struct disk disk = {0};

	cr_assert_eq(disk_get(plan, &disk, &err), -code, "%d: %s", err.code, err.message);
	cr_assert(strstr(err.message, word), "%s", err.message);
	cr_assert_not(strchr(err.message, '\n'), "one line");
	cr_assert_eq(disk.path[0], '\0', "untouched");
}

Test(vm_disk, a_missing_tool_is_named_with_its_package)
{
	const char *const layer = "/etc", *const packages[] = {"cpio", "e2fsprogs", "squashfs-tools", "erofs-utils"};

	setenv("PATH", "/nope", 1);
	for (int format = 0; format < DISK_FORMAT_COUNT; format++) {
		struct disk_plan plan = {.format = format, .layers = &layer, .n_layers = 1, .cache_dir = "/nope"};
		struct error err = {0};

		cr_assert_eq(disk_check_tools(&plan, &err), -ENOENT);
		cr_assert(strstr(err.message, "is not installed") && strstr(err.hint, packages[format]), "%s (%s)", err.message, err.hint);
	}
}

Test(vm_disk, folders_that_are_none, .init = make_tree, .fini = remove_tree)
{
	const char *layer;
	struct disk_plan plan = plan_of(DISK_EXT4, &layer);

	need_tools(&plan);
	layer = below("nowhere");
	refused(&plan, ENOENT, "nowhere");
	layer = below("tree/etc/greeting");
	refused(&plan, ENOTDIR, "greeting");
	layer = "/";
	refused(&plan, EXDEV, "mounted");
	cr_assert_eq(entries_of(below("cache/vm/disks")), 0);
}

static void fake_tool(const char *name, const char *script)
{
	char path[400];

	cr_assert_eq(dir_make(below("bin"), 0700, NULL), 0);
	snprintf(path, sizeof(path), "bin/%s", name);
	put(path, script);
	cr_assert_eq(chmod(below(path), 0755), 0);
	snprintf(path, sizeof(path), "%s:/usr/sbin:/usr/bin:/sbin:/bin", below("bin"));
	setenv("PATH", path, 1);
}

Test(vm_disk, a_tool_that_fails_leaves_nothing, .init = make_tree, .fini = remove_tree)
{
	const char *layer;
	struct disk_plan plan = plan_of(DISK_SQUASHFS, &layer);

	fake_tool("mksquashfs", "#!/bin/sh\necho half >\"$2\"\necho it went wrong\nexit 4\n");
	need_tools(&plan);
	refused(&plan, EIO, "it went wrong");
	cr_assert_eq(entries_of(below("cache/vm/disks")), 0);
}

Test(vm_disk, a_folder_that_changes_meanwhile_is_no_image, .init = make_tree, .fini = remove_tree)
{
	const char *layer;
	struct disk_plan plan = plan_of(DISK_SQUASHFS, &layer);

	fake_tool("mksquashfs", "#!/bin/sh\necho image >\"$2\"\necho more >>\"$1/etc/new\"\n");
	need_tools(&plan);
	refused(&plan, EAGAIN, "changed");
	cr_assert_eq(entries_of(below("cache/vm/disks")), 0);
}

/* ---- a full disk: a tmpfs in a mount namespace of a child's own ---- */

struct outcome {
	int rc, entries;
	char message[200];
};

static void run_full(enum disk_format format, int out)
{
	const char *layer;
	struct disk_plan plan = plan_of(format, &layer);
	struct outcome outcome = {.rc = 1};
	struct error err = {0};
	struct disk disk;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bench-test", below("cache"), "tmpfs", 0, "size=4m") < 0)
		_exit(77);
	outcome.rc = disk_get(&plan, &disk, &err);
	outcome.entries = entries_of(below("cache/vm/disks"));
	snprintf(outcome.message, sizeof(outcome.message), "%.150s", err.message);
	_exit(write(out, &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : 1);
}

static void full_disk(enum disk_format format)
{
	const char *layer;
	struct disk_plan plan = plan_of(format, &layer);
	struct outcome outcome = {0};
	int ends[2], status;

	need_tools(&plan);
	if (geteuid() != 0)
		cr_skip_test("a tmpfs of a test needs root");
	/* Nothing that a compressor makes small. */
	_cleanup_close_ int random = open("/dev/urandom", O_RDONLY | O_CLOEXEC),
			    file = open(below("tree/big"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	static char block[1 << 20];
	for (int i = 0; i < 12; i++)
		cr_assert(read(random, block, sizeof(block)) == sizeof(block) && write(file, block, sizeof(block)) == sizeof(block));
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		run_full(format, ends[1]);
	close(ends[1]);
	ssize_t got = read(ends[0], &outcome, sizeof(outcome));
	close(ends[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("no mount namespace here");
	cr_assert_eq(got, (ssize_t)sizeof(outcome));
	cr_assert_eq(outcome.rc, -ENOSPC, "%d: %s", outcome.rc, outcome.message);
	cr_assert(strstr(outcome.message, "no space left"), "%s", outcome.message);
	cr_assert_eq(outcome.entries, 0, "nothing half-made stays");
}

Test(vm_disk, full_while_an_archive_is_made, .init = make_tree, .fini = remove_tree)
{
	full_disk(DISK_CPIO);
}

Test(vm_disk, full_while_ext4_is_made, .init = make_tree, .fini = remove_tree)
{
	full_disk(DISK_EXT4);
}

Test(vm_disk, full_while_squashfs_is_made, .init = make_tree, .fini = remove_tree)
{
	full_disk(DISK_SQUASHFS);
}

Test(vm_disk, full_while_erofs_is_made, .init = make_tree, .fini = remove_tree)
{
	full_disk(DISK_EROFS);
}

/* ---- layers ---- */

static bool can_merge(void)
{
	const char *const argv[] = {"unshare", "--mount", "true", NULL};

	return geteuid() == 0 && process_run(argv, NULL, 10000, true, NULL, 0, NULL) == 0;
}

Test(vm_disk, layers_are_merged_as_containers_see_them, .init = make_tree, .fini = remove_tree)
{
	char top[300], text[256];
	const char *layer;
	struct disk_plan plan = plan_of(DISK_EXT4, &layer);
	const char *const layers[] = {layer, top};

	snprintf(top, sizeof(top), "%s", below("top"));
	plan.layers = layers;
	plan.n_layers = 2;
	need_tools(&plan);
	if (!can_merge())
		cr_skip_test("an overlay cannot be mounted by this test");
	put("tree/etc/gone", "hidden by the upper layer");
	cr_assert_eq(dir_make(below("top/etc"), 0755, NULL), 0);
	put("top/etc/greeting", "hello from above\n");
	cr_assert_eq(mknod(below("top/etc/gone"), S_IFCHR, 0), 0);
	struct disk disk = get(&plan);
	read_back(DISK_EXT4, disk.path, "etc/greeting", text, sizeof(text));
	cr_assert_str_eq(text, "hello from above\n");
	read_back(DISK_EXT4, disk.path, "etc/gone", text, sizeof(text));
	cr_assert_str_eq(text, "", "a file that is hidden is not there");
	cr_assert_eq(entries_of(below("cache/vm/disks")), 1);
	cr_assert(is_sound(disk.path));
}

Test(vm_disk, too_many_layers_are_refused, .init = make_tree, .fini = remove_tree)
{
	const char *layers[DISK_LAYERS_MAX + 1], *layer;
	struct disk_plan plan = plan_of(DISK_EXT4, &layer);

	need_tools(&plan);
	for (int i = 0; i <= DISK_LAYERS_MAX; i++)
		layers[i] = layer;
	plan.layers = layers;
	plan.n_layers = DISK_LAYERS_MAX + 1;
	refused(&plan, E2BIG, "layers");
	cr_assert_eq(entries_of(below("cache/vm/disks")), 0);
}
