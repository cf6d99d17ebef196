#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

#define ROOT  "/newroot"
#define DISK  "/newroot-disk"
#define UPPER "/newroot-upper"

/* ---- which disk ---- */

static bool has_serial(const char *name, const char *serial)
{
	char path[] = "/sys/block/vdX/serial", text[64];

	memcpy(path + sizeof("/sys/block/") - 1, name, 3);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	return got >= (ssize_t)strlen(serial) && memcmp(text, serial, strlen(serial)) == 0;
}

int guest_find_disk(const char *serial, char *ret, size_t size)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	char name[] = "vda";

	if (size < sizeof("/dev/vda"))
		return -1;
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		for (name[2] = 'a'; name[2] < 'h'; name[2]++)
			if (has_serial(name, serial)) {
				strcpy(ret, "/dev/");
				strcat(ret, name);
				return 0;
			}
		nanosleep(&pause, NULL);
	}
	return -1;
}

/* ---- the new root ---- */

static int say(const char *what, const char *name)
{
	const char *why = strerror(errno);
	const char *const parts[] = {"bench-agent: ", what, " ", name, ": ", why, "\n"};
	char line[256] = "";
	int fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		strncat(line, parts[i], sizeof(line) - strlen(line) - 1);
	if (fd >= 0) {
		if (write(fd, line, strlen(line)) < 0)
			return -1;
		close(fd);
	}
	return -1;
}

static int put_overlay(void)
{
	mkdir(UPPER, 0755);
	if (mount("tmpfs", UPPER, "tmpfs", 0, "mode=755") < 0)
		return say("mount a tmpfs on", UPPER);
	mkdir(UPPER "/data", 0755);
	mkdir(UPPER "/work", 0755);
	if (mount("overlay", ROOT, "overlay", 0, "lowerdir=" DISK ",upperdir=" UPPER "/data,workdir=" UPPER "/work") < 0)
		return say("mount an overlay on", ROOT);
	return 0;
}

/* Where the image has no folder for it, and none can be made, it is not there. */
static void take_along(const char *path, const char *to)
{
	mkdir(to, 0755);
	mount(path, to, NULL, MS_MOVE, NULL);
}

/* A folder that the host shares is named by its tag. */
static int mount_shared(const char *type, const char *options, const char *to)
{
	return mount("bench-root", to, type, MS_RDONLY, options) < 0 ? say("mount the shared root by", type) : 0;
}

static int mount_disk(const char *type, const char *to)
{
	char device[16];

	if (guest_find_disk("bench-root", device, sizeof(device)) < 0) {
		errno = ENODEV;
		return say("find the disk", "bench-root");
	}
	return mount(device, to, type, MS_RDONLY, NULL) < 0 ? say("mount the root file system of type", type) : 0;
}

/* 9p: nobody writes to the folder but the host, whose changes a running guest need not see; without a cache it could not map files either. */
static int mount_root(const char *type, const char *to)
{
	if (strcmp(type, "virtiofs") == 0)
		return mount_shared(type, NULL, to);
	if (strcmp(type, "9p") == 0)
		return mount_shared(type, "trans=virtio,version=9p2000.L,cache=loose,msize=262144", to);
	return mount_disk(type, to);
}

int guest_root(const char *type, bool overlay)
{
	mkdir(ROOT, 0755);
	mkdir(DISK, 0755);
	if (mount_root(type, overlay ? DISK : ROOT) < 0)
		return -1;
	if (overlay && put_overlay() < 0)
		return -1;
	take_along("/proc", ROOT "/proc");
	take_along("/sys", ROOT "/sys");
	take_along("/dev", ROOT "/dev");
	mount("tmpfs", ROOT "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	mount("tmpfs", ROOT "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return say("change to", ROOT);
	return 0;
}
