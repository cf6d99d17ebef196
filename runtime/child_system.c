/* Steps for a container that is managed by an init of its own. */
#include "calls.h"
#include "child_mounts.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>

/* arg: a folder of the container's tmpfs and of the root alike; number: attributes. */
int step_lock_bind(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_mkdirat, child->tmpfs_fd, step->arg, 01777);
	int fd;

	if (rc < 0)
		return done(rc);
	fd = mount_clone(child->tmpfs_fd, step->arg, 0);
	rc = fd < 0 ? fd : mount_change(fd, step->number, 0, 0);
	if (rc == 0)
		return mount_attach(child, fd, step->arg, O_DIRECTORY);
	if (fd >= 0)
		CALL(SYS_close, fd);
	return (int)rc;
}

/* arg: "proc/NAME": a read-only clone of it covers it. Nothing of the name is the image's: it is looked up in a /proc that we mounted. */
int step_keep_read_only(struct child *child, const struct step *step)
{
	const char *name = strchr(step->arg, '/') + 1;
	int fd = mount_clone(child->proc_fd, name, 0), rc;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	rc = mount_change(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, 0);
	if (rc == 0)
		rc = done(CALL(SYS_move_mount, fd, "", child->proc_fd, name, MOVE_MOUNT_F_EMPTY_PATH));
	CALL(SYS_close, fd);
	return rc;
}

/* The hierarchy as the cgroup namespace shows it, which begins at the container's own group. */
int step_mount_groups(struct child *child, const struct step *step)
{
	int fd = mount_new("cgroup2", "", step->number), rc;

	if (fd < 0)
		return fd;
	rc = done(CALL(SYS_move_mount, fd, "", child->sys_fd, strchr(step->arg, '/') + 1, MOVE_MOUNT_F_EMPTY_PATH));
	CALL(SYS_close, fd);
	return rc;
}
