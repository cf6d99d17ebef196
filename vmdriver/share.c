#include "share.h"

#include "channel.h"
#include "vm.h"

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASK_TIMEOUT_MS = 10000, ARGUMENTS_MAX = 12, SOCKET_FD = 3, GO_FD = 4, PIDS_MAX = 8, END_MS = 1000 };

/* ---- the program ---- */

int share_find(char *ret, size_t size, struct error *err)
{
	/* None of these is in PATH: Debian 12, others, Arch. */
	static const char *const places[] = {"/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return path_format(ret, size, err, "%s", places[i]);
	if (process_find(VM_SHARE_PROGRAM, ret, size))
		return 0;
	error_set(err, ENOENT, "root=virtiofs: virtiofsd is not installed");
	return error_hint(err, "apt install qemu-system-common (Debian 12) or virtiofsd (newer, Fedora, Arch)");
}

/* "virtiofsd version 7.2.22 (Debian …)", "virtiofsd 1.10.0". */
static int ask_program(struct share_plan *plan, struct error *err)
{
	char text[16384] = "";
	int rc = process_run((const char *const[]){plan->program, "--version", NULL}, NULL, ASK_TIMEOUT_MS, true, text, sizeof(text), err);

	if (rc != 0)
		return rc < 0 ? error_prefix(err, "ask virtiofsd for its version")
			      : error_set(err, EIO, "%s --version ends with %d", plan->program, rc);
	const char *digit = strpbrk(text, "0123456789");
	snprintf(plan->version, sizeof(plan->version), "%.*s", digit ? (int)strcspn(digit, " \n") : 0, digit ? digit : "");
	rc = process_run((const char *const[]){plan->program, "--help", NULL}, NULL, ASK_TIMEOUT_MS, true, text, sizeof(text), err);
	plan->has_read_only = rc >= 0 && strstr(text, "--readonly");
	return rc < 0 ? rc : 0;
}

/* As libvirt and QEMU read it: "0-2,4". */
static int read_cpus(const char *text, cpu_set_t *ret, struct error *err)
{
	CPU_ZERO(ret);
	while (*text) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end != text && *end == '-')
			last = strtoul(end + 1, &end, 10);
		if (end == text || last < first || last >= CPU_SETSIZE || (*end != ',' && *end != '\0'))
			return error_set(err, EINVAL, "list of CPUs '%.60s' cannot be read", text);
		for (; first <= last; first++)
			CPU_SET(first, ret);
		text = *end ? end + 1 : end;
	}
	return 0;
}

int share_plan_make(const char *folder, const char *dir, const char *cpuset, struct share_plan *ret, struct error *err)
{
	int rc = share_find(ret->program, sizeof(ret->program), err);

	/* Options of the daemon are separated by commas. */
	if (rc == 0 && strchr(dir, ','))
		rc = error_set(err, EINVAL, "run folder %s: virtiofsd takes no comma in it", dir);
	if (rc == 0)
		rc = path_format(ret->folder, sizeof(ret->folder), err, "%s", folder);
	if (rc == 0)
		rc = path_format(ret->place, sizeof(ret->place), err, "%s/shared", dir);
	if (rc == 0)
		rc = dir_make(ret->place, 0700, err);
	if (rc == 0)
		rc = read_cpus(cpuset, &ret->cpus, err);
	return rc < 0 ? rc : ask_program(ret, err);
}

/* ---- the child, which becomes the daemon: another thread of its parent may hold any lock, so it makes system calls and nothing else ---- */

static const char *const steps[] = {"bind it to CPUs",   "user namespace",   "map of users", "mount namespace", "open the folder",
				    "make it read-only", "mount the folder", "streams",      "run virtiofsd"};

struct child {
	const struct share_plan *plan;
	const char *argv[ARGUMENTS_MAX];
	char source[PATH_MAX + 64], uid_map[32], gid_map[32];
	int socket_fd, log_fd, go_fd;
};

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t put = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return put == (ssize_t)strlen(text) ? 0 : -1;
}

