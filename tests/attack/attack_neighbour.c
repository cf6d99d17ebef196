/* A second container beside this one. The first of the two leaves marks, or hands over what it has; the second, whom the runner tells of the first by
 * NEIGHBOUR, its process on the host, looks for them. */
#include "attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT = 47011, KEY = 0x62656e63 };

static const char *const places[] = {"/tmp/neighbour", "/run/neighbour", "/dev/shm/neighbour"};

/* By an abstract name and by a path. */
static int unix_socket(const char *name, struct sockaddr_un *ret, socklen_t *ret_size)
{
	bool is_path = name[0] == '/';

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(ret->sun_path + !is_path, name);
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void leave_marks(struct verdict *verdict)
{
	struct sockaddr_in address = loopback();
	struct sockaddr_un name;
	socklen_t size;
	int local = unix_socket("bench-neighbour", &name, &size), inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!write_text(places[i], "here"))
			saw(verdict, "%s: %s", places[i], strerror(errno));
	if (bind(local, (void *)&name, size) < 0 || listen(local, 1) < 0 || bind(inet, (void *)&address, sizeof(address)) < 0 ||
	    listen(inet, 1) < 0 || shmget(KEY, 4096, IPC_CREAT | 0666) < 0 || msgget(KEY, IPC_CREAT | 0666) < 0)
		saw(verdict, "a mark: %s", strerror(errno));
	saw(verdict, "the first saw nothing break");
	hold();
	close(local);
	close(inet);
}

static void look_for_marks(struct verdict *verdict)
{
	pid_t pid = (pid_t)host_number("NEIGHBOUR");
	struct sockaddr_in address = loopback();
	struct sockaddr_un name;
	socklen_t size;
	int local = unix_socket("bench-neighbour", &name, &size), inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char path[64];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		refused(verdict, places[i], access(places[i], F_OK));
	refused(verdict, "abstract socket", connect(local, (void *)&name, size));
	refused(verdict, "loopback port", connect(inet, (void *)&address, sizeof(address)));
	refused(verdict, "memory", shmget(KEY, 0, 0));
	refused(verdict, "queue", msgget(KEY, 0));
	refused(verdict, "signal", kill(pid, 0));
	refused(verdict, "pidfd", syscall(SYS_pidfd_open, pid, 0));
	refused(verdict, "ptrace", ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	snprintf(path, sizeof(path), "/proc/%d/root/attack", (int)pid);
	no_read(verdict, path);
	close(local);
	close(inet);
}

void attack_neighbour(struct verdict *verdict)
{
	if (getenv("NEIGHBOUR"))
		look_for_marks(verdict);
	else
		leave_marks(verdict);
}

/* ---- what one hands to the other ---- */

enum { ROOT, PROC, NAMESPACE, PROCESS, HANDED };

static int pass(int to, const int fds[HANDED])
{
	char byte = 0, control[CMSG_SPACE(sizeof(int) * HANDED)] __attribute__((aligned(8))) = {0};
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * HANDED);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * HANDED);
	return (int)sendmsg(to, &message, MSG_NOSIGNAL);
}

static bool take(int from, int fds[HANDED])
{
	char byte, control[CMSG_SPACE(sizeof(int) * HANDED)] __attribute__((aligned(8))) = {0};
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) < 1 || !CMSG_FIRSTHDR(&message) ||
	    CMSG_FIRSTHDR(&message)->cmsg_len != CMSG_LEN(sizeof(int) * HANDED))
		return false;
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int) * HANDED);
	return true;
}

/* A process of ours hands the same to whoever connects, until the runner has seen the other one end. */
static void hand_over(struct verdict *verdict, int listener)
{
	const int fds[HANDED] = {[ROOT] = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC),
				 [PROC] = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC),
				 [NAMESPACE] = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC),
				 [PROCESS] = (int)syscall(SYS_pidfd_open, getpid(), 0)};
	pid_t child = fork();

	if (child == 0) {
		int fd = accept(listener, NULL, NULL);

		pass(fd, fds);
		_exit(0);
	}
	saw(verdict, "the first saw nothing break");
	hold();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Up from a folder whose mounts end there. */
static void climb(struct verdict *verdict, const char *what, int fd)
{
	char path[512] = "";

	for (int i = 0; i < 12; i++)
		strcat(path, "../");
	strcat(path, host_text("HOST_FILE") + 1);
	refused(verdict, what, openat(fd, path, O_RDONLY | O_CLOEXEC));
}

static void use_what_is_given(struct verdict *verdict, int socket_fd)
{
	int fds[HANDED];

	if (!take(socket_fd, fds)) {
		broke(verdict, "nothing was handed over, which proves nothing: %s", strerror(errno));
		return;
	}
	climb(verdict, "up from its root", fds[ROOT]);
	climb(verdict, "up from its /proc", fds[PROC]);
	refused(verdict, "write by its root", openat(fds[ROOT], "made", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	refused(verdict, "write by its /proc", openat(fds[PROC], "sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC));
	refused(verdict, "setns to its mounts", setns(fds[NAMESPACE], CLONE_NEWNS));
	refused(verdict, "setns to its process", setns(fds[PROCESS], CLONE_NEWNS | CLONE_NEWPID));
	refused(verdict, "chroot by its root", fchdir(fds[ROOT]) < 0 ? -1 : chroot("."));
	refused(verdict, "clone its mounts", syscall(SYS_open_tree, fds[ROOT], "", 0x1000 | 1));
}

void attack_passed_folder(struct verdict *verdict)
{
	struct sockaddr_un name;
	socklen_t size;
	int fd = unix_socket("/mnt/socket", &name, &size);

	if (getenv("NEIGHBOUR")) {
		if (connect(fd, (void *)&name, size) < 0)
			broke(verdict, "the volume's socket: %s", strerror(errno));
		else
			use_what_is_given(verdict, fd);
	} else if (bind(fd, (void *)&name, size) < 0 || listen(fd, 1) < 0) {
		broke(verdict, "a socket on the volume: %s", strerror(errno));
	} else {
		hand_over(verdict, fd);
	}
	close(fd);
}
