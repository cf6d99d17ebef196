/* Places inside the new root, for mounts and files: found, or made where they are missing, without ever leaving it. */
#include "calls.h"
#include "child_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

enum { TRIES = 1000 };

int mount_target(int root_fd, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	long fd = -EAGAIN;

	/* EAGAIN: something was renamed or mounted somewhere on the host while ".." of a link was followed. */
	for (int i = 0; i < TRIES && fd == -EAGAIN; i++)
		fd = CALL(SYS_openat2, root_fd, path, &how, sizeof(how));
	return (int)fd;
}

/* The last name of `path` in the folder that the rest of it is. */
static int make_last(int root_fd, char *path, bool folder)
{
	char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	long rc, above;

	if (slash)
		*slash = '\0';
	above = mount_target(root_fd, slash && path[0] ? path : ".", O_DIRECTORY);
	if (slash)
		*slash = '/';
	if (above < 0)
		return (int)above;
	if (folder) {
		rc = CALL(SYS_mkdirat, above, name, 0755);
	} else {
		rc = CALL(SYS_openat, above, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (rc >= 0)
			CALL(SYS_close, rc);
	}
	CALL(SYS_close, above);
	return done(rc);
}

/* Each folder above the last name, from the top on. */
static int make_above(int root_fd, char *path)
{
	int rc = 0;

	for (char *slash = strchr(path + 1, '/'); slash && rc == 0; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int fd = mount_target(root_fd, path, O_DIRECTORY);
		if (fd == -ENOENT)
			rc = make_last(root_fd, path, true);
		else if (fd < 0)
			rc = fd;
		else
			CALL(SYS_close, fd);
		*slash = '/';
	}
	return rc;
}

int mount_target_made(int root_fd, const char *path, bool folder)
{
	int fd = mount_target(root_fd, path, folder ? O_DIRECTORY : 0), rc;
	char copy[PATH_MAX];

	if (fd != -ENOENT)
		return fd;
	strncpy(copy, path, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	rc = make_above(root_fd, copy);
	if (rc == 0)
		rc = make_last(root_fd, copy, folder);
	return rc < 0 ? rc : mount_target(root_fd, path, folder ? O_DIRECTORY : 0);
}

int mount_folder_at_top(int root_fd, const char *name)
{
	long rc = CALL(SYS_openat, root_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (rc >= 0) {
		CALL(SYS_close, rc);
		return 0;
	}
	if (rc == -ENOTDIR || rc == -ELOOP)
		rc = CALL(SYS_unlinkat, root_fd, name, 0);
	return rc < 0 && rc != -ENOENT ? (int)rc : done(CALL(SYS_mkdirat, root_fd, name, 0755));
}