/* Every mount below comes along: in this namespace one cannot be taken off another. */
static int mount_folder(const struct share_plan *plan, int *step)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

	(*step)++;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	(*step)++;
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, plan->folder, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return -1;
	(*step)++;
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) < 0)
		return -1;
	(*step)++;
	return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, plan->place, MOVE_MOUNT_F_EMPTY_PATH);
}

/* The descriptors came with O_CLOEXEC and numbers that may be those wanted: copies first, far away. */
static int arrange_streams(struct child *c)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), log = fcntl(c->log_fd, F_DUPFD_CLOEXEC, 10),
	    socket = fcntl(c->socket_fd, F_DUPFD_CLOEXEC, 10), go = fcntl(c->go_fd, F_DUPFD_CLOEXEC, 10);

	if (null < 0 || log < 0 || socket < 0 || go < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 ||
	    dup2(socket, SOCKET_FD) < 0 || dup3(go, GO_FD, O_CLOEXEC) < 0)
		return -1;
	c->go_fd = GO_FD;
	return close_range(GO_FD + 1, ~0u, 0);
}

static int become_daemon(struct child *c, int *step)
{
	if (CPU_COUNT(&c->plan->cpus) > 0 && sched_setaffinity(0, sizeof(c->plan->cpus), &c->plan->cpus) < 0)
		return -1;
	(*step)++;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -1;
	(*step)++;
	if (write_text("/proc/self/setgroups", "deny") < 0 || write_text("/proc/self/uid_map", c->uid_map) < 0 ||
	    write_text("/proc/self/gid_map", c->gid_map) < 0 || mount_folder(c->plan, step) < 0)
		return -1;
	(*step)++;
	if (arrange_streams(c) < 0)
		return -1;
	(*step)++;
	return execv(c->argv[0], (char *const *)c->argv);
}

static _Noreturn void child_main(struct child *c)
{
	sigset_t none;
	int answer[2] = {0};
	char go;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(c->go_fd, &go, 1) != 1)
		_exit(1); /* the caller is gone, or does not want it any more */
	become_daemon(c, &answer[0]);
	answer[1] = errno;
	_exit(write(c->go_fd, answer, sizeof(answer)) == sizeof(answer) ? 1 : 2);
}

/* ---- the caller's side ---- */

/* Both daemons, QEMU's old one and its successor, take these. Descriptors: what the host's limit is stays as it is. */
static int prepare_child(const struct share_plan *plan, struct child *ret, struct error *err)
{
	size_t n = 0;
	int rc = path_format(ret->source, sizeof(ret->source), err, "source=%s,sandbox=namespace,cache=auto", plan->place);

	snprintf(ret->uid_map, sizeof(ret->uid_map), "0 %u 1", (unsigned)geteuid());
	snprintf(ret->gid_map, sizeof(ret->gid_map), "0 %u 1", (unsigned)getegid());
	ret->plan = plan;
	ret->argv[n++] = plan->program;
	ret->argv[n++] = "--fd=3";
	ret->argv[n++] = "--rlimit-nofile=0";
	if (plan->has_read_only)
		ret->argv[n++] = "--readonly";
	ret->argv[n++] = "-o";
	ret->argv[n++] = ret->source;
	ret->argv[n] = NULL;
	return rc;
}

