#include "share.h"

#include <bench/cleanup.h>

#include <base/files.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static int folder_path(char *ret, size_t size, struct error *err)
{
	const char *wish = getenv("BENCH_RUN_DIR");

	return path_format(ret, size, err, "%s/bench/network", wish && *wish ? wish : "/run");
}

static int lock_waiting(int fd)
{
	int rc;

	do
		rc = flock(fd, LOCK_EX);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* Opens and locks the folder once; -EAGAIN when its last user removed it meanwhile. */
static int enter_folder(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? error_set(err, ENOENT, "there is no %s", path) : error_errno(err, "folder %s", path);
	if (lock_waiting(fd) < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "lock %s", path);
	if (st.st_nlink == 0)
		return error_set(err, EAGAIN, "%s was removed meanwhile", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		error_set(err, EPERM, "folder %s is not one that only you can write to", path);
		return error_hint(err, "remove it, or name another place in BENCH_RUN_DIR");
	}
	return take_fd(&fd);
}

static int enter_gate(bool make, struct error *err)
{
	char path[PATH_MAX];
	int rc = folder_path(path, sizeof(path), err);

	for (int attempt = 0; rc == 0 && attempt < 16; attempt++) {
		if (make && dir_make(path, 0700, err) < 0)
			return error_hint(err, "name a writable folder in BENCH_RUN_DIR");
		int fd = enter_folder(path, err);
		if (fd >= 0 || (fd != -EAGAIN && !(make && fd == -ENOENT)))
			return fd;
	}
	return rc < 0 ? rc : error_set(err, EAGAIN, "folder %s goes away again and again", path);
}

/* Links of the same name in two network namespaces have nothing to do with each other. */
static int name_file(const char *bridge, char *ret, size_t size, struct error *err)
{
	struct stat st;

	if (stat("/proc/thread-self/ns/net", &st) < 0)
		return error_errno(err, "network namespace");
	return path_format(ret, size, err, "%u-%s", (unsigned)st.st_ino, bridge);
}

/* Somebody holds it shared: that is an answer, not a failure. */
static int try_alone(struct share *share, bool *ret_alone, struct error *err)
{
	*ret_alone = flock(share->lock_fd, LOCK_EX | LOCK_NB) == 0;
	return *ret_alone || errno == EWOULDBLOCK ? 0 : error_errno(err, "lock of bridge %s", share->name);
}

int share_enter(const char *bridge, struct share *ret, bool *ret_alone, struct error *err)
{
	struct share share = SHARE_NONE;
	bool alone = false;
	int rc = name_file(bridge, share.name, sizeof(share.name), err);

	if (rc < 0)
		return rc;
	share.gate_fd = enter_gate(true, err);
	if (share.gate_fd < 0)
		return share.gate_fd;
	share.lock_fd = openat(share.gate_fd, share.name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (share.lock_fd < 0)
		rc = error_errno(err, "lock of bridge %s", bridge);
	else
		rc = try_alone(&share, &alone, err);
	if (rc < 0) {
		share_leave(&share, false);
		return rc;
	}
	*ret = share;
	*ret_alone = alone;
	return 0;
}

int share_hold(struct share *share, struct error *err)
{
	if (flock(share->lock_fd, LOCK_SH | LOCK_NB) < 0) /* at the gate nobody else can hold it exclusively */
		return error_errno(err, "lock of bridge %s", share->name);
	close(take_fd(&share->gate_fd));
	return 0;
}

int share_reenter(struct share *share, bool *ret_alone, struct error *err)
{
	int fd = enter_gate(false, err);

	if (fd < 0)
		return fd;
	share->gate_fd = fd;
	return try_alone(share, ret_alone, err);
}

/* At the gate nobody can become a user of a lock that is free. */
static void remove_stale(int folder_fd)
{
	int list_fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *folder = list_fd < 0 ? NULL : fdopendir(list_fd);

	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		_cleanup_close_ int fd = entry->d_type == DT_REG ? openat(folder_fd, entry->d_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC) : -1;

		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(folder_fd, entry->d_name, 0);
	}
}

void share_leave(struct share *share, bool alone)
{
	char path[PATH_MAX];

	if (alone && share->gate_fd >= 0) {
		unlinkat(share->gate_fd, share->name, 0);
		remove_stale(share->gate_fd);
		/* Both fail, rightly, while others are in there. */
		if (folder_path(path, sizeof(path), NULL) == 0 && rmdir(path) == 0) {
			*strrchr(path, '/') = '\0';
			rmdir(path);
		}
	}
	if (share->lock_fd >= 0)
		close(take_fd(&share->lock_fd));
	if (share->gate_fd >= 0)
		close(take_fd(&share->gate_fd));
}
