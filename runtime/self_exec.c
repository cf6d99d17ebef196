/* This program out of a container's reach (CVE-2019-5736).
 *
 * A container that gets hold of /proc/PID/exe of a process of ours could open it for writing once nobody runs it any more. So we run from a
 * place that nobody can write to: a read-only clone of the mount that our file lies on, attached nowhere (root; tens of microseconds), or a
 * sealed copy in memory. Which life this is, the kernel says: the flags of the mount of /proc/self/exe, or its seals. The one variable in the
 * environment, "PID:PATH", carries the path on disk over the exec and ends a chain of lives that do not help; it is removed at once. */
#include "container.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SELF     "/proc/self/exe"
#define VARIABLE "BENCH_SELF_PATH"
#define SEALS    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

static char self_path[PATH_MAX]; /* set once, before anything else runs */

const char *container_self_path(void)
{
	return self_path;
}

/* May this user not even ask for a way to write to it? Root may, whatever the mode says. */
static bool is_out_of_reach(void)
{
	struct stat st;

	return geteuid() != 0 && stat(SELF, &st) == 0 && st.st_uid != geteuid() && faccessat(AT_FDCWD, SELF, W_OK, AT_EACCESS) < 0 &&
	       errno == EACCES;
}

static bool is_read_only(void)
{
	struct statvfs st;

	return statvfs(SELF, &st) == 0 && st.f_flag & ST_RDONLY;
}

static bool is_sealed(void)
{
	_cleanup_close_ int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

bool container_self_protected(void)
{
	return is_read_only() || is_sealed() || is_out_of_reach();
}

static void read_path(char *ret, size_t size)
{
	ssize_t length = readlink(SELF, ret, size - 1);

	ret[length > 0 ? length : 0] = '\0';
}

/* What the first life said, if it was one of this very process; else NULL. */
static const char *first_life(void)
{
	const char *told = getenv(VARIABLE);
	char *end;

	if (!told || strtol(told, &end, 10) != getpid() || *end != ':')
		return NULL;
	return end + 1;
}

/* Where it said its path is. Believed where the file of that name is the one that runs, or a copy of it does. */
static void take_path(const char *told)
{
	struct stat named, running;

	read_path(self_path, sizeof(self_path));
	if (!told || told[0] != '/' || strlen(told) >= sizeof(self_path) || stat(SELF, &running) < 0)
		return;
	if ((stat(told, &named) == 0 && named.st_dev == running.st_dev && named.st_ino == running.st_ino) || is_sealed())
		strcpy(self_path, told);
}

/* The name that ps shows; an exec by descriptor leaves the descriptor's number there. */
static void take_name(void)
{
	const char *slash = strrchr(self_path, '/');

	prctl(PR_SET_NAME, slash ? slash + 1 : self_path);
}

/* A read-only mount of our file alone, attached nowhere. */
static int clone_self(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	_cleanup_close_ int fd = (int)syscall(SYS_open_tree, AT_FDCWD, SELF, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return take_fd(&fd);
}

static int copy_self(void)
{
	_cleanup_close_ int from = open(SELF, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int to = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	ssize_t got;

	if (to < 0 && errno == EINVAL) /* a kernel before 6.3 has no such flag and needs none */
		to = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from < 0 || to < 0)
		return -errno;
	while ((got = sendfile(to, from, NULL, 1 << 30)) > 0)
		;
	if (got < 0 || fchmod(to, 0500) < 0 || fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return take_fd(&to);
}

/* Returns on failure alone. */
static int run_from(int fd, char **argv)
{
	int rc = fd;

	if (fd >= 0) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		rc = -errno;
		close(fd);
	}
	return rc;
}

int container_protect_self(char **argv, struct error *err)
{
	char value[PATH_MAX + 16];
	const char *told = first_life();
	bool again = told != NULL;

	take_path(told);
	unsetenv(VARIABLE);
	if (again)
		take_name();
	if (!argv || container_self_protected())
		return 0;
	if (again)
		return error_set(err, EPERM, "this program runs from a copy that can be written to");
	if (!self_path[0])
		return error_set(err, ENOENT, "cannot protect this program: /proc/self/exe cannot be read");
	snprintf(value, sizeof(value), "%d:%s", (int)getpid(), self_path);
	if (setenv(VARIABLE, value, 1) < 0)
		return error_set(err, ENOMEM, "out of memory");
	int rc = run_from(clone_self(), argv);
	if (rc < 0)
		rc = run_from(copy_self(), argv);
	unsetenv(VARIABLE);
	error_set(err, -rc, "cannot run this program from a place that cannot be written to: %s", strerror(-rc));
	return error_hint(err, "allow programs in memory: sysctl vm.memfd_noexec=0; or run bench from a file system mounted read-only");
}
