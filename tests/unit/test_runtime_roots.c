/* Roots: overlays, layers, and what is written, in each way in which a container can be started. */
#include "runtime_ways.h"

#include <runtime/ids.h>

#include <sched.h>
#include <sys/mount.h>

TestSuite(container_roots, .init = setup, .fini = finish, .timeout = 120);

/* ---- overlay ---- */

static void check_overlay(struct container_options *options)
{
	char path[128];

	options->root = CONTAINER_ROOT_OVERLAY;
	expect_script(options,
		      "A=/busybox; $A touch /x && echo new > /file && $A cat /file; $A mv /busybox /busybox2 && /busybox2 rm /file && "
		      "/busybox2 ls /; /busybox2 stat -c "
		      "'%u:%g' / /x /busybox2; /busybox2 cat /etc/hostname /etc/hosts; /busybox2 grep -c '^[^ ]* / ' /proc/self/mounts; "
		      "/busybox2 ls -l /dev/ptmx | /busybox2 "
		      "grep -o 'pts/ptmx'; /busybox2 test -c /dev/pts/ptmx && echo pts\n",
		      "new\nbusybox2\ndev\netc\nproc\nrun\nsys\ntmp\nx\n0:0\n0:0\n0:0\nc-1\n127.0.0.1\tlocalhost\n::1\tlocalhost "
		      "ip6-localhost\n127.0.1.1\tc-1\n1\npts/ptmx\npts\n");
	expect_script(options, "/busybox ls /x /busybox2\n",
		      "ls: /x: No such file or directory\nls: /busybox2: No such file or directory\n");
	snprintf(path, sizeof(path), "%s/x", root);
	cr_expect_not(path_exists(path));
	snprintf(path, sizeof(path), "%s/busybox", root);
	cr_expect(path_exists(path));
}

Test(container_roots, overlay_ends_with_the_container)
{
	in_all_ways(check_overlay);
}

/* The image of an attacker, or a plain one: names that every root needs are missing, or are something else. */
static void check_odd_folders(struct container_options *options)
{
	options->root = CONTAINER_ROOT_OVERLAY;
	expect_script(
		options,
		"A=/busybox; for f in proc sys dev tmp run; do $A stat -c '%n %F' /$f; done; $A test -d /proc/1 && $A test -c /dev/null && "
		"echo fine; $A ls /outside\n",
		"/proc directory\n/sys directory\n/dev directory\n/tmp directory\n/run directory\nfine\n"
		"ls: /outside: No such file or directory\n");
}

Test(container_roots, folders_that_are_missing_or_links)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/proc", root);
	cr_assert(rmdir(path) == 0 && symlink("/etc", path) == 0);
	snprintf(path, sizeof(path), "%s/sys", root);
	cr_assert_eq(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/dev", root);
	cr_assert(rmdir(path) == 0 && symlink("../../../../dev", path) == 0);
	snprintf(path, sizeof(path), "%s/tmp", root);
	cr_assert_eq(rmdir(path), 0);
	write_text(path, "a file");
	in_all_ways(check_odd_folders);
}

static char layer_dirs[128][64];
static const char *layers[129];

/* Layers of one file each, and all write the file "last". */
static void make_layers_in(const char *top, int n)
{
	char path[128];

	strcpy(layers_top, top);
	cr_assert_eq(chmod(layers_top, 0755), 0);
	for (int i = 0; i < n; i++) {
		snprintf(layer_dirs[i], sizeof(layer_dirs[i]), "%s/%d", layers_top, i);
		cr_assert_eq(mkdir(layer_dirs[i], 0755), 0);
		snprintf(path, sizeof(path), "%s/f%d", layer_dirs[i], i);
		write_text(path, "x");
		snprintf(path, sizeof(path), "%s/last", layer_dirs[i]);
		write_text(path, i == n - 1 ? "top\n" : "hidden\n");
		layers[i] = layer_dirs[i];
	}
	layers[n] = NULL;
}

static void make_layers(int n)
{
	char top[] = "/tmp/bench-layers-XXXXXX";

	cr_assert_not_null(mkdtemp(top));
	make_layers_in(top, n);
}

static void check_layers(struct container_options *options)
{
	options->layers = layers;
	expect_script(options, "/busybox cat /last; /busybox ls / | /busybox grep -c '^f'; /busybox touch /x; echo > /tmp/y && echo fine\n",
		      "top\n3\ntouch: /x: Read-only file system\nfine\n");
	options->root = CONTAINER_ROOT_OVERLAY;
	expect_script(options, "/busybox rm /last && echo w > /f1 && /busybox cat /last /f1\n",
		      "cat: can't open '/last': No such file or directory\nw\n");
}

Test(container_roots, layers_lie_over_each_other)
{
	make_layers(3);
	in_all_ways(check_layers);
}

static void check_many_layers(struct container_options *options)
{
	options->layers = layers;
	expect_script(options, "/busybox cat /last; /busybox ls / | /busybox grep -c '^f'\n", "top\n127\n");
}

Test(container_roots, as_many_layers_as_images_may_have)
{
	make_layers(127);
	in_all_ways(check_many_layers);
}

/* The store of images is closed to all but root: layers are opened before the container is somebody else. */
Test(container_roots, layers_in_a_closed_folder)
{
	struct container_options options = options_here();

	if (geteuid() != 0)
		skip("needs root");
	make_layers(3);
	cr_assert_eq(chmod(layers_top, 0700), 0);
	check_layers(&options);
}

/* ---- what this kernel, or a file system, cannot do ---- */

static const char *note_of(const struct container_plan *plan, const char *part)
{
	const struct container_facts *facts = container_plan_facts(plan);

	for (size_t i = 0; i < facts->n_notes; i++)
		if (strstr(facts->notes[i], part))
			return facts->notes[i];
	return NULL;
}

