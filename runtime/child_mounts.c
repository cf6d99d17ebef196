/* Steps that build the container's root. Mounts are objects behind descriptors, and a target is opened inside the new root (child_targets.c), never
 * named by a string that the image could redirect. */
#include "child_mounts.h"
#include "calls.h"
#include "child_thread.h"
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
#define DETACH  2           /* MNT_DETACH */
#define RECURSE 16384       /* MS_REC */
#define PRIVATE (1ul << 18) /* MS_PRIVATE */

int mount_change(int mount_fd, uint64_t set, uint64_t clear, unsigned flags)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clear, .propagation = PRIVATE};

	return done(CALL(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)));
}

int mount_map_ids(int mount_fd, int userns_fd)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};

	return done(CALL(SYS_mount_setattr, mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
}

int mount_hang(const struct child *child, int mount_fd, const char *target, uint64_t open_flags)
{
	int target_fd = mount_target(child->root_fd, target, open_flags), rc;

	if (target_fd < 0)
		return target_fd;
	rc = done(CALL(SYS_move_mount, mount_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	CALL(SYS_close, target_fd);
	return rc;
}

int mount_attach(const struct child *child, int mount_fd, const char *target, uint64_t open_flags)
{
	int rc = mount_fd < 0 ? mount_fd : mount_hang(child, mount_fd, target, open_flags);

	if (mount_fd >= 0)
		CALL(SYS_close, mount_fd);
	return rc;
}

int mount_clone(int dir_fd, const char *path, unsigned flags)
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

int mount_place_root(struct child *child)
{
	int rc = done(CALL(SYS_move_mount, child->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));

	/* Remembered before /proc covers it: an empty folder of the read-only root, to mask others with. */
	if (rc == 0)
		child->empty_fd = mount_target(child->root_fd, "proc", O_DIRECTORY);
	return rc == 0 && child->empty_fd < 0 ? child->empty_fd : rc;
}

int source_open(const struct plan_source *source, int userns_fd)
{
	struct mount_attr attr = {.attr_set = source->set, .attr_clr = source->clear, .propagation = PRIVATE};
	unsigned recursive = source->recursive ? AT_RECURSIVE : 0;

	if (source->template_fd >= 0)
		return mount_clone(source->template_fd, "", AT_EMPTY_PATH | recursive);
	int fd, rc;
	if (source->no_links) {
		struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
		long place = CALL(SYS_openat2, AT_FDCWD, source->path, &how, sizeof(how));

		fd = place < 0 ? (int)place : mount_clone((int)place, "", AT_EMPTY_PATH | recursive);
		if (place >= 0)
			CALL(SYS_close, place);
	} else {
		fd = mount_clone(AT_FDCWD, source->path, recursive);
	}
	if (fd < 0)
		return fd;
	if (source->maps_ids) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)userns_fd;
	}
	rc = done(CALL(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | recursive, &attr, sizeof(attr)));
	if (rc == 0)
		return fd;
	CALL(SYS_close, fd);
	return rc;
}

/* number: which source. */
int step_root(struct child *child, const struct step *step)
{
	const struct plan_source *source = &child->plan->sources[step->number];

	child->root_fd = source->by_parent ? child->source_fds[step->number] : source_open(source, -1);
	return child->root_fd < 0 ? child->root_fd : mount_place_root(child);
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
	if (rc == 0)
		rc = mount_change(child->root_fd, step->number, 0, 0);
	return rc < 0 ? rc : mount_place_root(child);
}

int mount_on_old_root(struct child *child, int fd)
{
	/* Inside it, where all hosts have a folder, it goes with the old root at once; on top it has to go before. */
	int rc = child->plan->shows_sys ? -EBUSY : done(CALL(SYS_move_mount, fd, "", AT_FDCWD, "/sys", MOVE_MOUNT_F_EMPTY_PATH));

	if (rc == 0)
		return 0;
	rc = done(CALL(SYS_move_mount, fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH));
	child->on_old_root += rc == 0;
	return rc;
}

/* One tmpfs for all that is writable: its folders are bound to where they belong. Itself it is hung into the old root, with which it goes: some
 * kernels clone folders of attached mounts alone, and letting go of it at the close of the descriptor would wait for all CPUs once more. */
int step_tmpfs(struct child *child, const struct step *step)
{
	static const struct {
		const char *path;
		mode_t mode;
	} folders[] = {{"tmp", 01777}, {"run", 0755}, {"shm", 01777}};
	long rc;

	child->tmpfs_fd = mount_new("tmpfs", step->arg, step->number);
	if (child->tmpfs_fd < 0)
		return child->tmpfs_fd;
	CALL(SYS_umask, 0); /* until step_rlimits: modes of folders and nodes are meant as they stand */
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if ((rc = CALL(SYS_mkdirat, child->tmpfs_fd, folders[i].path, folders[i].mode)) < 0)
			return (int)rc;
	return mount_on_old_root(child, child->tmpfs_fd);
}

/* arg: the root's folder; the tmpfs has one of its last name. number: attributes beside those of the tmpfs. */
int step_tmpfs_bind(struct child *child, const struct step *step)
{
	const char *slash = strrchr(step->arg, '/');
	int fd = mount_clone(child->tmpfs_fd, slash ? slash + 1 : step->arg, 0), rc = fd;

	if (fd >= 0 && step->number)
		rc = mount_change(fd, step->number, 0, 0);
	return rc < 0 ? rc : mount_attach(child, fd, step->arg, O_DIRECTORY);
}

/* arg: where it shows inside, number: which source. */
int step_volume(struct child *child, const struct step *step)
{
	const struct plan_source *source = &child->plan->sources[step->number];
	int fd = source->by_parent ? child->source_fds[step->number] : source_open(source, -1), target, rc;

	if (fd < 0)
		return fd;
	target = mount_target_made(child->root_fd, step->arg, source->is_folder);
	if (target < 0)
		return target;
	rc = done(CALL(SYS_move_mount, fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	CALL(SYS_close, target);
	CALL(SYS_close, fd);
	return rc;
}

/* The new root changes places with the old one, which then lies on top, with what was attached upon it, until
 * step_leave_old_root: no folder for it is needed. */
int step_pivot(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_fchdir, child->root_fd);

	return done(rc < 0 ? rc : CALL(SYS_pivot_root, ".", "."));
}

/* "/" is where both roots lie; a lookup that looks for something to unmount takes the upper one. */
static int leave_main(void *arg)
{
	struct child *child = arg;
	long rc;

	thread_begin(&child->leave.thread);
	if (child->network.used)
		wait_while(&child->network.made, NETWORK_NOT_YET);
	rc = CALL(SYS_umount2, "/", DETACH); /* takes the topmost alone */
	for (; child->on_old_root > 0 && rc == 0; child->on_old_root--)
		rc = CALL(SYS_umount2, "/", DETACH);
	child->leave.rc = done(rc);
	return 0;
}

/* In a thread, because it waits for all CPUs (an expedited RCU grace period), however little was mounted there. Not before the container's sysfs
 * exists: inside a user namespace it is given to those alone who see the host's. */
int step_leave_old_root(struct child *child, const struct step *step)
{
	if (!thread_start(child, &child->leave.thread, leave_main, child->plan->thread_stacks[1]))
		leave_main(child);
	return 0;
}

int step_old_root_left(struct child *child, const struct step *step)
{
	thread_wait(&child->leave.thread);
	return child->leave.rc < 0 ? child->leave.rc : done(CALL(SYS_chdir, "/"));
}

int step_chroot(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_chroot, step->arg);

	return done(rc < 0 ? rc : CALL(SYS_chdir, "/"));
}
