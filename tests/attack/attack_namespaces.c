/* Namespaces: new ones for more rights, those of the host, and what has none. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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
