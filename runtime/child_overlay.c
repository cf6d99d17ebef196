/* Steps of a root that can be written: an overlay of read-only layers, with its upper layer in the container's tmpfs or in a folder of the host.
 *
 * Layers hang in the tmpfs while the overlay is made, in folders that are numbers, and the tmpfs is the working folder meanwhile: so the names of
 * all fit into the one page that every kernel takes. (One value of fsconfig takes 255 characters, which are used up by 80 layers, and a value for
 * each layer is known to newer kernels alone.) Inside a user namespace overlayfs keeps its marks in user.* attributes (userxattr). */
#include "calls.h"
#include "child_mounts.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME = 12 /* a descriptor as text */, REST = 128 /* all that is no layer's name */, PAGE = 4096 };

_Static_assert(PLAN_SOURCES_MAX *NAME + REST <= PAGE, "the kernel takes one page of options");

/* In the tmpfs: where the overlay is made. */
static const char merged[] = "merged";

/* Always there: it goes with the mount of the root. */
static const char *const folders[] = {"proc", "sys", "dev", "tmp", "run"};

/* The name of a layer's folder in the tmpfs. */
static const char *layer_name(int fd, char ret[NAME])
{
	char *at = ret + NAME - 1;

	*at = '\0';
	do
		*--at = (char)('0' + fd % 10);
	while (fd /= 10);
	return at;
}

/* Overlayfs takes a layer from a mount namespace that our user namespace owns: attached in the tmpfs, whose folder of that number nobody sees. */
static int attach_layer(const struct child *child, int fd)
{
	char text[NAME];
	const char *name = layer_name(fd, text);
	long rc = CALL(SYS_mkdirat, child->tmpfs_fd, name, 0700);

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

/* The top one first. */
static int add_layers(struct child *child, char options[PAGE])
{
	const struct plan_overlay *overlay = &child->plan->overlay;
	int rc = 0;

	strcpy(options, "lowerdir=");
	for (size_t i = overlay->n_layers; i-- > 0 && rc == 0;) {
		char text[NAME];

		rc = open_layer(child, overlay->first_layer + i);
		if (rc == 0)
			strcat(strcat(options, layer_name(child->source_fds[overlay->first_layer + i], text)), i > 0 ? ":" : "");
	}
	return rc;
}

/* In the tmpfs the folders that every root needs are made as well: what layers have in their place would have to be removed, and a tmpfs before
 * Linux 6.6 cannot mark a folder as one that replaces something. */
static int make_upper(const struct child *child)
{
	long upper = CALL(SYS_mkdirat, child->tmpfs_fd, "upper", 0755), rc = upper;

	if (upper == 0)
		rc = upper = CALL(SYS_openat, child->tmpfs_fd, "upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && rc >= 0; i++)
		rc = CALL(SYS_mkdirat, upper, folders[i], 0755);
	if (upper >= 0)
		CALL(SYS_close, upper);
	return done(rc < 0 ? rc : CALL(SYS_mkdirat, child->tmpfs_fd, "work", 0700));
}

static int add_upper(struct child *child, char options[PAGE])
{
	const struct plan_overlay *overlay = &child->plan->overlay;
	char text[NAME];
	int rc;

	if (!overlay->keeps) {
		rc = make_upper(child);
		strcat(options, ",upperdir=upper,workdir=work");
	} else if ((rc = open_layer(child, overlay->upper)) == 0) {
		const char *name = layer_name(child->source_fds[overlay->upper], text);

		strcat(strcat(strcat(options, ",upperdir="), name), "/upper");
		strcat(strcat(strcat(options, ",workdir="), name), "/work");
	}
	if (overlay->in_userns)
		strcat(options, ",userxattr");
	return rc;
}

static int mount_overlay(struct child *child, const char *options, uint64_t attributes)
{
	long rc = CALL(SYS_fchdir, child->tmpfs_fd);

	if (rc == 0)
		rc = CALL(SYS_mkdirat, child->tmpfs_fd, merged, 0700);
	if (rc == 0)
		rc = CALL(SYS_mount, "overlay", merged, "overlay", 0, options);
	if (rc == 0)
		rc = child->root_fd = (int)CALL(SYS_open_tree, child->tmpfs_fd, merged, OPEN_TREE_CLOEXEC);
	return rc < 0 ? (int)rc : mount_change(child->root_fd, attributes, 0, 0);
}

/* number: attributes of the mount. */
int step_overlay(struct child *child, const struct step *step)
{
	char options[PAGE];
	int rc = add_layers(child, options);

	if (rc == 0)
		rc = add_upper(child, options);
	return rc < 0 ? rc : mount_overlay(child, options, step->number);
}

/* What every root needs, whatever the image has in its place: a link there would lead somewhere else. */
int step_folders(struct child *child, const struct step *step)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && rc == 0 && child->plan->overlay.keeps; i++)
		rc = mount_folder_at_top(child->root_fd, folders[i]);
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
