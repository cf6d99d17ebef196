#include "log_follow.h"

#include "folder.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* A monitor and a keeper that are killed together change no file: their lock is looked at now and then. */
enum { LOOK_MS = 1000 };

static int copy_rest(int fd, FILE *out, struct error *err)
{
	char buffer[16384];
	ssize_t got;

	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		if (fwrite(buffer, 1, (size_t)got, out) != (size_t)got)
			return error_errno(err, "write to stdout");
	if (got < 0)
		return error_errno(err, "read the log");
	return fflush(out) != 0 ? error_errno(err, "write to stdout") : 0;
}

/* Is there another file of this name by now? One that is gone has no successor. */
static bool is_turned_over(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev);
}

static void await_change(int watch_fd)
{
	struct pollfd poll_fd = {.fd = watch_fd, .events = POLLIN};
	char events[4096];

	if (poll(&poll_fd, 1, LOOK_MS) <= 0)
		return;
	while (read(watch_fd, events, sizeof(events)) > 0)
		;
}

/* What is asked comes before what is read: nothing is written between the answer and the end of the file that would be missed. */
static int follow(const char *folder, const char *path, int watch_fd, FILE *out, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, "log %s", path);
	for (;;) {
		bool written = folder_is_held(folder), turned = is_turned_over(fd, path);
		int rc = copy_rest(fd, out, err);

		if (rc < 0)
			return rc;
		if (turned) {
			close(fd);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				return errno == ENOENT ? 0 : error_errno(err, "log %s", path);
		} else if (!written) {
			return 0;
		} else {
			await_change(watch_fd);
		}
	}
}

int log_follow(const char *folder, FILE *out, struct error *err)
{
	_cleanup_close_ int watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[PATH_MAX];
	int rc = path_format(path, sizeof(path), err, "%s/log.1", folder);

	if (rc < 0)
		return rc;
	if (watch_fd < 0 || inotify_add_watch(watch_fd, folder, IN_MODIFY | IN_CREATE | IN_MOVE | IN_DELETE | IN_DELETE_SELF) < 0)
		return error_errno(err, "watch %s", folder);
	_cleanup_close_ int older = open(path, O_RDONLY | O_CLOEXEC);
	if (older >= 0)
		rc = copy_rest(older, out, err);
	if (rc == 0)
		rc = path_format(path, sizeof(path), err, "%s/log", folder);
	return rc < 0 ? rc : follow(folder, path, watch_fd, out, err);
}
