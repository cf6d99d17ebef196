/* The parent's side of one clone: from clone3 to the moment when the child has left our memory.
 *
 * CLONE_VM without CLONE_VFORK: the kernel clears child.running and wakes our futex when the child execs or ends (CLONE_CHILD_CLEARTID), as vfork
 * would, but this wait has an end: a child that hangs in a mount is killed. Meanwhile the parent walks steps of its own; the child waits for
 * their outcome where it needs it (step_await). The child never touches our thread's errno (calls.h). */
#include "plan.h"
#include "steps.h"

#include <bench/timeline.h>

#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILL_WAIT_MS = 5000 };

static bool wait_cleared(uint32_t *running, int64_t deadline_ns)
{
	while (__atomic_load_n(running, __ATOMIC_ACQUIRE)) {
		int64_t left_ns = deadline_ns - clock_now_ns();
		struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};

		if (left_ns <= 0)
			return false;
		syscall(SYS_futex, running, FUTEX_WAIT, 1, &left, NULL, 0);
	}
	return true;
}

static bool wait_gone(struct child *child, int64_t deadline_ns)
{
	return wait_cleared(&child->running, deadline_ns) && wait_cleared(&child->network.thread.running, deadline_ns) &&
	       wait_cleared(&child->leave.thread.running, deadline_ns);
}

/* Being born in a cgroup has errors of its own. */
static int born_error(const struct container_plan *plan, int code, struct error *err)
{
	error_set(err, code, "start in cgroup %s/%s: %s", plan->tree.dirs[0], plan->child.id, strerror(code));
	if (code == EACCES)
		return error_hint(err,
				  "both this group and ours must lie in a part that is delegated to us: start bench by systemd-run --user "
				  "--scope -p Delegate=yes, or go with cgroup=off");
	return error_hint(err, "%s",
			  code == EBUSY ? "a group that has controllers for groups below it takes no processes"
					: "a group of threads takes no processes: use another part of the tree, or cgroup=off");
}

static int clone_error(const struct container_plan *plan, bool born, int code, struct error *err)
{
	if (born && (code == EACCES || code == EBUSY || code == EOPNOTSUPP))
		return born_error(plan, code, err);
	error_set(err, code, "create namespaces (%s): %s", plan->facts.namespaces, strerror(code));
	if (code == ENOSPC)
		return error_hint(err, "raise the limits in /proc/sys/user/max_*_namespaces");
	if (code == ENOSYS)
		return error_hint(err, "clone3 needs kernel 5.3 or newer, and a system call filter around us that lets it pass");
	if (code == EPERM && plan->clone_flags & CLONE_NEWUSER)
		return error_hint(err, "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 "
				       "kernel.apparmor_restrict_unprivileged_userns=0, or run as root");
	if (code == EPERM)
		return error_hint(err, "run as root, or with userns=on");
	return -code;
}

#define CHROOTED                                                                                                                           \
	"the root of this host cannot be left behind (an initramfs, or a chroot): switch_root to a mounted file system first, or go "      \
	"with mount=host"

static const struct {
	step_apply apply;
	int code;
	const char *text;
} remedies[] = {
	{step_exec, ENOENT, "the root has no such program, or not the dynamic loader that it asks for"},
	{step_exec, EACCES, "is it executable for this user, and its file system not mounted noexec?"},
	{step_exec, ENOEXEC, "the program is for another architecture, or no program"},
	{step_keyring, EDQUOT, "raise kernel.keys.maxkeys"},
	{step_pivot, EINVAL, CHROOTED},
	{step_private_mounts, EINVAL, CHROOTED},
	{step_volume, EROFS, "make it in the root folder, or take a root that can be written: root=overlay"},
	{step_working_dir, ENOENT, "make it in the root folder, or take a root that can be written: root=overlay"},
	{step_working_dir, EXDEV, "it lies outside of the container"},
	{step_overlay, ENODEV, "this kernel has no overlayfs: modprobe overlay"},
	{step_folders, EIO, "a tmpfs before Linux 6.6 cannot keep what is written here: put its folder on another file system"},
	{step_overlay, ELOOP, "a layer must not lie inside another, or be there twice"},
	{step_overlay, EINVAL,
	 "put layers and what is written on a plain file system (ext4, xfs, btrfs, tmpfs), not on an overlay or a network"},
};

static int step_error(const struct container_plan *plan, const struct container_trace *trace, struct error *err)
{
	const struct step *step = &plan->steps[trace->n_done];
	bool named = step->arg[0] != '\0';
	int code = trace->failed_errno;

	if (code == 0)
		return error_set(err, ECHILD, "step %s%s%s: the child was killed", step->name, named ? " " : "", step->arg);
	error_set(err, code, "step %s%s%s: %s", step->name, named ? " " : "", step->arg, strerror(code));
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (step->apply == remedies[i].apply && code == remedies[i].code)
			return error_hint(err, "%s", remedies[i].text);
	if (code == EPERM && (plan->clone_flags & CLONE_NEWUSER || plan->nested))
		return error_hint(err, "a security module or a masked /proc restricts user namespaces here; run as root");
	return -code;
}

