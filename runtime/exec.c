/* A further process in a running container: the parent's side (exec.h tells who is who).
 *
 * The middle process is a copy, not a CLONE_VM child: with memory of ours in it, who is inside the container could write into bench, and the
 * group's OOM killer would take bench along. Who is inside may make children of ours (CLONE_PARENT, without the filter): nobody but the two
 * processes of an entry is ever waited for. */
#include "exec.h"

#include "steps.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_MS = 10000 };

/* ---- errors ---- */

static int full(struct error *err)
{
	error_set(err, EAGAIN, "its limit of processes is reached");
	return error_hint(err, "entering takes room for two; end one, or start it with a larger limit (--pids)");
}

static const char *exec_hint(int code)
{
	return code == ENOENT    ? "the container has no such program in PATH, or not the loader that it asks for"
	       : code == EACCES  ? "is it executable for this user, and its file system not mounted noexec?"
	       : code == ENOEXEC ? "the program is for another architecture, or no program"
				 : NULL;
}

static const char *step_hint(const struct step *step, int code)
{
	if (step->apply == step_exec)
		return exec_hint(code);
	if (step->apply == step_enter && (code == EPERM || code == EACCES))
		return "only root, or the user who started the container, can enter it";
	if (step->apply == step_entry_ids && code == EINVAL)
		return "the container's user namespace has no such user or group";
	if (step->apply == step_entry_terminal && (code == ENOTTY || code == ELOOP))
		return "the container has no terminals: start it with --tty, or with an image; or go without -t here";
	if (step->apply == step_working_dir && code == EXDEV)
		return "this folder is not below the container's root";
	return NULL;
}

static int step_failed(const struct entry *entry, const struct entry_message *said, struct error *err)
{
	const struct container_plan *plan = entry->plan;

	if (said->step < 0 || (size_t)said->step >= plan->n_steps)
		return error_set(err, EBADMSG, "an answer that makes no sense");
	const struct step *step = &plan->steps[said->step];
	if (step->apply == step_fork && said->code == EAGAIN)
		return full(err);
	if (said->code == ESRCH || (step->apply == step_fork && said->code == ENOMEM))
		return error_set(err, ESRCH, "it has ended meanwhile");
	const char *hint = step_hint(step, said->code);
	error_set(err, said->code, "step %s%s%s: %s", step->name, step->arg[0] ? " " : "", step->arg, strerror(said->code));
	return hint ? error_hint(err, "%s", hint) : -said->code;
}

static int clone_failed(const struct entry *entry, int code, struct error *err)
{
	if (entry->born_in < 0)
		return error_set(err, code, "clone: %s", strerror(code));
	if (code == EAGAIN)
		return full(err);
	error_set(err, code, "clone into its cgroup: %s", strerror(code));
	return code == EACCES ? error_hint(err, "our group and the container's must lie in one part that is delegated to us") : -code;
}

static int was_killed(struct error *err)
{
	error_set(err, ECHILD, "the process was killed while it entered");
	return error_hint(err, "is the container's memory full?");
}

/* ---- what they tell ---- */

static int descriptor_of(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd;

	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* Waits for a descriptor to become readable. */
static int await(int fd, int64_t deadline_ns, struct error *err)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int ready;

	do {
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;

		ready = poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (ready < 0 && errno == EINTR);
	return ready > 0 ? 0 : error_set(err, ETIMEDOUT, "not entered within %d s", TIMEOUT_MS / 1000);
}

/* 1: a message, 0: the end of the channel, or -errno (-EAGAIN: nothing is there). */
static int receive(int channel, struct entry_message *ret, int *ret_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec data = {.iov_base = ret, .iov_len = sizeof(*ret)};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	*ret_fd = -1;
	if (got < 0)
		return -errno;
	*ret_fd = descriptor_of(&message);
	if (got == 0 || got == sizeof(*ret))
		return got > 0;
	cleanup_close(ret_fd);
	*ret_fd = -1;
	return -EBADMSG;
}

/* What the middle process has said; it has ended. The one inside says nothing yet. */
static int hear_middle(const struct entry *entry, struct container *made, struct error *err)
{
	struct entry_message said;
	int fd;

	while (receive(entry->plan->channel[0], &said, &fd) > 0) {
		if (said.word == ENTRY_FAILED)
			return step_failed(entry, &said, err);
		cleanup_close(&made->terminal_fd);
		made->terminal_fd = fd;
	}
	if (made->pid == 0)
		return was_killed(err);
	return !entry->terminal || made->terminal_fd >= 0 ? 0 : error_set(err, EMFILE, "no descriptor is left for its terminal");
}

/* It is our child, and we alone wait for it: so the number is still its own. */
static int hold_process(const struct entry *entry, struct container *made, struct error *err)
{
	pid_t pid = *entry->born;

	if (pid == 0)
		return 0;
	made->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (made->pidfd >= 0) {
		made->pid = pid;
		return 0;
	}
	int rc = error_errno(err, "hold process %d", (int)pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return rc;
}

/* The end of the channel is that of the exec. */
static int await_exec(const struct entry *entry, int64_t deadline_ns, struct error *err)
{
	struct entry_message said;
	_cleanup_close_ int fd = -1;
	int channel = entry->plan->channel[0];

	if (send(channel, "g", 1, MSG_NOSIGNAL) != 1)
		return was_killed(err);
	int rc = await(channel, deadline_ns, err);
	if (rc < 0)
		return rc;
	rc = receive(channel, &said, &fd);
	return rc > 0 ? step_failed(entry, &said, err) : rc < 0 ? was_killed(err) : 0;
}

/* ---- both together ---- */

static long clone_middle(struct entry *entry, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | (entry->born_in >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)entry->plan->child_stack,
		.stack_size = CHILD_STACK_BYTES,
		.cgroup = entry->born_in >= 0 ? (uint64_t)entry->born_in : 0,
	};
	sigset_t all, before;

	sigfillset(&all); /* a handler of ours must not run there */
	sigprocmask(SIG_SETMASK, &all, &before);
	long pid = child_clone(&args, entry_walk, entry);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static int launch(struct entry *entry, struct container *made, struct error *err)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)TIMEOUT_MS * 1000000;
	int pidfd = -1;
	long pid = clone_middle(entry, &pidfd);

	if (pid < 0)
		return clone_failed(entry, (int)-pid, err);
	close(take_fd(&entry->plan->channel[1]));
	pid_t middle = (pid_t)pid;
	int rc = await(pidfd, deadline_ns, err);
	int ended = plan_reap(&middle, &pidfd, NULL, rc < 0 ? NULL : err);
	cleanup_close(&pidfd);
	int held = hold_process(entry, made, rc < 0 || ended < 0 ? NULL : err);
	if (rc == 0)
		rc = ended < 0 ? ended : held;
	if (rc == 0)
		rc = hear_middle(entry, made, err);
	return rc < 0 ? rc : await_exec(entry, deadline_ns, err);
}

int container_exec(const struct container_exec_options *options, const int stdio[3], struct container *ret, struct error *err)
{
	struct container made = CONTAINER_NONE;
	struct entry entry;
	int rc = entry_prepare(options, stdio, &entry, err);

	if (rc == 0)
		rc = launch(&entry, &made, err);
	entry_done(&entry);
	if (rc < 0) {
		container_stop(NULL, &made, NULL);
		cleanup_close(&made.terminal_fd);
		return error_prefix(err, "enter it");
	}
	*ret = made;
	return 0;
}
