/* Steps that shape the process itself: ids, cgroup, session, names, limits, descriptors, privileges, exec. */
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Result of a system call as steps return it. */
static int done(long rc)
{
	return rc < 0 ? -errno : 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t length = (ssize_t)strlen(text), put;
	int rc;

	if (fd < 0)
		return -errno;
	put = write(fd, text, (size_t)length);
	rc = put < 0 ? -errno : put == length ? 0 : -EIO;
	close(fd);
	return rc;
}

/* arg: "0 UID 1\n" and "0 GID 1\n", one text behind the other (the first ends with NUL). The printed part is the first. */
int step_map_ids(struct child *child, const struct step *step)
{
	const char *gid_map = step->arg + strlen(step->arg) + 1;
	int rc = write_file("/proc/self/setgroups", "deny");

	if (rc == 0)
		rc = write_file("/proc/self/uid_map", step->arg);
	return rc < 0 ? rc : write_file("/proc/self/gid_map", gid_map);
}

int step_no_groups(struct child *child, const struct step *step)
{
	return done(syscall(SYS_setgroups, 0, NULL)); /* not libc's: it would tell the threads of our parent */
}

int step_join_cgroup(struct child *child, const struct step *step)
{
	for (int i = 0; i < child->n_cgroup_fds; i++)
		if (write(child->cgroup_fds[i], "0", 1) < 0)
			return -errno;
	return 0;
}

int step_cgroup_namespace(struct child *child, const struct step *step)
{
	return done(unshare(CLONE_NEWCGROUP));
}

int step_affinity(struct child *child, const struct step *step)
{
	return done(syscall(SYS_sched_setaffinity, 0, sizeof(child->plan->cpus), &child->plan->cpus));
}

int step_session(struct child *child, const struct step *step)
{
	return done(setsid());
}

/* number: 1 where the seccomp list denies all calls on keys: then a keyring that cannot be had (a filter around us, a quota) is no loss. */
int step_keyring(struct child *child, const struct step *step)
{
	long rc = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);

	if (rc < 0 && (errno == ENOSYS || (step->number && (errno == EPERM || errno == EDQUOT))))
		return 0; /* ENOSYS: a kernel without keyrings has none to protect */
	return done(rc);
}

int step_hostname(struct child *child, const struct step *step)
{
	const char *name = step->arg[0] ? step->arg : child->id;

	return done(sethostname(name, strlen(name)));
}

int step_loopback(struct child *child, const struct step *step)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	rc = done(ioctl(fd, SIOCSIFFLAGS, &request));
	close(fd);
	return rc;
}

/* Handlers of our parent are gone after exec, but what it ignores or blocks would stay. */
int step_signals(struct child *child, const struct step *step)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} standard = {0};
	uint64_t none = 0;

	for (int number = 1; number <= 64; number++)
		if (number != SIGKILL && number != SIGSTOP && syscall(SYS_rt_sigaction, number, &standard, NULL, sizeof(none)) < 0)
			return -errno;
	return done(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none)));
}

int step_rlimits(struct child *child, const struct step *step)
{
	const struct container_plan *plan = child->plan;

	for (size_t i = 0; i < plan->n_rlimits; i++)
		if (syscall(SYS_prlimit64, 0, plan->rlimits[i].resource, &plan->rlimits[i].value, NULL) < 0)
			return -errno;
	umask(022);
	return 0;
}

int step_stdio(struct child *child, const struct step *step)
{
	int *fds = child->stdio;

	/* First out of the way of each other, then into place. */
	for (int i = 0; i < 3; i++)
		if (fds[i] < 3 && fds[i] != i && (fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3)) < 0)
			return -errno;
	for (int i = 0; i < 3; i++)
		if ((fds[i] == i ? fcntl(i, F_SETFD, 0) : dup3(fds[i], i, 0)) < 0)
			return -errno;
	return done(syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC));
}

int step_no_new_privileges(struct child *child, const struct step *step)
{
	return done(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int step_capabilities(struct child *child, const struct step *step)
{
	const struct container_plan *plan = child->plan;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t kept = plan->capabilities;

	for (int cap = 0; cap <= plan->last_capability; cap++) {
		if (kept & (UINT64_C(1) << cap))
			continue;
		/* EPERM: without SETPCAP the bounding set stays. It gives nothing back: no-new-privileges is set by now. */
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return -errno;
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(kept >> (32 * i));
	return done(syscall(SYS_capset, &header, data));
}

int step_seccomp(struct child *child, const struct step *step)
{
	struct sock_fprog program = {.len = child->plan->n_filter, .filter = child->plan->filter};

	return done(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

int step_exec(struct child *child, const struct step *step)
{
	return done(execve(step->arg, child->plan->argv, child->plan->envp));
}
