/* Steps of a process that enters a running container (exec.h). Its memory is its own, a copy; what it calls is raw all the same (calls.h): it
 * may be the copy of one thread among several.
 *
 * Not dumpable from the first step to the exec. The kernel compares capabilities in the user namespace of our memory, which is that of bench, so
 * that no capability inside the container is enough to trace it or to open its memory, program or descriptors. */
#include "calls.h"
#include "exec.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/vfs.h>

enum { CHANNEL = 3 }; /* its place once 0, 1 and 2 are those of the program */

static struct entry *entry_of(struct child *child)
{
	return (struct entry *)child;
}

/* ---- telling ---- */

static int tell(const struct entry *entry, struct entry_message said, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
	struct iovec data = {.iov_base = &said, .iov_len = sizeof(said)};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return done(CALL(SYS_sendmsg, entry->channel, &message, MSG_NOSIGNAL));
}

int entry_walk(void *arg)
{
	struct entry *entry = arg;
	const struct container_plan *plan = entry->plan;

	for (size_t i = 0; i < plan->n_steps; i++) {
		int rc = plan->steps[i].apply(&entry->child, &plan->steps[i]);

		if (rc < 0) {
			tell(entry, (struct entry_message){.word = ENTRY_FAILED, .step = (int)i, .code = -rc}, -1);
			CALL(SYS_exit_group, 127);
		}
	}
	return 0;
}

/* ---- the middle process ---- */

/* Again after each change of ids: the kernel then takes fs.suid_dumpable, which need not be 0. */
int step_hide(struct child *child, const struct step *step)
{
	return done(CALL(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
}

int step_entry_join(struct child *child, const struct step *step)
{
	const struct entry *entry = entry_of(child);

	for (int i = 0; i < entry->n_joins; i++) {
		long rc = CALL(SYS_write, entry->join_fds[i], "0", 1);

		if (rc < 0)
			return (int)rc;
	}
	return 0;
}

/* One call for all: the kernel takes the user namespace first, and all of them or none. */
int step_enter(struct child *child, const struct step *step)
{
	const struct entry *entry = entry_of(child);
	long rc = CALL(SYS_setns, entry->target, entry->namespaces);

	return rc < 0 ? (int)rc : step_hide(child, step);
}

int step_entry_root(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_fchdir, entry_of(child)->root_fd);

	return done(rc < 0 ? rc : CALL(SYS_chroot, "."));
}

int step_entry_ids(struct child *child, const struct step *step)
{
	const struct entry *entry = entry_of(child);
	long rc = entry->drops_groups ? CALL(SYS_setgroups, 0, NULL) : 0;

	if (rc == 0)
		rc = CALL(SYS_setresgid, entry->gid, entry->gid, entry->gid);
	if (rc == 0)
		rc = CALL(SYS_setresuid, entry->uid, entry->uid, entry->uid);
	return rc < 0 ? (int)rc : step_hide(child, step);
}

/* The container's own devpts, by descriptor: a link or another file system in its place is refused. */
static long open_devpts(void)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	struct statfs fs;
	long fd = CALL(SYS_openat2, AT_FDCWD, "/dev/pts", &how, sizeof(how)), rc = fd;

	if (fd >= 0)
		rc = CALL(SYS_fstatfs, fd, &fs);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return rc == 0 && fs.f_type == DEVPTS_SUPER_MAGIC ? fd : -ENOTTY; /* a /dev without terminals may have the folder or not */
}

/* After the ids: the new node belongs to who opens it. */
int step_entry_terminal(struct child *child, const struct step *step)
{
	struct open_how how = {.flags = O_RDWR | O_NOCTTY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	long pts = open_devpts(), master = pts, peer;
	int locked = 0;

	if (pts >= 0)
		master = CALL(SYS_openat2, pts, "ptmx", &how, sizeof(how));
	peer = master < 0 ? master : CALL(SYS_ioctl, master, TIOCSPTLCK, &locked);
	if (peer >= 0)
		peer = CALL(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0)
		return (int)peer;
	for (int i = 0; i < 3; i++)
		child->stdio[i] = (int)peer;
	return tell(entry_of(child), (struct entry_message){.word = ENTRY_TERMINAL}, (int)master);
}

/* Like step_stdio(), but the channel stays. It closes at exec. */
int step_entry_stdio(struct child *child, const struct step *step)
{
	struct entry *entry = entry_of(child);
	int *fds[] = {&child->stdio[0], &child->stdio[1], &child->stdio[2], &entry->channel};
	long rc;

	/* First out of the way of each other, then into place. */
	for (int i = 0; i <= CHANNEL; i++)
		if ((*fds[i] = (int)CALL(SYS_fcntl, *fds[i], F_DUPFD_CLOEXEC, CHANNEL + 1)) < 0)
			return *fds[i];
	for (int i = 0; i <= CHANNEL; i++)
		if ((rc = CALL(SYS_dup3, *fds[i], i, i == CHANNEL ? O_CLOEXEC : 0)) < 0)
			return (int)rc;
	entry->channel = CHANNEL;
	return done(CALL(SYS_close_range, CHANNEL + 1, ~0u, 0u));
}

int step_entry_capabilities(struct child *child, const struct step *step)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t kept = entry_of(child)->kept;

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(kept >> (32 * i));
	long rc = CALL(SYS_capset, &header, data);
	return rc < 0 ? (int)rc : step_hide(child, step);
}

/* The middle process ends here; who goes on is a child of our parent, and has nothing that the container has not. The kernel writes its number
 * before either of them runs on: also where one is killed at once, our parent knows whom to wait for. The filter has no clone3. */
int step_fork(struct child *child, const struct step *step)
{
	const struct entry *entry = entry_of(child);
	long pid = CALL(SYS_madvise, entry->born, sizeof(*entry->born), MADV_DONTFORK);

	if (pid == 0)
		pid = CALL(SYS_clone, CLONE_PARENT | CLONE_PARENT_SETTID, 0, entry->born);
	if (pid > 0)
		CALL(SYS_exit_group, 0);
	return done(pid);
}

/* ---- the process inside ---- */

/* The parent holds us by a descriptor, and its end will be ours. */
int step_go(struct child *child, const struct step *step)
{
	char byte;
	long got = CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

	if (got == 0)
		got = CALL(SYS_recvfrom, entry_of(child)->channel, &byte, 1);
	return got == 1 ? 0 : -ECANCELED;
}

int step_entry_session(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_setsid);

	if (rc >= 0 && entry_of(child)->terminal)
		rc = CALL(SYS_ioctl, 0, TIOCSCTTY, 0);
	return done(rc);
}

/* Its parent is outside, so what it clones with CLONE_PARENT would be a child of bench: a stranger whose end nobody waits for, and without
 * whose end the kernel does not let go of the container. */
int step_no_strangers(struct child *child, const struct step *step)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])), /* the low half */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_PARENT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

	return done(CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}
