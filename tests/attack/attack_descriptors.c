/* Descriptors: those that the runtime left open, and what can be made of the three that were given. */
#include "attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

void attack_leaked_descriptors(struct verdict *verdict)
{
	char name[256];
	int found = 0;

	for (int fd = 0; fd < 4096; fd++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t length = readlink(path, name, sizeof(name) - 1);
		if (length < 0)
			continue;
		name[length] = '\0';
		found++;
		if (fd > 2)
			broke(verdict, "descriptor %d is %s", fd, name);
	}
	saw(verdict, "%d descriptors, all of them given", found);
}

/* The stage names /proc/self/fd/N as working folder, N being a folder of the host. */
void attack_working_dir_descriptor(struct verdict *verdict)
{
	char cwd[256] = "";
	struct stat here, root;

	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 || cwd[0] != '/')
		broke(verdict, "the working folder is outside the root: %s", cwd[0] ? cwd : strerror(errno));
	/* From a folder outside the root, ".." never meets the root. */
	for (int i = 0; i < 64 && chdir("..") == 0; i++)
		;
	if (stat(".", &here) == 0 && stat("/", &root) == 0 && (here.st_ino != root.st_ino || here.st_dev != root.st_dev))
		broke(verdict, ".. leads past the root");
	saw(verdict, "working folder %s, below the root", cwd);
}

/* The stage made the image's program a link to /proc/self/fd/N/attack, N being a folder of the host. */
void attack_program_descriptor(struct verdict *verdict)
{
	struct stat running, given;

	if (stat("/proc/self/exe", &running) == 0 && stat("/attack", &given) == 0 && running.st_ino == given.st_ino &&
	    running.st_dev == given.st_dev)
		saw(verdict, "the program is the image's own");
	else
		broke(verdict, "a program from outside the root runs");
}

void attack_descriptor_links(struct verdict *verdict)
{
	static const char *const ways[] = {"/dev/fd/0/..", "/dev/stdin/..", "/proc/self/fd/1/..", "/proc/self/fd/0"};
	char path[64];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		no_read(verdict, ways[i]);
	snprintf(path, sizeof(path), "/proc/%ld/fd/1", host_number("HOST_PID"));
	no_read(verdict, path);
}

/* The control stream was made by the runtime: the kernel hands out a descriptor of that process. What can be done with it? */
void attack_peer_descriptor(struct verdict *verdict)
{
	int pidfd = -1;
	socklen_t size = sizeof(pidfd);

	if (getsockopt(0, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0) {
		saw(verdict, "SO_PEERPIDFD: %s", strerror(errno));
		return;
	}
	saw(verdict, "SO_PEERPIDFD gives a descriptor");
	refused(verdict, "pidfd_send_signal", syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
	refused(verdict, "pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, 0, 0));
	refused(verdict, "setns", syscall(SYS_setns, pidfd, CLONE_NEWUTS | CLONE_NEWIPC));
	for (unsigned long number = 1; number <= 10; number++) {
		char what[64];

		snprintf(what, sizeof(what), "namespace %lu by ioctl", number);
		refused(verdict, what, ioctl(pidfd, _IO(0xFF, number), 0));
	}
}

/* Descriptor 2 is the runtime's own empty file, the same for all containers of a plan. */
void attack_empty_stdio(struct verdict *verdict)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct stat st;
	char byte;

	if (fstat(2, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		broke(verdict, "it is no /dev/null");
	if (write(2, "kept", 4) == 4 && (pread(2, &byte, 1, 0) > 0 || read(2, &byte, 1) > 0))
		broke(verdict, "what was written is kept");
	refused(verdict, "fchmod", fchmod(2, 0600));
	refused(verdict, "fchown", fchown(2, 0, 0));
	refused(verdict, "futimens", futimens(2, times));
	refused(verdict, "user attribute", fsetxattr(2, "user.x", "x", 1, 0));
	refused(verdict, "truncate", ftruncate(2, 1 << 20));
	refused(verdict, "fallocate", fallocate(2, 0, 0, 1 << 20));
	refused(verdict, "add a seal", fcntl(2, 1033 /* F_ADD_SEALS */, 2));
}
