/* Disks with a complete system: their names, what is refused, and what a making that fails leaves. No disk is made here. */

#include <base/files.h>
#include <bench/cleanup.h>
#include <criterion/criterion.h>
#include <osimage/os_image.h>
#include <vmdriver/host.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char scene[64];

static void enter(void)
{
	strcpy(scene, "/tmp/os-disk-XXXXXX");
	cr_assert(mkdtemp(scene));
}

static void leave(void)
{
	dir_remove(scene, NULL);
}

static const char *below(const char *name)
{
	static char paths[8][300];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", scene, name);
	return path;
}

static const char *put(const char *name, const char *text, mode_t mode)
{
	const char *path = below(name);
	struct error err = {0};

	cr_assert_eq(file_write_atomic(path, text, strlen(text), mode, &err), 0, "%s", err.message);
	return path;
}

static void key_of(const struct os_disk_plan *plan, const char *image_key, char ret[OS_DISK_KEY_SIZE])
{
	struct error err = {0};

	cr_assert_eq(os_disk_key(plan, image_key, ret, &err), 0, "%s", err.message);
	cr_assert_eq(strlen(ret), OS_DISK_KEY_SIZE - 1);
}

Test(vm_os_disk, key_depends_on_all_that_goes_in, .init = enter, .fini = leave)
{
	const char *a = put("a", "agent", 0755), *b = put("b", "agent 2", 0755), *same = put("same", "agent", 0755);
	const struct os_disk_plan plans[] = {
		{.agent_path = a},
		{.agent_path = b},
		{.agent_path = a, .firmware = true, .command_line = "quiet"},
		{.agent_path = a, .firmware = true, .command_line = "quiet ro"},
	};
	enum { COUNT = sizeof(plans) / sizeof(plans[0]) };
	char keys[COUNT + 1][OS_DISK_KEY_SIZE], again[OS_DISK_KEY_SIZE];

	for (int i = 0; i < COUNT; i++)
		key_of(&plans[i], "image", keys[i]);
	key_of(&plans[0], "image 2", keys[COUNT]);
	for (int i = 0; i <= COUNT; i++)
		for (int j = 0; j < i; j++)
			cr_assert_str_neq(keys[i], keys[j], "plans %d and %d have one key", i, j);
	/* The agent's bytes count, not its place; and a command line that no boot loader gets does not. */
	key_of(&(struct os_disk_plan){.agent_path = same, .command_line = "quiet"}, "image", again);
	cr_assert_str_eq(again, keys[0]);
}

Test(vm_os_disk, an_agent_that_is_not_there_is_named, .init = enter, .fini = leave)
{
	struct error err = {0};
	char key[OS_DISK_KEY_SIZE];

	cr_assert_eq(os_disk_key(&(struct os_disk_plan){.agent_path = below("none")}, "image", key, &err), -ENOENT);
	cr_assert(strstr(err.message, "/none"), "%s", err.message);
}

Test(vm_os_disk, missing_tools_are_named_with_a_remedy)
{
	struct error err = {0};

	setenv("PATH", "/nope", 1);
	cr_assert_eq(os_disk_check_tools(&(struct os_disk_plan){.firmware = true}, &err), -ENOENT);
	cr_assert(strstr(err.message, "is not installed") && strstr(err.hint, "mtools"), "%s (%s)", err.message, err.hint);
}

/* A full disk of the host is the guest's error: QEMU's default would stop the machine without a word. */
Test(vm_os_disk, errors_are_the_guests, .init = enter, .fini = leave)
{
	_cleanup_free_ struct vm_host *host = calloc(1, sizeof(*host));
	struct domain_config config = {.n_disks = 1, .disks = {{.target = "vdb"}}};
	struct error err = {0};

	cr_assert(host);
	snprintf(host->layer, sizeof(host->layer), "%s", put("layer", "empty", 0600));
	cr_assert_eq(host_add_os_disk(host, below("copy"), &config, &err), 0, "%s", err.message);
	cr_assert_eq(config.n_disks, 2);
	cr_expect_str_eq(config.disks[0].target, "vda");
	cr_expect(config.disks[0].report_errors);
	cr_expect_str_eq(config.disks[1].target, "vdb");
}

/* ---- the cache ---- */

/* An image's archive as if it had been made, and a tar that ends as `script` says. */
static void set_stage(struct os_disk_plan *ret, const char *script)
{
	char path[400], key[65];

	os_image_key(key);
	snprintf(path, sizeof(path), "%s/os/%.32s", scene, key);
	cr_assert_eq(dir_make(path, 0700, NULL), 0);
	snprintf(path, sizeof(path), "os/%.32s/root.tar", key);
	put(path, "", 0600);
	cr_assert_eq(dir_make(below("vm/os/tmp-stale/root"), 0700, NULL), 0);
	cr_assert_eq(dir_make(below("bin"), 0700, NULL), 0);
	put("bin/tar", script, 0755);
	/* So that the test is the same where they are not installed. */
	put("bin/mke2fs", "#!/bin/sh\nexit 0\n", 0755);
	put("bin/qemu-img", "#!/bin/sh\nexit 0\n", 0755);
	put("bin/fakeroot", "#!/bin/sh\nexec \"$@\"\n", 0755);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", below("bin"));
	setenv("PATH", path, 1);
	*ret = (struct os_disk_plan){.agent_path = put("agent", "agent", 0755)};
}

