/* Steps that mount /proc and /sys, and cover what they show of the kernel. */
#include "calls.h"
#include "child_mounts.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>

#define BIND 4096 /* MS_BIND */

int step_mount_proc(struct child *child, const struct step *step)
{
	child->proc_fd = mount_new("proc", "", step->number);
	return child->proc_fd < 0 ? child->proc_fd : mount_hang(child, child->proc_fd, step->arg, O_DIRECTORY);
}

/* It shows the network namespace of whoever mounted it: step_network did. */
int step_attach_sys(struct child *child, const struct step *step)
{
	return child->sys_fd < 0 ? child->sys_fd : mount_hang(child, child->sys_fd, step->arg, O_DIRECTORY);
}

/* The host's /proc, bound with all below it. */
int step_bind_proc(struct child *child, const struct step *step)
{
	int rc;

	child->proc_fd = mount_clone(AT_FDCWD, step->arg, AT_RECURSIVE);
	rc = child->proc_fd < 0 ? child->proc_fd : mount_change(child->proc_fd, step->number, 0, AT_RECURSIVE);
	return rc < 0 ? rc : mount_hang(child, child->proc_fd, step->arg + 1, O_DIRECTORY);
}

/* Covers "proc/…" or "sys/…" with a clone of what fd is. The name is looked up from the top of a file system that we mounted: nothing of it
 * is the image's, so three calls are enough. */
static int cover(const struct child *child, int fd, const char *path)
{
	int clone = mount_clone(fd, "", AT_EMPTY_PATH), rc;

	if (clone < 0)
		return clone;
	rc = done(CALL(SYS_move_mount, clone, "", path[0] == 's' ? child->sys_fd : child->proc_fd, strchr(path, '/') + 1,
		       MOVE_MOUNT_F_EMPTY_PATH));
	CALL(SYS_close, clone);
	return rc;
}

/* arg: "proc/NAME". The first is covered with the container's /dev/null and the others with the first: one call each, which counts where
 * there are many. What the kernel no longer has needs no cover. */
int step_mask_file(struct child *child, const struct step *step)
{
	const char *name = strchr(step->arg, '/') + 1;
	int null_fd, rc;

	if (child->covered) {
		rc = done(CALL(SYS_mount, child->covered, name, NULL, BIND, NULL));
		return rc == -ENOENT ? 0 : rc;
	}
	null_fd = mount_target(child->root_fd, "dev/null", 0);
	if (null_fd < 0)
		return null_fd;
	rc = cover(child, null_fd, step->arg);
	CALL(SYS_close, null_fd);
	if (rc == 0)
		rc = done(CALL(SYS_fchdir, child->proc_fd));
	if (rc == 0)
		child->covered = name;
	return rc == -ENOENT ? 0 : rc;
}

int step_mask_dir(struct child *child, const struct step *step)
{
	int rc = cover(child, child->empty_fd, step->arg);

	return rc == -ENOENT ? 0 : rc;
}
