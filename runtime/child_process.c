/* Steps that shape the process itself: ids, cgroup, session, names, limits, descriptors, privileges, exec. */
#include "calls.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
	long fd = CALL(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC), length = (long)strlen(text), put;

	if (fd < 0)
		return (int)fd;
	put = CALL(SYS_write, fd, text, length);
	CALL(SYS_close, fd);
	return put == length ? 0 : put < 0 ? (int)put : -EIO;
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
	return done(CALL(SYS_setgroups, 0, NULL)); /* not libc's: it would tell the threads of our parent */
}

/* number: how many of the parent's steps must be done. */
int step_await(struct child *child, const struct step *step)
{
	int64_t timeout_ms = child->plan->start_timeout_ms;
	struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000};
	uint32_t granted;

	while ((granted = __atomic_load_n(&child->granted, __ATOMIC_ACQUIRE)) < step->number)
		if (CALL(SYS_futex, &child->granted, FUTEX_WAIT, granted, &timeout, NULL, 0) == -ETIMEDOUT)
			return -ETIMEDOUT; /* our parent was killed before we could ask to be told */
	return granted == CHILD_GIVE_UP ? -ECANCELED : 0;
}

int step_join_cgroup(struct child *child, const struct step *step)
{
	for (int i = 0; i < child->n_groups; i++) {
		long fd = CALL(SYS_openat, child->group_fds[i], child->tasks, O_WRONLY | O_CLOEXEC), rc = fd;

		if (fd >= 0) {
			rc = CALL(SYS_write, fd, "0", 1);
			CALL(SYS_close, fd);
		}
		if (rc < 0)
			return (int)rc;
	}
	return 0;
}

int step_affinity(struct child *child, const struct step *step)
{
	return done(CALL(SYS_sched_setaffinity, 0, sizeof(child->plan->cpus), &child->plan->cpus));
}

int step_namespaces(struct child *child, const struct step *step)
{
	return done(CALL(SYS_unshare, step->number));
}

int step_session(struct child *child, const struct step *step)
{
	return done(CALL(SYS_setsid));
}

/* number: 1 where the seccomp list denies all calls on keys: then a keyring that cannot be had (a filter around us, a quota) is no loss. */
int step_keyring(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);

	if (rc == -ENOSYS || (step->number && (rc == -EPERM || rc == -EDQUOT)))
		return 0; /* ENOSYS: a kernel without keyrings has none to protect */
	return done(rc);
}

int step_hostname(struct child *child, const struct step *step)
{
	const char *name = step->arg[0] ? step->arg : child->id;

	return done(CALL(SYS_sethostname, name, strlen(name)));
}

/* Handlers of our parent are gone after exec, but what it ignores or blocks would stay, and so would the signal at its end (child_main()). */
int step_signals(struct child *child, const struct step *step)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} standard = {0};

	uint64_t ignored = __atomic_load_n(&child->ignored, __ATOMIC_ACQUIRE);

	for (int number = 1; number <= 64; number++) {
		bool reset = number != SIGKILL && number != SIGSTOP && ignored & UINT64_C(1) << (number - 1);
		long rc = reset ? CALL(SYS_rt_sigaction, number, &standard, NULL, sizeof(standard.mask)) : 0;

		if (rc < 0)
			return (int)rc;
	}
	return 0;
}

int step_unblock_signals(struct child *child, const struct step *step)
{
	uint64_t none = 0;

	CALL(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
	return done(CALL(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none)));
}

/* After the last change of ids or capabilities, which would forget it. */
int step_die_with_parent(struct child *child, const struct step *step)
{
	return child_end_with_parent(child);
}

/* The middle one that enters a container, whose memory is its own: else the kernel would set our parent's too. */
int step_oom_score(struct child *child, const struct step *step)
{
	return write_file("/proc/self/oom_score_adj", step->arg);
}

int step_rlimits(struct child *child, const struct step *step)
{
	const struct container_plan *plan = child->plan;

	for (size_t i = 0; i < plan->n_rlimits; i++) {
		long rc = CALL(SYS_prlimit64, 0, plan->rlimits[i].resource, &plan->rlimits[i].value, NULL);

		if (rc < 0)
			return (int)rc;
	}
	CALL(SYS_umask, 022);
	return 0;
}

int step_open_files(struct child *child, const struct step *step)
{
	return done(CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, &child->plan->open_files, NULL));
}

int step_stdio(struct child *child, const struct step *step)
{
	int *fds = child->stdio, own_null = -1;
	long rc;

	/* Its own, read-only for all but data, and opened anew: a file that several containers have is a way between them. */
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			continue;
		if (own_null < 0 && (own_null = (int)CALL(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
			return own_null;
		fds[i] = own_null;
	}
	/* First out of the way of each other, then into place. */
	for (int i = 0; i < 3; i++)
		if (fds[i] < 3 && fds[i] != i && (fds[i] = (int)CALL(SYS_fcntl, fds[i], F_DUPFD_CLOEXEC, 3)) < 0)
			return fds[i];
	for (int i = 0; i < 3; i++)
		if ((rc = fds[i] == i ? CALL(SYS_fcntl, i, F_SETFD, 0) : CALL(SYS_dup3, fds[i], i, 0)) < 0)
			return (int)rc;
	child->parent_fd = -1;
	/* Now, not at exec: until then a path through /proc/self/fd, as the image's program may be one, would lead out by them. */
	return done(CALL(SYS_close_range, 3u, ~0u, 0u));
}

/* All descriptors but three are closed by now, so that no path through them leads out; and a folder that lies outside has no name here. */
int step_working_dir(struct child *child, const struct step *step)
{
	char where[PATH_MAX];
	long rc = CALL(SYS_chdir, step->arg);

	where[0] = '\0';
	if (rc == 0)
		rc = CALL(SYS_getcwd, where, sizeof(where));
	return rc < 0 ? (int)rc : where[0] == '/' ? 0 : -EXDEV;
}

int step_no_new_privileges(struct child *child, const struct step *step)
{
	return done(CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

int step_bounding_set(struct child *child, const struct step *step)
{
	const struct container_plan *plan = child->plan;

	for (int cap = 0; cap <= plan->last_capability; cap++) {
		if (plan->capabilities & (UINT64_C(1) << cap))
			continue;
		/* EPERM: without SETPCAP the bounding set stays. It gives nothing back: no-new-privileges is set before the exec. */
		long rc = CALL(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (rc < 0 && rc != -EPERM)
			return (int)rc;
	}
	return done(CALL(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

int step_capabilities(struct child *child, const struct step *step)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(child->plan->capabilities >> (32 * i));
	return done(CALL(SYS_capset, &header, data));
}

int step_seccomp(struct child *child, const struct step *step)
{
	struct sock_fprog program = {.len = child->plan->n_filter, .filter = child->plan->filter};

	return done(CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

/* Goes on after the errors that execvp() goes on after; one that is there but may not be run is told rather than that the rest is missing. */
int step_exec(struct child *child, const struct step *step)
{
	const struct container_plan *plan = child->plan;
	int told = -ENOENT;

	for (char **program = plan->programs; *program; program++) {
		int rc = done(CALL(SYS_execve, *program, plan->argv, plan->envp));

		if (rc != -ENOENT && rc != -ENOTDIR && rc != -EACCES)
			return rc;
		if (rc == -EACCES)
			told = rc;
	}
	return told;
}