static int walk_one(struct container_plan *plan, size_t i, struct container *made, struct error *err)
{
	struct container_trace *trace = &plan->child.trace;

	trace->parent_begin_ns[i] = clock_now_ns();
	int rc = plan->parent_steps[i].apply(plan, made, err);
	trace->parent_done_ns[i] = clock_now_ns();
	return rc;
}

int plan_walk_before(struct container_plan *plan, struct container *made, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < plan->n_parent_steps && rc == 0; i++)
		if (plan->parent_steps[i].before_clone)
			rc = walk_one(plan, i, made, err);
	return rc;
}

/* Sixty calls that the child need not make, while it is busy; where it is there first, it sets all signals back. */
static uint64_t ignored_signals(void)
{
	uint64_t ignored = 0;

	for (int number = 1; number <= 64; number++) {
		struct sigaction action;

		/* libc refuses the numbers that it uses itself: those count as ignored. */
		if (sigaction(number, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
			ignored |= UINT64_C(1) << (number - 1);
	}
	return ignored;
}

/* Beside the child, which may wait for each of them. */
static int walk_beside(struct container_plan *plan, struct container *made, struct error *err)
{
	struct child *child = &plan->child;
	uint32_t granted = 0;
	int rc = 0;

	/* The child was probably queued behind us. It has more to do, and a helper to start on the other CPU. */
	sched_yield();
	for (size_t i = 0; i < plan->n_parent_steps && rc == 0; i++) {
		if (plan->parent_steps[i].before_clone)
			continue;
		rc = walk_one(plan, i, made, err);
		granted = rc < 0 ? CHILD_GIVE_UP : granted + 1;
		__atomic_store_n(&child->granted, granted, __ATOMIC_RELEASE);
		syscall(SYS_futex, &child->granted, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
	__atomic_store_n(&child->ignored, ignored_signals(), __ATOMIC_RELEASE);
	return rc;
}

/* A warm child has nobody to share the start with. It stands in line behind us: to send it to its CPU now costs less than when it runs, since
 * nobody has to be interrupted. If it was faster, it goes by itself (step_affinity). */
static void send_to_cpus(const struct container_plan *plan, pid_t pid)
{
	if (plan->pool && CPU_COUNT(&plan->cpus) > 0)
		sched_setaffinity(pid, sizeof(plan->cpus), &plan->cpus);
}

int plan_launch(struct container_plan *plan, int cgroup_fd, int timeout_ms, struct container *made, struct error *err)
{
	struct child *child = &plan->child;
	struct container_trace *trace = &child->trace;
	int pidfd = -1, rc = 0;
	struct clone_args args = {
		.flags = plan->clone_flags | CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uintptr_t)&pidfd,
		.child_tid = (uintptr_t)&child->running,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)plan->child_stack,
		.stack_size = CHILD_STACK_BYTES,
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
	};
	int64_t deadline_ns = clock_now_ns() + (int64_t)timeout_ms * 1000000;
	sigset_t all, before;
	bool gone = true;

	if (plan->child_lost)
		return error_set(err, EBUSY, "an earlier child of this plan could not be ended");
	child->running = 1;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	long pid = child_clone(&args, child_main, child);
	if (pid > 0) {
		send_to_cpus(plan, (pid_t)pid);
		made->pid = (pid_t)pid;
		made->pidfd = pidfd;
		rc = walk_beside(plan, made, err);
		gone = wait_gone(child, deadline_ns);
	}
	if (!gone) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		plan->child_lost = !wait_gone(child, clock_now_ns() + (int64_t)KILL_WAIT_MS * 1000000);
	}
	if (plan->restores_dumpable && gone)
		prctl(PR_SET_DUMPABLE, 1);
	sigprocmask(SIG_SETMASK, &before, NULL);

	if (pid < 0)
		return clone_error(plan, cgroup_fd >= 0, (int)-pid, err);
	/* A child that failed by itself has the better reason than a parent that found it gone. */
	if (rc < 0 && (trace->failed_errno == ECANCELED || trace->failed_errno == 0))
		return rc;
	if (!gone)
		return error_set(err, ETIMEDOUT, "step %s: not done within %d ms", plan->steps[trace->n_done].name, timeout_ms);
	if (trace->failed_errno || (size_t)trace->n_done + 1 < plan->n_steps)
		return step_error(plan, trace, err);
	return 0;
}

int plan_reap(pid_t *pid, int *pidfd, int *ret_status, struct error *err)
{
	siginfo_t info = {0};

	if (*pidfd < 0)
		return 0;
	syscall(SYS_pidfd_send_signal, *pidfd, SIGKILL, NULL, 0); /* an error says that it is gone already */
	if (poll(&(struct pollfd){.fd = *pidfd, .events = POLLIN}, 1, KILL_WAIT_MS) == 0)
		return error_set(err, ETIMEDOUT, "process %d does not end after SIGKILL", (int)*pid);
	if (waitid(P_PIDFD, (id_t)*pidfd, &info, WEXITED) == 0 && ret_status)
		*ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	close(*pidfd);
	*pidfd = -1;
	*pid = 0;
	return 0;
}
