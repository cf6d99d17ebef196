#include "dev.h"

#include "capabilities.h"
#include "child_mounts.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

const struct dev_node dev_nodes[DEV_NODES] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
					      {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};

enum { NAME = sizeof("dev/") - 1 };

static const char *const folders[] = {"shm", "pts"};
static const char *const links[][2] = {{"/proc/self/fd", "fd"},
				       {"/proc/self/fd/0", "stdin"},
				       {"/proc/self/fd/1", "stdout"},
				       {"/proc/self/fd/2", "stderr"},
				       {"pts/ptmx", "ptmx"}};

/* Whatever umask this process has. */
static bool make_node(int fd, const char *name, dev_t device)
{
	return mknodat(fd, name, S_IFCHR | 0666, device) == 0 && fchmodat(fd, name, 0666, 0) == 0;
}

/* The folders above the last name of "a/b/c". */
static bool make_folders(int fd, const char *path)
{
	char part[PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if ((mkdirat(fd, part, 0755) < 0 && errno != EEXIST) || fchmodat(fd, part, 0755, 0) < 0)
			return false;
	}
	return true;
}

/* A device of the host, open to whoever is in the container: that is what giving it means. */
static bool make_given(int fd, const char *path)
{
	const char *name = path + strlen("/dev/");
	struct stat st;

	if (stat(path, &st) < 0 || !make_folders(fd, name))
		return false;
	if (mknodat(fd, name, (st.st_mode & S_IFMT) | 0666, st.st_rdev) < 0)
		return errno == EEXIST; /* a standard node, or given twice */
	return fchmodat(fd, name, 0666, 0) == 0;
}

static bool fill(int fd, const struct container_options *options)
{
	bool fine = true;

	for (size_t i = 0; i < DEV_NODES && fine; i++)
		fine = make_node(fd, dev_nodes[i].path + NAME, makedev(dev_nodes[i].major_number, dev_nodes[i].minor_number));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && fine; i++)
		fine = mkdirat(fd, folders[i], 0755) == 0 && fchmodat(fd, folders[i], 0755, 0) == 0;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]) && fine; i++)
		fine = symlinkat(links[i][0], fd, links[i][1]) == 0;
	for (const char *const *device = options->devices; device && *device && fine; device++)
		fine = make_given(fd, *device);
	return fine && (!options->terminal || mknodat(fd, "console", S_IFREG | 0600, 0) == 0);
}

/* Or -1. */
static int make(const struct container_options *options, int userns_fd)
{
	_cleanup_close_ int fd = mount_new("tmpfs", "mode=0755,nr_inodes=64,size=64k", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);

	if (fd < 0 || !fill(fd, options))
		return -1;
	const struct plan_source whole = {.template_fd = fd};
	_cleanup_close_ int clone = source_open(&whole, -1);
	if (clone < 0 || mount_change(clone, MOUNT_ATTR_RDONLY, 0, 0) < 0)
		return -1;
	if (userns_fd >= 0)
		mount_map_ids(clone, userns_fd); /* else the nodes belong to nobody inside, and work */
	return take_fd(&clone);
}

bool plan_has_dev(struct container_plan *plan, const struct container_options *options)
{
	if (!plan->privileged || plan->nested || plan->kernel < KERNEL_CLONES_DETACHED)
		return false;
	if (options->host_root[0])
		return true;
	plan->dev_fd = make(options, plan->userns_fd);
	return plan->dev_fd >= 0;
}
