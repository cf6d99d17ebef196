#include "os_disk.h"

#include "disk_cache.h"
#include "os_disk_recipe.h"

#include <base/files.h>
#include <base/process.h>
#include <base/units.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PACK_TIMEOUT_MS = 300000 };

/* Where distributions keep the boot sector that starts the active partition. */
static const char *const boot_sectors[] = {"/usr/lib/syslinux/mbr/mbr.bin", "/usr/share/syslinux/mbr.bin",
					   "/usr/lib/syslinux/bios/mbr.bin"};

/* ---- keys ---- */

int os_disk_key(const struct os_disk_plan *plan, const char *image_key, char ret[OS_DISK_KEY_SIZE], struct error *err)
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	disk_key_text(&hash, image_key);
	disk_key_text(&hash, OS_DISK_UNPACK);
	disk_key_text(&hash, plan->firmware ? OS_DISK_FIRMWARE : OS_DISK_PLAIN);
	disk_key_text(&hash, plan->firmware ? plan->command_line : "");

	int rc = disk_key_file(&hash, plan->agent_path, err);

	if (rc < 0)
		return error_prefix(err, "program for the guest");
	disk_key_finish(&hash, ret, OS_DISK_KEY_SIZE);
	return 0;
}

/* ---- tools ---- */

static const char *find_boot_sector(void)
{
	for (size_t i = 0; i < sizeof(boot_sectors) / sizeof(boot_sectors[0]); i++)
		if (access(boot_sectors[i], R_OK) == 0)
			return boot_sectors[i];
	return NULL;
}

int os_disk_check_tools(const struct os_disk_plan *plan, struct error *err)
{
	static const char *const tools[] = {"tar", "mke2fs", "qemu-img", "sfdisk", "mformat", "mcopy", "syslinux"};
	const size_t count = plan->firmware ? sizeof(tools) / sizeof(tools[0]) : 3;
	const char *missing = geteuid() != 0 ? "fakeroot" : NULL;
	char path[PATH_MAX];

	if (missing && process_find(missing, path, sizeof(path)))
		missing = NULL;
	for (size_t i = 0; i < count && !missing; i++)
		if (!process_find(tools[i], path, sizeof(path)))
			missing = tools[i];
	if (!missing && plan->firmware && !find_boot_sector())
		missing = "mbr.bin of syslinux";
	if (!missing)
		return 0;
	error_set(err, ENOENT, "the image of a complete system cannot be made: %s is not installed", missing);
	return error_hint(err, "apt install e2fsprogs qemu-utils fakeroot%s",
			  plan->firmware ? " fdisk mtools syslinux syslinux-common" : "");
}

/* ---- making ---- */

static int make_disk(const struct os_disk_plan *plan, const char *archive, const char *work, struct error *err)
{
	const char *script = plan->firmware ? OS_DISK_UNPACK OS_DISK_FIRMWARE : OS_DISK_UNPACK OS_DISK_PLAIN;
	const char *sector = plan->firmware ? find_boot_sector() : NULL;
	/* Owners and rights of the tree are kept by fakeroot where they cannot be set. */
	const char *const argv[] = {"fakeroot",
				    "sh",
				    "-c",
				    script,
				    "sh",
				    archive,
				    plan->agent_path,
				    plan->firmware ? "uninitialized\n" : "",
				    sector ? sector : "",
				    plan->firmware ? plan->command_line : "",
				    NULL};

	return disk_cache_run(geteuid() == 0 ? argv + 1 : argv, work, work, PACK_TIMEOUT_MS, "make the image of a complete system", err);
}

/* ---- the cache ---- */

/* In a folder of its own, which is on disk before it gets its name. */
static int make(const struct os_disk_plan *plan, const char *archive, const char *dir, const char *home, struct error *err)
{
	char work[PATH_MAX];

	if (path_format(work, sizeof(work), err, "%s/tmp-XXXXXX", dir) < 0)
		return -ENAMETOOLONG;
	if (!mkdtemp(work))
		return error_errno(err, "create a folder in the cache %s", dir);

	int rc = make_disk(plan, archive, work, err);

	if (rc == 0)
		rc = disk_cache_publish(work, home, err);
	dir_remove(work, NULL);
	return rc == -ENOSPC ? error_hint(err, "make room in the cache %s: 2 GiB are needed", dir) : rc;
}

static int make_locked(const struct os_disk_plan *plan, const char *cache_dir, const char *dir, const char *home,
		       void (*note)(void *, const char *), void *note_arg, struct error *err)
{
	_cleanup_close_ int lock = -1;
	struct os_image image;
	int rc = os_disk_check_tools(plan, err);

	if (rc == 0)
		rc = os_image_get(OS_IMAGE_TAR, cache_dir, note, note_arg, &image, err);
	if (rc == 0)
		rc = disk_cache_lock(dir, "the image of a complete system", note, note_arg, &lock, err);
	if (rc < 0)
		return rc;
	disk_cache_sweep(dir);
	if (path_exists(home))
		return 0; /* another made it while we waited */
	if (note)
		note(note_arg, plan->firmware ? "making a disk with boot loader and system" : "making a disk with the system");
	return make(plan, image.path, dir, home, err);
}

/* ---- what was made ---- */

static int describe(const char *dir, struct os_disk *ret, struct error *err)
{
	char facts[512], packages[32], path[PATH_MAX];
	struct stat st;
	int rc = path_format(ret->disk, sizeof(ret->disk), err, "%s/disk", dir);

	if (rc == 0)
		rc = path_format(ret->kernel, sizeof(ret->kernel), err, "%s/kernel", dir);
	if (rc == 0)
		rc = path_format(ret->initrd, sizeof(ret->initrd), err, "%s/initrd", dir);
	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/facts", dir);
	if (rc < 0)
		return rc;
	if (file_read("", path, facts, sizeof(facts), NULL) < 0 || !text_field(facts, "release", ret->release, sizeof(ret->release)) ||
	    !text_field(facts, "packages", packages, sizeof(packages)) || stat(ret->disk, &st) < 0 || access(ret->kernel, R_OK) < 0 ||
	    access(ret->initrd, R_OK) < 0) {
		error_set(err, EIO, "the image of a complete system in %s is damaged or cannot be read", dir);
		return error_hint(err, "remove that folder: it is made again");
	}
	ret->packages = strtoll(packages, NULL, 10);
	ret->virtual_bytes = st.st_size;
	ret->allocated_bytes = (int64_t)st.st_blocks * 512;
	return 0;
}

int os_disk_get(const struct os_disk_plan *plan, const char *cache_dir, void (*note)(void *arg, const char *text), void *note_arg,
		struct os_disk *ret, struct error *err)
{
	char image_key[65], key[OS_DISK_KEY_SIZE], dir[PATH_MAX], home[PATH_MAX];
	struct os_disk disk = {0};

	os_image_key(image_key);

	int rc = os_disk_key(plan, image_key, key, err);

	if (rc == 0)
		rc = path_format(dir, sizeof(dir), err, "%s/vm/os", cache_dir);
	if (rc == 0)
		rc = path_format(home, sizeof(home), err, "%s/%s", dir, key);
	if (rc == 0 && !path_exists(home))
		rc = make_locked(plan, cache_dir, dir, home, note, note_arg, err);
	if (rc == 0)
		rc = describe(home, &disk, err);
	if (rc == 0)
		*ret = disk;
	return rc;
}
