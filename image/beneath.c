#include "beneath.h"

#include "text.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Copies one component; "." and an empty one vanish. */
static int take_component(const char *start, size_t length, char ret[PATH_MAX], size_t *used, const char *path, struct error *err)
{
	if (length == 0 || (length == 1 && start[0] == '.'))
		return 0;
	if (length == 2 && start[0] == '.' && start[1] == '.')
		return error_set(err, EPERM, "'%s' leads out of the image by '..'", text_shown(path).text);
	if (length > NAME_MAX || *used + length + 2 > PATH_MAX)
		return error_set(err, ENAMETOOLONG, "'%s' is too long a name", text_shown(path).text);
	if (*used)
		ret[(*used)++] = '/';
	memcpy(ret + *used, start, length);
	*used += length;
	ret[*used] = '\0';
	return 1;
}

int beneath_normalise(const char *path, char ret[PATH_MAX], struct error *err)
{
	size_t used = 0;
	int depth = 0;

	ret[0] = '\0';
	if (path[0] == '/')
		return error_set(err, EPERM, "'%s' is an absolute path", text_shown(path).text);
	for (const char *s = path;;) {
		size_t length = strcspn(s, "/");
		int rc = take_component(s, length, ret, &used, path, err);

		if (rc < 0)
			return rc;
		depth += rc;
		if (depth > BENEATH_DEPTH_MAX)
			return error_set(err, ENAMETOOLONG, "'%s' is more than %d folders deep", text_shown(path).text, BENEATH_DEPTH_MAX);
		if (s[length] == '\0')
			return 0;
		s += length + 1;
	}
}

static int open_resolved(int folder_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = resolve | RESOLVE_NO_MAGICLINKS};
	int fd;

	/* EAGAIN: something was renamed meanwhile, so the kernel cannot promise; it can the next time. */
	do
		fd = (int)syscall(SYS_openat2, folder_fd, *path ? path : ".", &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return fd;
}

int beneath_open(int folder_fd, const char *path, int flags)
{
	return open_resolved(folder_fd, path, flags | O_NOFOLLOW, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

int beneath_open_in_root(int folder_fd, const char *path, int flags)
{
	return open_resolved(folder_fd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_XDEV);
}

int beneath_open_file(int folder_fd, const char *path, bool follow, off_t *ret_size)
{
	_cleanup_close_ int found = follow ? beneath_open_in_root(folder_fd, path, O_PATH) : beneath_open(folder_fd, path, O_PATH);
	char link[64];
	struct stat st;

	if (found < 0 || fstat(found, &st) < 0)
		return -1;
	/* Looked at before it is opened: to open a device or a FIFO may do something. */
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (ret_size)
		*ret_size = st.st_size;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	return open(link, O_RDONLY | O_CLOEXEC);
}
