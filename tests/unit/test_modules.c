/* Modules of a guest's kernel: by the names of what it has, out of a package, and with all that they need. The last on the modules of a real kernel,
 * which is fetched once beside the build. */
#include <archive.h>
#include <archive_entry.h>
#include <base/files.h>
#include <base/process.h>
#include <criterion/criterion.h>
#include <vmdriver/kernel.h>
#include <vmdriver/kernel_fetch.h>
#include <vmdriver/module_tree.h>
#include <vmdriver/modules.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void setup(void)
{
	strcpy(dir, "/tmp/modules-test-XXXXXX");
	cr_assert(mkdtemp(dir));
}

static void teardown(void)
{
	dir_remove(dir, NULL);
}

/* ---- names ---- */

Test(modules, names_of_what_a_machine_has)
{
	char names[MODULES_NAMES_SIZE];

	cr_assert_str_eq(modules_for("q35", 0, names), "");
	cr_assert_str_eq(modules_for("q35", MODULES_DISK | MODULES_FS_EXT4, names), "virtio_pci virtio_blk ext4");
	cr_assert_str_eq(modules_for("microvm", MODULES_NET | MODULES_BALLOON, names), "virtio_mmio virtio_net virtio_balloon");
	cr_assert_str_eq(modules_for("q35", MODULES_FS_VIRTIOFS, names), "virtio_pci virtiofs");
	cr_assert_str_eq(modules_for("microvm", MODULES_FS_9P, names), "virtio_mmio 9pnet_virtio 9p");
	/* Without a device no bus. */
	cr_assert_str_eq(modules_for("microvm", MODULES_OVERLAY, names), "overlay");
}

/* ---- versions ---- */

Test(modules, a_version_that_leads_elsewhere_is_refused, .init = setup, .fini = teardown)
{
	static const char *const bad[] = {"", "..", "../../etc", "6.1/../..", "-o", "6.1 x", "6.1\n", "6.1\xc3\xa4", "6.1;x"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};

		cr_expect_eq(kernel_fetch_modules(arch_host(), bad[i], dir, NULL, NULL, &err), -EINVAL, "'%s': %s", bad[i], err.message);
	}
}

/* ---- out of a package ---- */

static const char *make_rpm_like(const char *const *members)
{
	static char path[128];
	struct archive *a = archive_write_new();

	snprintf(path, sizeof(path), "%s/package.cpio", dir);
	cr_assert_eq(archive_write_set_format_cpio_newc(a), ARCHIVE_OK);
	cr_assert_eq(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (; *members; members++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, *members);
		archive_entry_set_mode(entry, S_IFREG | 0644);
		archive_entry_set_size(entry, 4);
		cr_assert_eq(archive_write_header(a, entry), ARCHIVE_OK);
		cr_assert_eq(archive_write_data(a, "body", 4), 4);
		archive_entry_free(entry);
	}
	archive_write_close(a);
	archive_write_free(a);
	return path;
}

static bool is_there(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path_exists(path);
}

Test(modules, a_package_gives_what_guests_need_and_no_more, .init = setup, .fini = teardown)
{
	static const char *const members[] = {"./usr/lib/modules/5.4.3/kernel/fs/ext4/ext4.ko.xz",
					      "./lib/modules/5.4.3/kernel/drivers/virtio/virtio.ko",
					      "./lib/modules/5.4.3/kernel/drivers/gpu/drm/large.ko",
					      "./lib/modules/5.4.3/modules.builtin",
					      "./lib/modules/5.4.3/kernel/fs/../../../../../evil.ko",
					      "./boot/vmlinuz-5.4.3",
					      NULL};
	char version[64] = "";
	struct error err = {0};

	cr_assert_eq(kernel_unpack_modules(make_rpm_like(members), dir, version, sizeof(version), &err), 0, "%s", err.message);
	cr_assert_str_eq(version, "5.4.3");
	cr_assert(is_there("lib/modules/5.4.3/kernel/fs/ext4/ext4.ko.xz"));
	cr_assert(is_there("lib/modules/5.4.3/kernel/drivers/virtio/virtio.ko"));
	cr_assert(is_there("lib/modules/5.4.3/modules.builtin"));
	cr_assert(!is_there("lib/modules/5.4.3/kernel/drivers/gpu"));
	cr_assert(!is_there("evil.ko") && !is_there("lib/evil.ko"));
}

Test(modules, a_package_without_modules_is_an_error, .init = setup, .fini = teardown)
{
	static const char *const members[] = {"./boot/vmlinuz-5.4.3", NULL};
	char version[64] = "";
	struct error err = {0};

	cr_assert_eq(kernel_unpack_modules(make_rpm_like(members), dir, version, sizeof(version), &err), -ENOENT);
	cr_assert(strstr(err.message, "package.cpio"), "%s", err.message);
}

/* ---- where they are ---- */

Test(modules, a_kernel_without_version_has_none, .init = setup, .fini = teardown)
{
	char tree[256];
	struct error err = {0};

	cr_assert_eq(module_tree_find(arch_host(), "", "ELF with PVH entry", dir, NULL, NULL, tree, sizeof(tree), &err), -ENOENT);
	cr_assert(strstr(err.message, "version") && strstr(err.hint, "modules=none"), "%s (%s)", err.message, err.hint);
}

