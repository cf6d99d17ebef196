/* Steps of a root that can be written: an overlay of read-only layers, with its upper layer in the container's tmpfs or in a folder of the host.
 *
 * The kernel is told the layers as /proc/self/fd/N of the host's /proc, which is still there: names are short, however many layers there are,
 * and mean the mounts that were opened. Inside a user namespace overlayfs keeps its marks in user.* attributes (userxattr). */
#include "calls.h"
#include "child_mounts.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT = 256 /* that much fsconfig takes */ };

/* Appends a number and `after`; false when it does not fit. */
static bool append(char text[TEXT], int number, const char *after)
{
	char digits[12];
	size_t used = strlen(text), n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	if (used + n + strlen(after) >= TEXT)
		return false;
	while (n > 0)
		text[used++] = digits[--n];
	strcpy(text + used, after);
	return true;
}

static int set_text(int context, const char *key, const char *text)
{
	return done(CALL(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, text, 0));
}

/* "/proc/self/fd/N/name" */
static int set_path(int context, const char *key, int fd, const char *name)
{
	char text[TEXT] = "/proc/self/fd/";

	return append(text, fd, name) ? set_text(context, key, text) : -ENAMETOOLONG;
}

/* Overlayfs takes a layer from a mount namespace that our user namespace owns: attached in the tmpfs, whose folder of that number nobody sees. */
static int attach_layer(const struct child *child, int fd)
{
	char name[TEXT] = "";
	long rc;

	append(name, fd, "");
	rc = CALL(SYS_mkdirat, child->tmpfs_fd, name, 0700);
	if (rc == 0)
		rc = CALL(SYS_move_mount, fd, "", child->tmpfs_fd, name, MOVE_MOUNT_F_EMPTY_PATH);
	return done(rc);
}

static int open_layer(struct child *child, size_t at)
{
	const struct plan_source *source = &child->plan->sources[at];
	int *fd = &child->source_fds[at];

	if (!source->by_parent)
		*fd = source_open(source, -1);
	return *fd < 0 ? *fd : attach_layer(child, *fd);
}

/* Before Linux 6.5 all layers are one text: numbers, which are names in the folder that we go to. */
static int set_layers_as_one(const struct child *child, int context)
{
	const struct plan_overlay *overlay = &child->plan->overlay;
	char text[TEXT] = "";
	long rc = CALL(SYS_chdir, "/proc/self/fd");

	if (rc < 0)
		return (int)rc;
	for (size_t i = overlay->n_layers; i-- > 0;)
		if (!append(text, child->source_fds[overlay->first_layer + i], i > 0 ? ":" : ""))
			return -E2BIG;
	return set_text(context, "lowerdir", text);
}

static int set_layers(struct child *child, int context)
{
	const struct plan_overlay *overlay = &child->plan->overlay;
	int rc = 0;

	for (size_t i = 0; i < overlay->n_layers && rc == 0; i++)
		rc = open_layer(child, overlay->first_layer + i);
	if (rc == 0 && child->plan->kernel < KERNEL_ADDS_LAYERS)
		return set_layers_as_one(child, context);
	for (size_t i = overlay->n_layers; i-- > 0 && rc == 0;) /* the top one first */
		rc = set_path(context, "lowerdir+", child->source_fds[overlay->first_layer + i], "");
	return rc;
}

static int set_upper(struct child *child, int context)
{
	const struct plan_overlay *overlay = &child->plan->overlay;
	int fd = child->tmpfs_fd;
	long rc = 0;

	if (overlay->keeps) {
		rc = open_layer(child, overlay->upper);
		fd = child->source_fds[overlay->upper];
	} else if ((rc = CALL(SYS_mkdirat, fd, "upper", 0755)) == 0) {
		rc = CALL(SYS_mkdirat, fd, "work", 0700);
	}
	if (rc == 0)
		rc = set_path(context, "upperdir", fd, "/upper");
	return rc < 0 ? (int)rc : set_path(context, "workdir", fd, "/work");
}

/* number: attributes of the mount. */
int step_overlay(struct child *child, const struct step *step)
{
	int context = (int)CALL(SYS_fsopen, "overlay", FSOPEN_CLOEXEC), rc = context;

	if (context < 0)
		return context;
	rc = set_layers(child, context);
	if (rc == 0)
		rc = set_upper(child, context);
	if (rc == 0 && child->plan->overlay.in_userns)
		rc = done(CALL(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0));
	if (rc == 0)
		rc = done(CALL(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (rc == 0)
		rc = child->root_fd = (int)CALL(SYS_fsmount, context, FSMOUNT_CLOEXEC, step->number);
	CALL(SYS_close, context);
	return rc < 0 ? rc : 0;
}

/* What every root needs, whatever the image has in its place: a link there would lead somewhere else. */
int step_folders(struct child *child, const struct step *step)
{
	static const char *const names[] = {"proc", "sys", "dev", "tmp", "run"};
	int rc = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++)
		rc = mount_folder_at_top(child->root_fd, names[i]);
	return rc < 0 ? rc : mount_place_root(child);
}

/* Writes a file of /etc that the image lacks or has empty, as those are that a container's export leaves. Not through a link, never to what is
 * no file. */
static int write_missing(int etc_fd, const char *name, const char *const *parts)
{
	struct stat st;
	long fd, rc = CALL(SYS_newfstatat, etc_fd, name, &st, AT_SYMLINK_NOFOLLOW);

	if (rc == 0 && (!S_ISREG(st.st_mode) || st.st_size > 0))
		return 0;
	fd = rc < 0 && rc != -ENOENT ? rc : CALL(SYS_openat, etc_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (fd == -EACCES || fd == -EPERM || fd == -EOVERFLOW)
		return 0; /* an ordinary user's view of a folder of others: a comfort that it goes without */
	for (rc = fd; *parts && rc >= 0; parts++)
		rc = CALL(SYS_write, fd, *parts, strlen(*parts));
	if (fd >= 0)
		CALL(SYS_close, fd);
	return done(rc);
}

/* arg: the host name, empty: the container's id. */
int step_etc(struct child *child, const struct step *step)
{
	const char *name = step->arg[0] ? step->arg : child->id;
	const char *const host_name[] = {name, "\n", NULL};
	const char *const hosts[] = {"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\t", name, "\n", NULL};
	int fd = mount_target_made(child->root_fd, "/etc", true), rc = fd;

	if (fd < 0)
		return fd;
	rc = write_missing(fd, "hostname", host_name);
	if (rc == 0)
		rc = write_missing(fd, "hosts", hosts);
	CALL(SYS_close, fd);
	return rc;
}

/* arg: a folder that is made where it is missing. */
int step_make_folder(struct child *child, const struct step *step)
{
	int fd = mount_target_made(child->root_fd, step->arg, true);

	if (fd >= 0)
		CALL(SYS_close, fd);
	return fd < 0 ? fd : 0;
}

int step_read_only(struct child *child, const struct step *step)
{
	return mount_change(child->root_fd, MOUNT_ATTR_RDONLY, 0, 0);
}
