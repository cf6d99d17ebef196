/* Steps that build the container's root. Mounts are objects behind descriptors, and a target is opened inside the new root by openat2 (no way
 * out by a symbolic or magic link), never named by a string that the image could redirect. */
#include "calls.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Defined by both <sys/mount.h> and <linux/mount.h>, which exclude each other in some libcs. */
#define BIND    4096        /* MS_BIND */
#define DETACH  2           /* MNT_DETACH */
#define RECURSE 16384       /* MS_REC */
#define PRIVATE (1ul << 18) /* MS_PRIVATE */

static int open_in_root(int root_fd, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	long fd = CALL(SYS_openat2, root_fd, path, &how, sizeof(how));

	return (int)fd;
}

static int change_attributes(int mount_fd, uint64_t set, uint64_t clear, unsigned flags)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear};

	return done(CALL(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)));
}

/* Hangs a mount into the new root. */
static int hang(const struct child *child, int mount_fd, const char *target, uint64_t open_flags)
{
	int target_fd = open_in_root(child->root_fd, target, open_flags), rc;

	if (target_fd < 0)
		return target_fd;
	rc = done(CALL(SYS_move_mount, mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	CALL(SYS_close, target_fd);
	return rc;
}

/* The same, and closes mount_fd; a negative one is the error of the call that should have opened it. */
static int attach(const struct child *child, int mount_fd, const char *target, uint64_t open_flags)
{
	int rc = mount_fd < 0 ? mount_fd : hang(child, mount_fd, target, open_flags);

	if (mount_fd >= 0)
		CALL(SYS_close, mount_fd);
	return rc;
}

static int clone_tree(int dir_fd, const char *path, unsigned flags)
{
	return (int)CALL(SYS_open_tree, dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

int mount_new(const char *type, const char *options, uint64_t attributes)
{
	char text[128], *save = NULL;
	int context = (int)CALL(SYS_fsopen, type, FSOPEN_CLOEXEC);
	long rc = 0;

	if (context < 0)
		return context;
	strncpy(text, options, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (char *pair = strtok_r(text, ",", &save); pair && rc == 0; pair = strtok_r(NULL, ",", &save)) {
		char *value = strchr(pair, '=');

		*value++ = '\0';
		rc = CALL(SYS_fsconfig, context, FSCONFIG_SET_STRING, pair, value, 0);
	}
	if (rc == 0)
		rc = CALL(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (rc == 0)
		rc = CALL(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
	CALL(SYS_close, context);
	return (int)rc;
}

/* ---- steps ---- */

int step_private_mounts(struct child *child, const struct step *step)
{
	return done(CALL(SYS_mount, NULL, "/", NULL, RECURSE | PRIVATE, NULL));
}

/* Root_fd becomes the root, read-only from the moment it can be reached. */
static int place_root(struct child *child, uint64_t set, uint64_t clear)
{
	int rc = change_attributes(child->root_fd, set, clear, 0);

	if (rc == 0)
		rc = done(CALL(SYS_move_mount, child->root_fd, "", AT_FDCWD, child->plan->rootfs, MOVE_MOUNT_F_EMPTY_PATH));
	if (rc == 0) {
		/* Remembered before /proc covers it: an empty folder of the read-only root, to mask others with. */
		child->empty_fd = open_in_root(child->root_fd, "proc", O_DIRECTORY);
		rc = child->empty_fd < 0 ? child->empty_fd : 0;
	}
	return rc;
}

/* arg: the root folder. */
int step_root(struct child *child, const struct step *step)
{
	child->root_fd = clone_tree(AT_FDCWD, step->arg, 0);
	if (child->root_fd < 0)
		return child->root_fd;
	/* The file system may be mounted noexec; that goes for our clone of it alone. */
	return place_root(child, step->number, child->plan->clears_noexec ? MOUNT_ATTR_NOEXEC : 0);
}

/* Copies the root folder's file of that name into the new root. */
static int copy_program(const struct child *child, const char *name)
{
	long dir = CALL(SYS_openat, AT_FDCWD, child->plan->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC), from = dir, to = -1, rc;

	if (dir >= 0)
		from = CALL(SYS_openat, dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	to = from < 0 ? from : CALL(SYS_openat, child->root_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	do
		rc = to < 0 ? to : CALL(SYS_sendfile, to, from, NULL, 1 << 30);
	while (rc > 0);
	if (dir >= 0)
		CALL(SYS_close, dir);
	if (from >= 0)
		CALL(SYS_close, from);
	if (to >= 0)
		CALL(SYS_close, to);
	return done(rc);
}

/* arg: "/NAME", copied from the root folder into a tmpfs that is the root instead; empty: nothing is copied. */
int step_root_copy(struct child *child, const struct step *step)
{
	static const char *const folders[] = {"proc", "sys", "dev", "tmp", "run"};
	int rc = 0;

	child->root_fd = mount_new("tmpfs", "mode=0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (child->root_fd < 0)
		return child->root_fd;
	CALL(SYS_umask, 0);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && rc == 0; i++)
		rc = done(CALL(SYS_mkdirat, child->root_fd, folders[i], 0755));
	if (rc == 0 && step->arg[0])
		rc = copy_program(child, step->arg + 1);
	return rc < 0 ? rc : place_root(child, step->number, 0);
}

/* One tmpfs for all that is writable: its folders are bound to where they belong, and its top disappears under its own folder tmp. */
int step_tmpfs(struct child *child, const struct step *step)
{
	static const struct {
		const char *path;
		mode_t mode;
	} folders[] = {{"dev", 0755}, {"dev/shm", 01777}, {"tmp", 01777}, {"run", 0755}};
	long rc;

	child->tmpfs_fd = mount_new("tmpfs", step->arg, step->number);
	if (child->tmpfs_fd < 0)
		return child->tmpfs_fd;
	CALL(SYS_umask, 0); /* until step_rlimits: modes of folders and nodes are meant as they stand */
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if ((rc = CALL(SYS_mkdirat, child->tmpfs_fd, folders[i].path, folders[i].mode)) < 0)
			return (int)rc;
	/* Attached because kernels before 6.15 clone folders of attached mounts only. The descriptor stays valid. */
	return attach(child, (int)CALL(SYS_fcntl, child->tmpfs_fd, F_DUPFD_CLOEXEC, 3), "tmp", O_DIRECTORY);
}

/* arg: name of the tmpfs folder and of the root's. */
int step_tmpfs_bind(struct child *child, const struct step *step)
{
	int fd = clone_tree(child->tmpfs_fd, step->arg, 0);
	int rc = fd < 0 ? fd : change_attributes(fd, step->number, 0, 0);

	return rc < 0 ? rc : attach(child, fd, step->arg, O_DIRECTORY);
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
	fd = clone_tree(AT_FDCWD, host, 0);
	rc = fd < 0 ? fd : change_attributes(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, 0);
	if (rc == 0)
		return attach(child, fd, step->arg, 0);
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

int step_mount_proc(struct child *child, const struct step *step)
{
	child->proc_fd = mount_new("proc", "", step->number);
	return child->proc_fd < 0 ? child->proc_fd : hang(child, child->proc_fd, step->arg, O_DIRECTORY);
}

/* It shows the network namespace of whoever mounted it: step_network did. */
int step_attach_sys(struct child *child, const struct step *step)
{
	return child->sys_fd < 0 ? child->sys_fd : hang(child, child->sys_fd, step->arg, O_DIRECTORY);
}

/* The host's /proc, bound with all below it. */
int step_bind_proc(struct child *child, const struct step *step)
{
	int rc;

	child->proc_fd = clone_tree(AT_FDCWD, step->arg, AT_RECURSIVE);
	rc = child->proc_fd < 0 ? child->proc_fd : change_attributes(child->proc_fd, step->number, 0, AT_RECURSIVE);
	return rc < 0 ? rc : hang(child, child->proc_fd, step->arg + 1, O_DIRECTORY);
}

/* Covers "proc/…" or "sys/…" with a clone of what fd is. The name is looked up from the top of a file system that we mounted: nothing of it
 * is the image's, so three calls are enough. */
static int cover(const struct child *child, int fd, const char *path)
{
	int clone = clone_tree(fd, "", AT_EMPTY_PATH), rc;

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
	null_fd = open_in_root(child->root_fd, "dev/null", 0);
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

/* The new root goes on top of the old one, which then is let go of: no folder for the old root is needed. */
int step_pivot(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_fchdir, child->root_fd);

	if (rc == 0)
		rc = CALL(SYS_pivot_root, ".", ".");
	if (rc == 0)
		rc = CALL(SYS_umount2, ".", DETACH);
	return done(rc < 0 ? rc : CALL(SYS_chdir, "/"));
}

int step_chroot(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_chroot, step->arg);

	return done(rc < 0 ? rc : CALL(SYS_chdir, "/"));
}
