#include "container_os.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <osimage/os_image.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define OS_CONTROL "/run/bench/control"

enum { HALT_WAIT_MS = 5000, WORDS_BYTES = 4096, LATE_MAX = 64 };

/* systemd takes this one for "halt", and "container" for not being on a machine: no mounts of its own, no udev, an exit at the end. */
#define HALT_SIGNAL (SIGRTMIN + 3)

void container_os_options(struct container_options *options)
{
	static const char *const argv[] = {"/sbin/init", NULL};
	static const char *const envp[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=bench",
					   "BENCH_CONTROL=" OS_CONTROL, NULL};

	options->system = true;
	options->capabilities_add = UINT64_C(1) << CAP_SETPCAP; /* services give up what they do not need of the bounding set */
	options->root = CONTAINER_ROOT_OVERLAY;
	options->userns = CONTAINER_ON;
	options->hostname = "debian";
	options->argv = argv;
	options->envp = envp;
}

int container_os_probe(const struct driver_config *config, struct error *err)
{
	int rc = os_image_probe(OS_IMAGE_FOLDER, config->cache_dir ? config->cache_dir : "", err);

	return rc < 0 ? rc : 0;
}

/* Bounded, never full for who writes, and no file of the host. */
static int make_words(struct error *err)
{
	_cleanup_close_ int fd = memfd_create("words", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, WORDS_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return error_errno(err, "memory for the init's words");
	return take_fd(&fd);
}

void container_os_forget(const struct container_os *os)
{
	static const char nothing[WORDS_BYTES];
	int late;

	/* Whoever waits there belongs to an earlier container: its start took too long, or it connected more than once. */
	for (int i = 0; i < LATE_MAX && (late = accept4(os->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0; i++)
		close(late);
	(void)!pwrite(os->words_fd, nothing, sizeof(nothing), 0);
	lseek(os->words_fd, 0, SEEK_SET);
}

/* The last line but the one that says that it exits. */
static void last_words(const struct container_os *os, char *ret, size_t size)
{
	char text[WORDS_BYTES + 1] = "", *save = NULL;

	ret[0] = '\0';
	if (pread(os->words_fd, text, WORDS_BYTES, 0) < 0)
		return;
	for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
		if (strncmp(line, "Exiting PID 1", 13) != 0)
			snprintf(ret, size, ": %.200s", line);
}

static int listen_at(const char *path, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ENAMETOOLONG, "control socket %s: its path is too long", path);
	strcpy(address.sun_path, path);

	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		return error_errno(err, "control socket %s", path);
	return take_fd(&fd);
}

int container_os_open(const struct driver_config *config, struct container_os *ret, struct container_options *options, struct error *err)
{
	struct os_image image;
	char socket_path[PATH_MAX];
	int rc = os_image_get(OS_IMAGE_FOLDER, config->cache_dir, config->note, config->note_arg, &image, err);

	if (rc == 0)
		rc = path_format(socket_path, sizeof(socket_path), err, "%s/control", config->run_dir);
	if (rc == 0)
		rc = ret->listen_fd = listen_at(socket_path, err);
	if (rc < 0)
		return rc;
	ret->words_fd = make_words(err);
	if (ret->words_fd < 0) {
		close(ret->listen_fd);
		return -ENOMEM;
	}
	ret->used = true;
	/* Places that show inside are named without a link on the way. */
	if (!realpath(image.path, ret->root) || !realpath(config->agent_path, ret->agent) || !realpath(socket_path, ret->socket))
		return error_errno(err, "image, agent or control socket");
	ret->mounts[0] = (struct container_mount){.source = ret->agent, .target = OS_IMAGE_AGENT};
	ret->mounts[1] = (struct container_mount){.source = ret->socket, .target = OS_CONTROL};
	options->rootfs = ret->root;
	options->mounts = ret->mounts;
	options->n_mounts = sizeof(ret->mounts) / sizeof(ret->mounts[0]);
	return 0;
}

void container_os_close(struct container_os *os)
{
	if (os->used) {
		close(os->listen_fd); /* the socket's name goes with the run folder */
		close(os->words_fd);
	}
	os->used = false;
}

/* Is it a process of the container? Its pid namespace is the container's own, and lives as long as we have not reaped its first process. */
static bool is_inside(int fd, const struct container *container)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	char path[64];
	struct stat theirs, ours;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)peer.pid);
	if (stat(path, &theirs) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)container->pid);
	return stat(path, &ours) == 0 && theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

/* Waits for somebody at the socket: 0, or -errno. */
static int wait_for_agent(const struct container_os *os, const struct container *container, int64_t deadline_ns, struct error *err)
{
	struct pollfd waits[] = {{.fd = os->listen_fd, .events = POLLIN}, {.fd = container->pidfd, .events = POLLIN}};
	char words[240];
	int n;

	do {
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;

		n = poll(waits, 2, left_ms > 0 ? (int)left_ms : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, "wait for the agent");
	if (n == 0)
		return error_set(err, ETIMEDOUT, "the system did not reach multi-user in time");
	if (waits[0].revents & POLLIN)
		return 0;
	last_words(os, words, sizeof(words));
	return error_set(err, ECHILD, "the system's init ended before multi-user was reached%s", words);
}

int container_os_accept(const struct container_os *os, const struct container *container, int64_t deadline_ns, struct error *err)
{
	for (;;) {
		int rc = wait_for_agent(os, container, deadline_ns, err);
		_cleanup_close_ int fd = rc < 0 ? -1 : accept4(os->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (rc < 0)
			return rc;
		if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			return error_errno(err, "accept the agent");
		/* Another container's, of which a process is left, or somebody else on this host: it is hung up on, and the wait goes on. */
		if (fd >= 0 && is_inside(fd, container))
			return take_fd(&fd);
	}
}

void container_os_halt(const struct container *container)
{
	if (container->pidfd < 0 || syscall(SYS_pidfd_send_signal, container->pidfd, HALT_SIGNAL, NULL, 0) < 0)
		return;
	poll(&(struct pollfd){.fd = container->pidfd, .events = POLLIN}, 1, HALT_WAIT_MS);
}