static int entries_of(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	return count;
}

Test(vm_os_disk, a_full_file_system_is_said_and_leaves_nothing, .init = enter, .fini = leave)
{
	struct error err = {0};
	struct os_disk_plan plan;
	struct os_disk disk;

	set_stage(&plan, "#!/bin/sh\necho half >root/half\necho 'tar: root/x: Cannot write: No space left on device' >&2\nexit 2\n");
	cr_assert_eq(os_disk_get(&plan, scene, NULL, NULL, &disk, &err), -ENOSPC, "%s", err.message);
	cr_assert(strstr(err.message, "No space left") && strstr(err.hint, "room"), "%s (%s)", err.message, err.hint);
	cr_assert_eq(entries_of(below("vm/os")), 1, "more than the lock is left");
}

Test(vm_os_disk, what_was_made_is_found_again, .init = enter, .fini = leave)
{
	static const char script[] =
		"#!/bin/sh\nmkdir -p root/boot root/etc/systemd/system root/usr/lib/bench root/var/lib/dpkg\n"
		"echo kernel >root/boot/vmlinuz-1; echo initrd >root/boot/initrd.img-1\n"
		"echo 'PRETTY_NAME=\"Test Linux 7\"' >root/etc/os-release\n"
		"printf 'Status: install ok installed\\n\\nStatus: install ok installed\\n' >root/var/lib/dpkg/status; echo disk >disk\n";
	struct error err = {0};
	struct os_disk_plan plan;
	struct os_disk disk, again;

	set_stage(&plan, script);
	cr_assert_eq(os_disk_get(&plan, scene, NULL, NULL, &disk, &err), 0, "%s", err.message);
	cr_assert_str_eq(disk.release, "Test Linux 7");
	cr_assert_eq(disk.packages, 2);
	cr_assert_eq(disk.virtual_bytes, 5);
	cr_assert_eq(entries_of(below("vm/os")), 2);
	/* No tool is needed for what is there. */
	setenv("PATH", "/nope", 1);
	cr_assert_eq(os_disk_get(&plan, scene, NULL, NULL, &again, &err), 0, "%s", err.message);
	cr_assert_str_eq(again.disk, disk.disk);
	unlink(disk.initrd);
	cr_assert_eq(os_disk_get(&plan, scene, NULL, NULL, &again, &err), -EIO);
	cr_assert(strstr(err.message, "damaged") && err.hint[0], "%s", err.message);
}

/* ---- options ---- */

Test(vm_os_disk, what_a_complete_system_does_not_take_is_refused)
{
	static const struct {
		struct vm_options options;
		const char *says; /* NULL: taken */
	} cases[] = {
		{{.os = VM_OS_NONE, .kernel = "/k"}, NULL},
		{{.os = VM_OS_DIRECT, .append = "debug"}, NULL},
		{{.os = VM_OS_DIRECT, .kernel = "/k"}, "installed in it"},
		{{.os = VM_OS_FIRMWARE}, NULL},
		{{.os = VM_OS_FIRMWARE, .append = "debug"}, "boot loader"},
		{{.os = VM_OS_FIRMWARE, .machine = "microvm"}, "q35"},
		{{.os = VM_OS_DIRECT, .machine = "microvm"}, "q35"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		int rc = host_check_os(&cases[i].options, &err);

		cr_assert_eq(rc, cases[i].says ? -EINVAL : 0, "case %zu: %s", i, err.message);
		cr_assert(!cases[i].says || (strstr(err.message, cases[i].says) && err.hint[0]), "case %zu: %s", i, err.message);
	}
}

Test(vm_os_disk, the_kernel_is_told_where_the_system_is)
{
	struct error err = {0};
	char line[512];

	cr_assert_eq(host_os_command_line(&(struct vm_options){.os = VM_OS_DIRECT, .append = "debug"}, true, 0, line, sizeof(line), &err),
		     0);
	cr_assert(strstr(line, " root=/dev/vda ") && strstr(line, " init=" OS_IMAGE_AGENT " BENCH_INIT=/sbin/init debug"), "%s", line);
	cr_assert_eq(host_os_command_line(&(struct vm_options){.os = VM_OS_FIRMWARE}, true, 0, line, sizeof(line), &err), 0);
	cr_assert(strstr(line, " root=/dev/vda2 ") && strstr(line, "systemd.firstboot=off"), "%s", line);
	cr_assert_eq(host_os_command_line(&(struct vm_options){.os = VM_OS_DIRECT}, true, 0, line, 40, &err), -E2BIG);
}
