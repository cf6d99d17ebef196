/* The container's plan as text, against golden files. Nothing is started, no privilege is needed. With BENCH_GOLDEN_WRITE set the files are written. */
#include <runtime/container.h>
#include <runtime/rootfs.h>

#include <base/files.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const argv[] = {"/agent", NULL};
static char root[64];

static void make_root(void)
{
	struct error err = {0};

	strcpy(root, "/tmp/bench-plan-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	cr_assert_eq(runtime_rootfs_prepare(root, "/proc/self/exe", &err), 0, "%s", err.message);
}

static void remove_root(void)
{
	dir_remove(root, NULL);
}

/* A skip leaves at once, past the suite's end. */
static void skip(const char *reason)
{
	remove_root();
	cr_skip_test("%s", reason);
}

TestSuite(plan, .init = make_root, .fini = remove_root);

static struct container_options options_for(const char *tree)
{
	struct container_options options = container_options_default();

	options.rootfs = root;
	options.argv = argv;
	options.host_root = tree;
	options.cgroup_name = "bench-1-container";
	options.limits = (struct cgroup_limits){.memory_bytes = 64 << 20, .cpu_percent = 100, .cpu_weight = 100, .pids_max = 512};
	options.uid = options.gid = 0;
	return options;
}

/* The plan's text with the temporary root replaced by ROOT. */
static char *print(const struct container_options *options)
{
	struct container_plan *plan = NULL;
	struct error err = {0};
	char *text = NULL, *at;
	size_t size;

	cr_assert_eq(container_prepare(options, &plan, &err), 0, "%s", err.message);
	FILE *out = open_memstream(&text, &size);
	container_plan_print(plan, out);
	fclose(out);
	container_plan_free(plan);
	while ((at = strstr(text, root))) {
		memcpy(at, "ROOT", 4);
		memmove(at + 4, at + strlen(root), strlen(at + strlen(root)) + 1);
	}
	return text;
}

static void compare(const struct container_options *options, const char *golden)
{
	char path[512], want[8192];
	struct error err = {0};
	char *text = print(options);

	if (faccessat(AT_FDCWD, BENCH_TEST_DATA "/cgroup-hybrid/sys/fs/cgroup/cpu", W_OK, AT_EACCESS) < 0)
		skip("this user may not write to the test data");
	snprintf(path, sizeof(path), "%s/%s", BENCH_TEST_DATA, golden);
	if (getenv("BENCH_GOLDEN_WRITE"))
		cr_assert_eq(file_write_atomic(path, text, strlen(text), 0644, &err), 0, "%s", err.message);
	cr_assert_geq(file_read("", path, want, sizeof(want), &err), 0, "%s", err.message);
	text[strlen(text) - 1] = '\0'; /* file_read removes the last line break */
	cr_assert_str_eq(text, want);
	free(text);
}

Test(plan, rootful_hybrid)
{
	struct container_options options = options_for(BENCH_TEST_DATA "/cgroup-hybrid");

	compare(&options, "plan-rootful-hybrid.txt");
}

Test(plan, rootful_v2)
{
	struct container_options options = options_for(BENCH_TEST_DATA "/cgroup-v2");

	options.cpuset = "0-1,3";
	compare(&options, "plan-rootful-v2.txt");
}

Test(plan, rootless_without_cgroups)
{
	struct container_options options = options_for(BENCH_TEST_DATA "/cgroup-none");

	options.uid = options.gid = 1000;
	compare(&options, "plan-rootless-none.txt");
}

static void refuse(const struct container_options *options, const char *message, const char *hint)
{
	struct container_plan *plan = NULL;
	struct error err = {0};

	cr_assert_lt(container_prepare(options, &plan, &err), 0);
	cr_assert_null(plan);
	cr_assert_not_null(strstr(err.message, message), "'%s' lacks '%s'", err.message, message);
	cr_assert_not_null(strstr(err.hint, hint), "'%s' lacks '%s'", err.hint, hint);
}

/* Without a user namespace the group alone keeps what can reach devices from the host's; without a group it is not started. */
Test(plan, what_reaches_devices_needs_a_guard)
{
	static const char *const devices[] = {"/dev/null", NULL};
	static const struct {
		const char *const *devices;
		uint64_t add, drop;
		const char *message; /* NULL: fine */
	} cases[] = {
		{devices, 0, 0, "a device without a user namespace needs the cgroup controller 'devices'"},
		{NULL, UINT64_C(1) << CAP_MKNOD, 0, "the capability mknod without a user namespace needs"},
		{NULL, UINT64_C(1) << CAP_SYS_RAWIO, 0, "the capability sys_rawio without a user namespace needs"},
		{NULL, UINT64_MAX, 0, "the capability mknod"},
		{NULL, UINT64_MAX, UINT64_C(1) << CAP_MKNOD | UINT64_C(1) << CAP_SYS_RAWIO, NULL},
		{NULL, 0, 0, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct container_options options = options_for(BENCH_TEST_DATA "/cgroup-none");

		options.devices = cases[i].devices;
		options.capabilities_add = cases[i].add;
		options.capabilities_drop = cases[i].drop;
		options.userns = CONTAINER_OFF;
		if (cases[i].message)
			refuse(&options, cases[i].message, "let it have a user namespace (userns=auto)");
		else
			free(print(&options));
		options.cgroup = CONTAINER_OFF;
		if (cases[i].message)
			refuse(&options, "which cgroup=off leaves out", "userns=auto");
		options.userns = CONTAINER_ON;
		free(print(&options));
	}
}

static const char *const image_devices[] = {"/dev/null", NULL};
static const struct container_mount image_mounts[] = {{"/tmp", "/data", false}, {"/usr", "/opt/usr", true}};

/* Everything that an image's container can ask for. */
static struct container_options options_for_image(const char *tree, const char *const *layers)
{
	struct container_options options = options_for(tree);

	options.layers = layers;
	options.root = CONTAINER_ROOT_OVERLAY;
	options.mounts = image_mounts;
	options.n_mounts = 2;
	options.devices = image_devices;
	options.terminal = true;
	options.working_dir = "/srv";
	options.hostname = "web";
	options.limits.cpu_percent = options.limits.cpu_weight = 0;
	return options;
}

Test(plan, image_of_root)
{
	const char *const layers[] = {root, root, NULL};
	struct container_options options = options_for_image(BENCH_TEST_DATA "/cgroup-hybrid", layers);

	options.run_uid = options.run_gid = 1000;
	options.capabilities_add = UINT64_C(1) << 13;
	compare(&options, "plan-image-rootful.txt");
}

Test(plan, image_of_an_ordinary_user)
{
	const char *const layers[] = {root, root, NULL};
	struct container_options options = options_for_image(BENCH_TEST_DATA "/cgroup-none", layers);

	options.uid = options.gid = 1000;
	compare(&options, "plan-image-rootless.txt");
	options.run_uid = 1;
	refuse(&options, "user 1, group 0: this container has ids from 0 to 0", "run as root");
}

Test(plan, bare)
{
	struct container_options options = options_for(BENCH_TEST_DATA "/cgroup-none");

	options.namespaces = 0;
	options.cgroup = CONTAINER_OFF;
	options.seccomp_off = true;
	compare(&options, "plan-bare.txt");
}

Test(plan, same_options_same_text)
{
	struct container_options options = options_for(BENCH_TEST_DATA "/cgroup-hybrid");
	char *first = print(&options), *second = print(&options);

	cr_assert_str_eq(first, second);
	free(first);
	free(second);
}

Test(plan, missing_folders_are_named)
{
	struct container_options options = options_for("");
	char path[128];

	snprintf(path, sizeof(path), "%s/dev", root);
	cr_assert_eq(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/run", root);
	cr_assert_eq(rmdir(path), 0);
	refuse(&options, "no folder /dev, /run to mount on", "mkdir");
}

Test(plan, bad_options_are_refused)
{
	static const char *const nothing[] = {"", NULL};
	struct container_options options = options_for("");

	options.argv = nothing;
	refuse(&options, "no program", "");
	options = options_for("");
	options.rootfs = "/nonexistent";
	refuse(&options, "/nonexistent", "");
	options = options_for("");
	options.cpuset = "1-x";
	refuse(&options, "CPU list '1-x'", "");
	options.cpuset = "3-1";
	refuse(&options, "CPU list '3-1'", "");
	options = options_for(BENCH_TEST_DATA "/cgroup-none");
	options.cgroup = CONTAINER_ON;
	refuse(&options, "no cgroup file system", "go without limits");
}

Test(plan, memory_for_less_than_a_start_is_refused)
{
	struct container_options options = options_for(BENCH_TEST_DATA "/cgroup-hybrid");
	struct container_plan *plan = NULL;
	struct error err = {0};

	if (faccessat(AT_FDCWD, BENCH_TEST_DATA "/cgroup-hybrid/sys/fs/cgroup/memory", W_OK, AT_EACCESS) < 0)
		skip("this user may not write to the test data");
	options.limits.memory_bytes = 1;
	refuse(&options, "memory limit of 1 bytes", "4 MiB or more");
	options.limits.memory_bytes = CONTAINER_MEMORY_MIN - 1;
	refuse(&options, "a container's start itself needs more", "cgroup=off");
	options.limits.memory_bytes = CONTAINER_MEMORY_MIN;
	cr_assert_eq(container_prepare(&options, &plan, &err), 0, "%s", err.message);
	container_plan_free(plan);
	/* Where nothing enforces it, it is a note like any other missing limit. */
	options = options_for(BENCH_TEST_DATA "/cgroup-none");
	options.limits.memory_bytes = 1;
	cr_assert_eq(container_prepare(&options, &plan, &err), 0, "%s", err.message);
	container_plan_free(plan);
}

Test(plan, agent_is_replaced_not_written_through)
{
	struct error err = {0};
	char agent[128], source[128], text[16];

	snprintf(source, sizeof(source), "%s/source", root);
	snprintf(agent, sizeof(agent), "%s/agent", root);
	cr_assert_eq(file_write_atomic(source, "one", 3, 0755, &err), 0, "%s", err.message);
	cr_assert_eq(runtime_rootfs_prepare(root, source, &err), 0, "%s", err.message);
	cr_assert_eq(runtime_rootfs_prepare(root, "/proc/self/comm", &err), 0, "%s", err.message);
	cr_assert_geq(file_read("", source, text, sizeof(text), &err), 0);
	cr_assert_str_eq(text, "one");
}

Test(plan, agent_is_a_copy)
{
	struct error err = {0};
	char agent[128], source[128];
	struct stat before, after, copy;

	snprintf(source, sizeof(source), "%s/source", root);
	snprintf(agent, sizeof(agent), "%s/agent", root);
	cr_assert_eq(file_write_atomic(source, "one", 3, 0755, &err), 0, "%s", err.message);
	cr_assert_eq(stat(source, &before), 0);
	cr_assert_eq(runtime_rootfs_prepare(root, source, &err), 0, "%s", err.message);
	cr_assert(stat(source, &after) == 0 && stat(agent, &copy) == 0);
	cr_expect_eq(after.st_nlink, 1);
	cr_expect_neq(copy.st_ino, after.st_ino, "its mode and owner are its own");
	cr_expect(before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

Test(plan, options_from_text)
{
	struct container_options options = container_options_default();
	struct error err = {0};

	cr_assert_eq(container_options_set(&options, "net", "host", &err), 0);
	cr_assert_eq(options.namespaces, CONTAINER_NS_ALL & ~(unsigned)CONTAINER_NS_NET);
	cr_assert_eq(container_options_set(&options, "net", "own", &err), 0);
	cr_assert_eq(options.namespaces, (unsigned)CONTAINER_NS_ALL);
	cr_assert_eq(container_options_set(&options, "userns", "off", &err), 0);
	cr_assert_eq(options.userns, CONTAINER_OFF);
	cr_assert_eq(container_options_set(&options, "seccomp", "off", &err), 0);
	cr_assert(options.seccomp_off);
	cr_assert_eq(container_options_set(&options, "seccomp", "on", &err), 0);
	cr_assert_not(options.seccomp_off);
	cr_assert_eq(container_options_set(&options, "cgroup", "maybe", &err), -EINVAL);
	cr_assert_str_eq(err.message, "option cgroup=maybe: expected auto, on or off");
	cr_assert_eq(container_options_set(&options, "seccomp", "auto", &err), -EINVAL);
	cr_assert_eq(container_options_set(&options, "colour", "red", &err), -ENOENT);
}
