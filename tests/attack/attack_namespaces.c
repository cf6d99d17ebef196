/* Namespaces: new ones for more rights, those of the host, and what has none. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

static long clone_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | 17 /* SIGCHLD */, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static long clone3_with(uint64_t flags)
{
	struct clone_args args = {.flags = flags, .exit_signal = 17};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

void attack_more_namespaces(struct verdict *verdict)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} kinds[] = {{CLONE_NEWUSER, "user"},     {CLONE_NEWUSER | CLONE_NEWNS, "user and mount"},
		     {CLONE_NEWNET, "net"},       {CLONE_NEWPID, "pid"},
		     {CLONE_NEWCGROUP, "cgroup"}, {CLONE_NEWIPC, "ipc"},
		     {CLONE_NEWNS, "mount"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		refused(verdict, kinds[i].name, clone_with(kinds[i].flag));
		refused(verdict, "clone3", clone3_with(kinds[i].flag));
		/* The kernel takes 32 bits of unshare's flags: upper ones must not carry them past the filter. */
		refused(verdict, "unshare", syscall(SYS_unshare, kinds[i].flag | 1ul << 40));
	}
	refused(verdict, "time", syscall(SYS_unshare, 0x80ul));
}

void attack_enter_host(struct verdict *verdict)
{
	static const struct {
		const char *name;
		int flag;
	} kinds[] = {{"mnt", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET}, {"user", CLONE_NEWUSER}, {"uts", CLONE_NEWUTS}};
	char path[64], of_init[64], known[64];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%ld/ns/%s", host_number("HOST_PID"), kinds[i].name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		refused(verdict, path, fd < 0 ? -1 : syscall(SYS_setns, fd, kinds[i].flag));
		snprintf(path, sizeof(path), "/proc/1/ns/%s", kinds[i].name);
		ssize_t length = readlink(path, of_init, sizeof(of_init) - 1);
		of_init[length < 0 ? 0 : length] = '\0';
		snprintf(known, sizeof(known), "HOST_NS_%s", kinds[i].name);
		if (strcmp(of_init, host_text(known)) == 0 && strcmp(kinds[i].name, "user") != 0)
			broke(verdict, "%s is the host's namespace", path);
	}
	int pidfd = (int)syscall(SYS_pidfd_open, host_number("HOST_PID"), 0);
	refused(verdict, "pidfd_open", pidfd);
	refused(verdict, "setns pidfd", pidfd < 0 ? -1 : syscall(SYS_setns, pidfd, CLONE_NEWUTS));
}

void attack_names_and_clocks(struct verdict *verdict)
{
	struct timex now = {.modes = 0};
	struct timeval time;
	char name[65] = "";

	gethostname(name, sizeof(name));
	refused(verdict, "sethostname", sethostname(name, strlen(name)));
	refused(verdict, "setdomainname", setdomainname("(none)", 6));
	adjtimex(&now);
	now.modes = ADJ_TICK; /* as it is */
	now.tick = now.tick ? now.tick : 10000;
	refused(verdict, "adjtimex", adjtimex(&now));
	/* No clock is set where a clock could be set: what adjtimex says is enough then. */
	if (!verdict->escaped && gettimeofday(&time, NULL) == 0)
		refused(verdict, "settimeofday", settimeofday(&time, NULL));
}

/* A descriptor of a namespace must be one of our own, which /proc shows anyway. */
static void own_or_none(struct verdict *verdict, const char *what, const char *kind, int fd)
{
	char path[64], ours[64] = "", theirs[64] = "";

	if (fd < 0) {
		saw(verdict, "%s: %s", what, strerror(errno));
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	if (readlink(path, ours, sizeof(ours) - 1) < 0)
		broke(verdict, "%s: %s is missing", what, path);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, theirs, sizeof(theirs) - 1) < 0 || strcmp(ours, theirs) != 0)
		broke(verdict, "%s: %s is not ours, %s", what, theirs, ours);
	else
		saw(verdict, "%s: ours", what);
	close(fd);
}

enum { NS_OWNER = 0xb701, NS_PARENT = 0xb702 };
#define MNT_NS_NEXT 0x8010b70bul /* _IOR(0xb7, 11 and 12, struct mnt_ns_info) */
#define MNT_NS_LAST 0x8010b70cul

void attack_namespace_walk(struct verdict *verdict)
{
	static const char *const kinds[] = {"mnt", "pid", "net", "uts", "ipc", "cgroup"};
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), fd;
	uint32_t info[4] = {16};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[64], what[64];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			continue;
		snprintf(what, sizeof(what), "owner of %s", kinds[i]);
		own_or_none(verdict, what, "user", ioctl(fd, NS_OWNER));
		close(fd);
	}
	fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	refused(verdict, "parent of user", ioctl(fd, NS_PARENT));
	close(fd);
	fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	refused(verdict, "parent of pid", ioctl(fd, NS_PARENT));
	close(fd);
	fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	refused(verdict, "next mnt", ioctl(fd, MNT_NS_NEXT, info));
	refused(verdict, "previous mnt", ioctl(fd, MNT_NS_LAST, info));
	close(fd);
	own_or_none(verdict, "pidfd's mnt", "mnt", ioctl(pidfd, 0xff03)); /* PIDFD_GET_MNT_NAMESPACE */
	own_or_none(verdict, "pidfd's user", "user", ioctl(pidfd, 0xff09));
	close(pidfd);
}

/* From Linux 6.18 on handles name namespaces, from 6.14 on processes: numbers that are easily guessed. The runner tells those of the host, so that
 * the answer is about the right. */
static void no_handle(struct verdict *verdict, const char *kind, int file_system, const char *names[3])
{
	struct {
		uint32_t bytes;
		int32_t type;
		uint64_t words[2];
	} handle = {.bytes = (uint32_t)host_number(names[0]) >> 16, .type = (int32_t)host_number(names[0]) & 0xffff};

	if (handle.bytes == 0) {
		saw(verdict, "%s: this kernel has no such handles", kind);
		return;
	}
	handle.words[0] = (uint64_t)host_number(names[1]);
	handle.words[1] = (uint64_t)host_number(names[2]);
	long fd = syscall(SYS_open_by_handle_at, file_system, &handle, O_RDONLY | O_CLOEXEC);
	refused(verdict, kind, fd);
	if (fd >= 0)
		close((int)fd);
}

void attack_kernel_handles(struct verdict *verdict)
{
	no_handle(verdict, "mounts of the host", -10003 /* FD_NSFS_ROOT */, (const char *[]){"HOST_MNT_KIND", "HOST_MNT_A", "HOST_MNT_B"});
	no_handle(verdict, "process of the host", -10002 /* FD_PIDFS_ROOT */,
		  (const char *[]){"HOST_PIDFS_KIND", "HOST_PIDFS_A", "HOST_PIDFS_B"});
}
