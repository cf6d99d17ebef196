/* Steps that fill /dev: nodes of our own, or the host's where this user may make none. */
#include "calls.h"
#include "child_mounts.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The plan's own /dev, read-only, the same for all its containers. */
int step_dev(struct child *child, const struct step *step)
{
	return mount_attach(child, child->source_fds[step->number], "dev", O_DIRECTORY);
}

/* A /dev in the container's tmpfs. */
int step_dev_folder(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_mkdirat, child->tmpfs_fd, "dev", 0755);

	if (rc == 0)
		rc = CALL(SYS_mkdirat, child->tmpfs_fd, "dev/shm", 01777);
	return done(rc);
}

/* arg: "dev/NAME". The host's own node, bound onto an empty file. Read-only, which for a device is about mode and owner, not about data. */
int step_device_bind(struct child *child, const struct step *step)
{
	char host[64] = "/";
	int fd = (int)CALL(SYS_openat, child->tmpfs_fd, step->arg, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666), rc;

	if (fd < 0)
		return fd;
	CALL(SYS_close, fd);
	strncat(host, step->arg, sizeof(host) - 2);
	fd = mount_clone(AT_FDCWD, host, 0);
	rc = fd < 0 ? fd : mount_change(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, 0);
	if (rc == 0)
		return mount_attach(child, fd, step->arg, 0);
	if (fd >= 0)
		CALL(SYS_close, fd);
	return rc;
}

/* arg: "dev/NAME", number: the device. Root of a user namespace, or of a container around us, may make no nodes: the host's is bound. */
int step_device_node(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_mknodat, child->tmpfs_fd, step->arg, S_IFCHR | 0666, step->number);

	return rc == -EPERM ? step_device_bind(child, step) : done(rc);
}

int step_device_links(struct child *child, const struct step *step)
{
	static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
					       {"/proc/self/fd/0", "dev/stdin"},
					       {"/proc/self/fd/1", "dev/stdout"},
					       {"/proc/self/fd/2", "dev/stderr"}};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		long rc = CALL(SYS_symlinkat, links[i][0], child->tmpfs_fd, links[i][1]);

		if (rc < 0)
			return (int)rc;
	}
	return 0;
}