/* One without indexes is of no use: the cache's is looked for next. */
Test(modules, the_hosts_folder_comes_first, .init = setup, .fini = teardown)
{
	char path[512], tree[256];
	struct error err = {0};

	snprintf(path, sizeof(path), "%s/lib/modules/5.4.3", dir);
	cr_assert_eq(dir_make(path, 0755, NULL), 0);
	snprintf(path, sizeof(path), "%s/cache/vm/kernels/5.4.3/lib/modules/5.4.3", dir);
	cr_assert_eq(dir_make(path, 0755, NULL), 0);
	strcat(path, "/modules.dep.bin");
	cr_assert_eq(file_write_atomic(path, "x", 1, 0600, NULL), 0);

	char cache[128];

	snprintf(cache, sizeof(cache), "%s/cache", dir);
	cr_assert_eq(module_tree_find(arch_host(), dir, "5.4.3 (builder)", cache, NULL, NULL, tree, sizeof(tree), &err), 0, "%s",
		     err.message);
	cr_assert(strstr(tree, "/cache/vm/kernels/5.4.3/lib/modules/5.4.3"), "%s", tree);
	snprintf(path, sizeof(path), "%s/lib/modules/5.4.3/modules.dep.bin", dir);
	cr_assert_eq(file_write_atomic(path, "x", 1, 0600, NULL), 0);
	cr_assert_eq(module_tree_find(arch_host(), dir, "5.4.3", cache, NULL, NULL, tree, sizeof(tree), &err), 0);
	cr_assert(!strstr(tree, "/cache/"), "%s", tree);
}

/* ---- with all that they need: the modules of a real kernel ---- */

static void find_real(char *ret, size_t size)
{
	const char *must = getenv("BENCH_MUST_RUN");
	struct kernel_choice kernel;
	struct error err = {0};
	char cache[512];

	snprintf(cache, sizeof(cache), "%.*s/test-cache", (int)(strstr(BENCH_AGENT, "/bin/") - BENCH_AGENT), BENCH_AGENT);
	cr_assert_eq(dir_make(cache, 0755, NULL), 0);
	if (kernel_choose(arch_host(), NULL, cache, NULL, NULL, &kernel, &err) == 0 &&
	    module_tree_find(arch_host(), "", kernel.image.version, cache, NULL, NULL, ret, size, &err) == 0)
		return;
	cr_assert(!(must && strstr(must, "vm")), "virtual machines must run here, but: %s", err.message);
	cr_skip_test("%s", err.message);
}

static int place_of(const struct module_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return (int)i;
	return -1;
}

static struct module_list *load(const char *tree, const char *names)
{
	struct module_list *list = calloc(1, sizeof(*list));
	struct error err = {0};

	cr_assert_eq(modules_load(tree, names, list, &err), 0, "%s", err.message);
	for (size_t i = 0; i < list->n; i++)
		cr_assert(list->items[i].size > 1000 && memcmp(list->items[i].data, "\177ELF", 4) == 0, "%s is no module",
			  list->items[i].name);
	return list;
}

static void unload(struct module_list *list)
{
	module_list_done(list);
	free(list);
}

/* Distributions differ in what they build in; what is there is in order. */
static void expect_before(const struct module_list *list, const char *first, const char *second)
{
	int a = place_of(list, first), b = place_of(list, second);

	cr_assert(a < 0 || b < 0 || a < b, "%s comes after %s", first, second);
}

Test(modules, come_after_those_that_they_need)
{
	char tree[PATH_MAX];

	find_real(tree, sizeof(tree));

	struct module_list *list = load(tree, "virtio_pci virtio_blk virtio_net");

	expect_before(list, "virtio_ring", "virtio");
	expect_before(list, "virtio", "virtio_pci");
	expect_before(list, "virtio_pci_modern_dev", "virtio_pci");
	expect_before(list, "virtio_ring", "virtio_blk");
	expect_before(list, "failover", "net_failover");
	expect_before(list, "net_failover", "virtio_net");
	for (size_t i = 0; i < list->n; i++)
		for (size_t j = i + 1; j < list->n; j++)
			cr_assert_str_neq(list->items[i].name, list->items[j].name);
	unload(list);
}

/* btrfs asks for checksums by aliases, when it mounts: nobody in the guest could load them then. */
Test(modules, soft_dependencies_come_too)
{
	char tree[PATH_MAX];

	find_real(tree, sizeof(tree));

	struct module_list *list = load(tree, "btrfs");

	if (place_of(list, "btrfs") < 0)
		cr_skip_test("this kernel has btrfs built in");
	if (strstr(tree, "amd64")) /* Debian's kernels have it as a module */
		cr_assert_geq(place_of(list, "xxhash_generic"), 0);
	expect_before(list, "xxhash_generic", "btrfs");
	expect_before(list, "raid6_pq", "btrfs");
	unload(list);
}

Test(modules, built_in_ones_are_left_out_and_unknown_ones_named)
{
	struct module_list *list = calloc(1, sizeof(*list));
	struct error err = {0};
	char tree[PATH_MAX];

	find_real(tree, sizeof(tree));
	cr_assert_eq(modules_load(tree, "no_such_module", list, &err), -ENOENT);
	cr_assert(strstr(err.message, "no_such_module"), "%s", err.message);
	cr_assert_eq(list->n, 0);
	if (strstr(tree, "amd64")) { /* the serial port that the agent speaks through */
		cr_assert_eq(modules_load(tree, "8250", list, &err), 0, "%s", err.message);
		cr_assert_eq(list->n, 0);
	}
	unload(list);
}