/* A folder that layers have: to hide it, overlayfs needs a mark, which a tmpfs may not keep. */
static void check_made_again(struct container_options *options)
{
	options->root = CONTAINER_ROOT_OVERLAY;
	options->layers = layers;
	struct run run = start(options);
	char text[512];
	bool can = !note_of(run.plan, "cannot be removed or replaced");

	talk(&run, "cd /; A=/busybox; $A mkdir /new && $A rm -r /folder && $A mkdir /folder && $A ls /folder && echo empty\n", text,
	     sizeof(text));
	cr_expect_str_eq(text, can ? "empty\n" : "rm: can't remove '/folder': Input/output error\n", "userns %d, uid %u: %s",
			 options->userns, geteuid(), text);
	end(&run);
}

Test(container_roots, folders_that_are_made_again)
{
	char path[128];

	make_layers(1);
	snprintf(path, sizeof(path), "%s/folder", layer_dirs[0]);
	cr_assert_eq(mkdir(path, 0755), 0);
	strcat(path, "/file");
	write_text(path, "old");
	in_all_ways(check_made_again);
}

/* Does the file system of a folder refuse what the plan asks it for? As the kernel says. */
static bool cannot_map_ids(const char *path)
{
	struct ids ids = {.uid = IDS_FIRST, .gid = IDS_FIRST};
	struct plan_source source = {.path = path, .template_fd = -1, .maps_ids = true};
	struct error err = {0};
	int userns_fd = ids_namespace(&ids, &err), fd;

	cr_assert_geq(userns_fd, 0, "%s", err.message);
	fd = source_open(&source, userns_fd);
	close(userns_fd);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static void check_unmapped(enum container_choice userns, const char *note, const char *map)
{
	struct container_options options = options_here();
	char text[512];

	options.userns = userns;
	options.layers = layers;
	options.root = CONTAINER_ROOT_OVERLAY;
	struct run run = start(&options);
	const char *said = note_of(run.plan, "cannot map ids");
	cr_expect(said && strncmp(said, note, strlen(note)) == 0 && (strstr(said, layers_top) || strstr(said, root)) &&
			  strstr(said, "ext4"),
		  "%s", said ? said : "nothing");
	talk(&run, "echo w > /f0 && /busybox cat /f0; /busybox stat -c %u:%g / /f0 /f1; echo $(/busybox cat /proc/self/uid_map)\n", text,
	     sizeof(text));
	cr_expect(strncmp(text, "w\n0:0\n0:0\n0:0\n", 14) == 0 && strstr(text, map), "%s", text);
	end(&run);
}

/* A ramfs has never learnt to show other owners. The mount is seen by this test's process alone. */
Test(container_roots, layers_of_a_file_system_that_cannot_map_ids)
{
	struct container_options options = options_here();
	char elsewhere[32] = "/tmp/bench-layers-XXXXXX";

	if (geteuid() != 0)
		skip("needs root");
	struct container_plan *plan = plan_for(&options);
	bool maps = plan->maps_ids;
	container_plan_free(plan);
	cr_assert(mkdtemp(elsewhere));
	cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	cr_assert_geq(file_read("", "/proc/self/mountinfo", mounts_before, sizeof(mounts_before), NULL), 0); /* as they are numbered here */
	cr_assert_eq(mount("ramfs", elsewhere, "ramfs", 0, "mode=0755"), 0);
	make_layers_in(elsewhere, 3);
	bool refuses = cannot_map_ids(elsewhere);
	if (maps && refuses) {
		check_unmapped(CONTAINER_AUTO, "no user namespace: ", "0 0 4294967295");
		check_unmapped(CONTAINER_ON, "root inside is root outside, in a user namespace: ", "0 0 1");
	}
	cr_expect_eq(umount(elsewhere), 0);
	rmdir(elsewhere);
	layers_top[0] = '\0';
	if (!maps || !refuses)
		skip(maps ? "this kernel's ramfs maps ids" : "no user namespaces here");
}

/* ---- an upper layer that stays ---- */

static void check_upper(struct container_options *options)
{
	char upper[80], path[128], command[128];
	struct stat st;

	snprintf(upper, sizeof(upper), "%s/kept-%d", root, (int)options->userns);
	cr_assert_eq(mkdir(upper, 0700), 0);
	snprintf(path, sizeof(path), "%s/upper", upper);
	cr_assert_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/work", upper);
	cr_assert_eq(mkdir(path, 0755), 0);
	options->root = CONTAINER_ROOT_UPPER;
	options->upper = upper;
	snprintf(command, sizeof(command), "echo one > /kept; /busybox stat -c %%u:%%g /kept\n");
	expect_script(options, command, "0:0\n");
	expect_script(options, "/busybox cat /kept; echo two >> /kept; /busybox cat /kept\n", "one\none\ntwo\n");
	snprintf(path, sizeof(path), "%s/upper/kept", upper);
	cr_expect(stat(path, &st) == 0 && st.st_uid == geteuid(), "what root writes inside belongs to who started it: %u", st.st_uid);
}

Test(container_roots, upper_layer_that_stays)
{
	char folder[80];

	snprintf(folder, sizeof(folder), "%s/kept-0", root);
	for (enum container_choice userns = CONTAINER_AUTO; geteuid() == 0 && userns <= CONTAINER_OFF; userns++) {
		struct container_options options = options_here();

		options.userns = userns;
		check_upper(&options);
	}
	dir_remove(folder, NULL);
	become_owner();
	struct container_options options = options_here();
	struct error err = {0};
	if (container_support(&options, &err) != CONTAINER_UNSUPPORTED)
		check_upper(&options);
}