int share_begin(const struct share_plan *plan, const char *socket, struct share *share, struct error *err)
{
	struct child child = {0};
	int ends[2], rc = prepare_child(plan, &child, err);

	*share = SHARE_NONE;
	if (rc == 0)
		rc = path_format(share->socket, sizeof(share->socket), err, "%s", socket);
	if (rc == 0)
		rc = path_format(share->log, sizeof(share->log), err, "%s.log", socket);
	if (rc < 0)
		return rc;
	_cleanup_close_ int log_fd = open(share->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		return error_errno(err, "virtiofsd's log %s", share->log);
	_cleanup_close_ int socket_fd = channel_listen(socket, err);
	if (socket_fd < 0)
		return socket_fd;
	/* virtiofsd waits for QEMU in accept(). */
	if (fcntl(socket_fd, F_SETFL, 0) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno(err, "streams of virtiofsd");
	child.log_fd = log_fd;
	child.socket_fd = socket_fd;
	child.go_fd = ends[1];
	share->go_fd = ends[0];
	share->pid = fork();
	if (share->pid == 0) {
		close(ends[0]);
		child_main(&child);
	}
	close(ends[1]);
	if (share->pid < 0) {
		share->pid = 0;
		return error_errno(err, "fork");
	}
	share->pidfd = pidfd_open(share->pid, 0);
	return share->pidfd < 0 ? error_errno(err, "process of virtiofsd") : 0;
}

int share_go(struct share *share, struct error *err)
{
	return send(share->go_fd, "", 1, MSG_NOSIGNAL) == 1 ? 0 : share_tell_end(share, err);
}

size_t share_pids(const struct share *share, pid_t *ret, size_t max)
{
	char path[64], text[256], *at = text;
	size_t n = 0;

	if (share->pid <= 0 || max == 0)
		return 0;
	ret[n++] = share->pid;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)share->pid, (int)share->pid);
	if (file_read("", path, text, sizeof(text), NULL) < 0)
		return n;
	for (char *end; n < max; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at || pid <= 0)
			break;
		ret[n++] = pid;
	}
	return n;
}

bool share_failed(const struct share *share)
{
	siginfo_t info = {0};

	if (share->pidfd < 0 || waitid(P_PIDFD, (id_t)share->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
		return false;
	return info.si_code != CLD_EXITED || info.si_status != 0;
}

static void last_line(const char *path, char *ret, size_t size)
{
	char text[4096];
	ssize_t length = file_read("", path, text, sizeof(text), NULL);
	const char *newline = length > 0 ? strrchr(text, '\n') : NULL;

	snprintf(ret, size, "%.150s", length <= 0 ? "" : newline ? newline + 1 : text);
}

int share_tell_end(const struct share *share, struct error *err)
{
	int answer[2];
	char line[160];

	if (recv(share->go_fd, answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer) &&
	    (size_t)answer[0] < sizeof(steps) / sizeof(steps[0])) {
		error_set(err, answer[1], "virtiofsd for the shared root: %s: %s", steps[answer[0]], strerror(answer[1]));
		return error_hint(err, "root=virtiofs needs user namespaces and Linux 5.12; or use root=ext4");
	}
	last_line(share->log, line, sizeof(line));
	return error_set(err, EIO, "virtiofsd (process %d), which shares the root, died or was killed%s%s", (int)share->pid,
			 line[0] ? "; its last line: " : "", line);
}

/* Its child's child: numbers pass on, so a descriptor is taken first, and then it is looked whether that number still is its child's. */
static void end_serving(const struct share *share, pid_t pid)
{
	pid_t now[PIDS_MAX];
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	size_t n = share_pids(share, now, PIDS_MAX);

	if (pidfd < 0)
		return;
	for (size_t i = 1; i < n; i++)
		if (now[i] == pid)
			pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, END_MS);
}

void share_end(struct share *share)
{
	pid_t pids[PIDS_MAX];
	size_t n = share_pids(share, pids, PIDS_MAX);

	for (size_t i = 1; i < n; i++)
		end_serving(share, pids[i]);
	if (share->pidfd >= 0) {
		pidfd_send_signal(share->pidfd, SIGKILL, NULL, 0);
		close(share->pidfd);
	}
	/* Before the wait: one that was never told to go ends by this. */
	if (share->go_fd >= 0)
		close(share->go_fd);
	while (share->pid > 0 && waitpid(share->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (share->socket[0])
		unlink(share->socket);
	if (share->log[0])
		unlink(share->log);
	*share = SHARE_NONE;
}
