/* Roots: overlays, layers, and what is written, in each way in which a container can be started. */
#include "runtime_ways.h"

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
static void make_layers(int n)
{
	char path[128];

	strcpy(layers_top, "/tmp/bench-layers-XXXXXX");
	cr_assert(mkdtemp(layers_top) && chmod(layers_top, 0755) == 0);
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

static void with_kernel(int kernel, const struct container_options *options, const char *script, char *ret, size_t size)
{
	struct run run = {.plan = plan_for(options), .container = CONTAINER_NONE};
	struct error err = {0};
	int pair[2];

	run.plan->kernel = kernel;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(container_start(run.plan, "c-1", (int[]){pair[1], pair[1], pair[1]}, 0, &run.container, &err), 0, "%s", err.message);
	close(pair[1]);
	run.stream = pair[0];
	talk(&run, script, ret, size);
	end(&run);
}

static void check_old_kernels(struct container_options *options)
{
	char text[256];

	options->layers = layers;
	options->root = CONTAINER_ROOT_OVERLAY;
	for (int kernel = KERNEL_ADDS_LAYERS - 1; kernel <= KERNEL_ADDS_LAYERS; kernel++) {
		with_kernel(kernel, options, "/busybox cat /last; /busybox ls / | /busybox grep -c '^f'; /busybox touch /x && echo fine\n",
			    text, sizeof(text));
		cr_expect_str_eq(text, "top\n40\nfine\n", "as Linux %d: %s", kernel, text);
	}
}

Test(container_roots, layers_as_older_kernels_take_them)
{
	make_layers(40);
	in_all_ways(check_old_kernels);
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
