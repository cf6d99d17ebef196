/* Device nodes: made, brought along, borrowed. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct {
	const char *name;
	mode_t type;
	unsigned major_number, minor_number;
} nodes[] = {{"loop0", S_IFBLK, 7, 0}, {"vda", S_IFBLK, 254, 0},  {"sda", S_IFBLK, 8, 0},     {"mem", S_IFCHR, 1, 1},
	     {"kmsg", S_IFCHR, 1, 11}, {"kvm", S_IFCHR, 10, 232}, {"fuse", S_IFCHR, 10, 229}, {"tun", S_IFCHR, 10, 200}};
enum { NODES = sizeof(nodes) / sizeof(nodes[0]) };

/* A node counts as reached when opening it is not refused; it is only opened for reading. ENXIO: no such device on this host, but the way is open. */
static void reach(struct verdict *verdict, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno != ENXIO && errno != ENODEV && errno != ENOMEDIUM)
		saw(verdict, "%s: %s", path, strerror(errno));
	else
		broke(verdict, "%s: the device answers", path);
	if (fd >= 0)
		close(fd);
}

void attack_make_nodes(struct verdict *verdict)
{
	static const char *const folders[] = {"/tmp", "/dev", "/dev/shm", "/run"};

	for (size_t f = 0; f < sizeof(folders) / sizeof(folders[0]) - (getenv("CONTROL") ? 3 : 0); f++)
		for (size_t i = 0; i < NODES; i++) {
			char path[64];

			snprintf(path, sizeof(path), "%s/attack-%s", folders[f], nodes[i].name);
			if (mknod(path, nodes[i].type | 0600, makedev(nodes[i].major_number, nodes[i].minor_number)) < 0) {
				if (i == 0)
					saw(verdict, "mknod in %s: %s", folders[f], strerror(errno));
				continue;
			}
			reach(verdict, path);
			unlink(path);
		}
}

/* The stage has put /node-loop0, /node-mem, /node-kmsg into the image. */
void attack_image_nodes(struct verdict *verdict)
{
	static const char *const names[] = {"/node-mem", "/node-kmsg", "/node-loop0"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s%s", getenv("CONTROL") ? host_text("IMAGE") : "", names[i]);
		reach(verdict, path);
	}
}

void attack_host_nodes(struct verdict *verdict)
{
	static const char *const paths[] = {"/dev/mem",          "/dev/kmsg",  "/dev/kvm",         "/dev/fuse",
					    "/dev/loop-control", "/dev/loop0", "/dev/net/tun",     "/dev/vhost-vsock",
					    "/dev/console",      "/dev/tty0",  "/dev/userfaultfd", "/dev/vsock"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		reach(verdict, paths[i]);
}

/* Changes that would show on the host. The runner compares the host's node before and after. */
void attack_shared_nodes(struct verdict *verdict)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	saw(verdict, "chmod: %s", chmod("/dev/null", 0600) < 0 ? strerror(errno) : "of its own node");
	saw(verdict, "chown: %s", chown("/dev/null", 0, 0) < 0 ? strerror(errno) : "of its own node");
	saw(verdict, "utimensat: %s", utimensat(AT_FDCWD, "/dev/null", times, 0) < 0 ? strerror(errno) : "of its own node");
	saw(verdict, "unlink: %s", unlink("/dev/null") < 0 ? strerror(errno) : "of its own node");
}

/* The stage gave /dev/loop-control, and no other. */
void attack_given_device(struct verdict *verdict)
{
	int fd = open("/dev/loop-control", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		saw(verdict, "the given one: %s", strerror(errno));
	close(fd);
	reach(verdict, "/dev/loop0");
	reach(verdict, "/dev/kvm");
	reach(verdict, "/dev/kmsg");
	attack_make_nodes(verdict);
}
