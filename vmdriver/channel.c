#include "channel.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* newer than the headers of Debian 12 */
#endif

int channel_listen(const char *path, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, ENAMETOOLONG, "socket %s: the path is longer than %zu characters", path,
				 sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);

	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_errno(err, "socket");
	/* The mode comes from the socket's own inode at bind time: nobody else can connect, not even for a moment. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		return error_errno(err, "listen on %s", path);
	return take_fd(&fd);
}

int channel_accept(int listener, pid_t *ret_pid, struct error *err)
{
	_cleanup_close_ int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (fd < 0)
		return errno == EAGAIN || errno == ECONNABORTED ? -EAGAIN : error_errno(err, "accept QEMU's connection");
	if (ret_pid) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
			return error_errno(err, "ask who connected");
		*ret_pid = peer.pid;
	}
	return take_fd(&fd);
}

int channel_peer(int fd, pid_t pid)
{
	int pidfd = -1;
	socklen_t length = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0)
		return pidfd;
	return errno == ENOPROTOOPT ? pidfd_open(pid, 0) : -1;
}

/* ---- console ---- */

void console_init(struct console *c)
{
	*c = (struct console){.mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1};
}

/* Keeps the newest bytes: when full, the older half goes. */
static void keep(struct console *c, const char *bytes, size_t length)
{
	pthread_mutex_lock(&c->mutex);
	if (c->used + length > sizeof(c->text)) {
		size_t drop = c->used + length - sizeof(c->text);

		if (drop < sizeof(c->text) / 2)
			drop = sizeof(c->text) / 2;
		if (drop > c->used)
			drop = c->used;
		memmove(c->text, c->text + drop, c->used - drop);
		c->used -= drop;
	}
	memcpy(c->text + c->used, bytes, length);
	c->used += length;
	pthread_mutex_unlock(&c->mutex);
}

static void *drain(void *arg)
{
	struct console *c = arg;
	char block[1024];
	ssize_t n;

	while ((n = read(c->fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			keep(c, block, (size_t)n);
	return NULL;
}

int console_start(struct console *c, int fd, struct error *err)
{
	c->fd = fd;

	int rc = pthread_create(&c->thread, NULL, drain, c);

	if (rc)
		return error_set(err, rc, "thread for the console: %s", strerror(rc));
	c->runs = true;
	return 0;
}

void console_done(struct console *c)
{
	if (c->runs) {
		shutdown(c->fd, SHUT_RDWR);
		pthread_join(c->thread, NULL);
		c->runs = false;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	pthread_mutex_destroy(&c->mutex);
}

/* One line of the console as text: "[    1.234567] " and what is not printable goes. */
static void clean_line(const char *line, size_t length, char *ret, size_t size)
{
	size_t used = 0;

	if (length > 2 && line[0] == '[' && (line[1] == ' ' || (line[1] >= '0' && line[1] <= '9'))) {
		const char *end = memchr(line, ']', length);

		if (end && end + 1 < line + length) {
			length -= (size_t)(end + 1 - line);
			line = end + 1;
		}
	}
	while (length > 0 && *line == ' ')
		line++, length--;
	for (size_t i = 0; i < length && used + 1 < size; i++)
		if (line[i] >= ' ' && line[i] < 0x7f)
			ret[used++] = line[i];
	ret[used] = '\0';
}

static bool find_panic(const char *text, size_t length, char *ret, size_t size)
{
	static const char marker[] = "Kernel panic - not syncing: ";
	const char *start = memmem(text, length, marker, sizeof(marker) - 1);

	if (!start)
		return false;

	size_t left = length - (size_t)(start - text);
	const char *end = memchr(start, '\n', left);

	clean_line(start, end ? (size_t)(end - start) : left, ret, size);
	return true;
}

/* What the kernel says when it has been told to end: why is in the line before. */
static bool is_farewell(const char *line)
{
	return strncmp(line, "reboot: ", 8) == 0;
}

static bool find_last_line(const char *text, size_t length, char *ret, size_t size)
{
	while (length > 0) {
		const char *newline = memrchr(text, '\n', length);
		const char *start = newline ? newline + 1 : text;

		clean_line(start, length - (size_t)(start - text), ret, size);
		if (ret[0] && !is_farewell(ret))
			return true;
		length = newline ? (size_t)(newline - text) : 0;
	}
	ret[0] = '\0';
	return false;
}

bool console_panic(struct console *c, char *ret, size_t size)
{
	pthread_mutex_lock(&c->mutex);

	bool found = find_panic(c->text, c->used, ret, size);

	pthread_mutex_unlock(&c->mutex);
	return found;
}

bool console_last_line(struct console *c, char *ret, size_t size)
{
	pthread_mutex_lock(&c->mutex);

	bool found = find_last_line(c->text, c->used, ret, size);

	pthread_mutex_unlock(&c->mutex);
	return found;
}
