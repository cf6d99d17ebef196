#include "stream.h"

#include "virt_error.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCK = 4096 };

/* Two threads, one a direction, between libvirt's stream and one end of a socket pair. */
struct stream {
	virStreamPtr handle;
	int fd;
	pthread_t from_guest, to_guest;
	bool from_runs, to_runs;
};

static bool send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t put = send(fd, bytes, length, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		bytes += put;
		length -= (size_t)put;
	}
	return true;
}

/* Goes on when the caller is gone: an unread port would stop the whole machine. */
static void *carry_from_guest(void *arg)
{
	struct stream *s = arg;
	bool heard = true;
	char block[BLOCK];
	int got;

	while ((got = virStreamRecv(s->handle, block, sizeof(block))) > 0)
		heard = heard && send_all(s->fd, block, (size_t)got);
	shutdown(s->fd, SHUT_RDWR);
	return NULL;
}

static void *carry_to_guest(void *arg)
{
	struct stream *s = arg;
	char block[BLOCK];
	ssize_t got;

	while ((got = recv(s->fd, block, sizeof(block), 0)) > 0 || (got < 0 && errno == EINTR))
		for (ssize_t sent = 0; sent < got;) {
			int put = virStreamSend(s->handle, block + sent, (size_t)(got - sent));

			if (put < 0)
				return NULL;
			sent += put;
		}
	return NULL;
}

static int start_threads(struct stream *s, struct error *err)
{
	int rc = pthread_create(&s->from_guest, NULL, carry_from_guest, s);

	s->from_runs = rc == 0;
	if (rc == 0)
		rc = pthread_create(&s->to_guest, NULL, carry_to_guest, s);
	s->to_runs = s->from_runs && rc == 0;
	return rc ? error_set(err, rc, "thread for a stream: %s", strerror(rc)) : 0;
}

int stream_open(virConnectPtr connection, virDomainPtr domain, enum stream_port kind, const char *port, struct stream **ret, int *ret_fd,
		struct error *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	int ends[2];

	if (!s)
		return error_set(err, ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		free(s);
		return error_errno(err, "socket pair");
	}
	s->fd = ends[0];

	_cleanup_close_ int fd = ends[1];

	s->handle = virStreamNew(connection, 0);

	int rc = -1;

	if (s->handle)
		rc = kind == STREAM_CHANNEL ? virDomainOpenChannel(domain, port, s->handle, 0)
					    : virDomainOpenConsole(domain, port, s->handle, 0);
	rc = rc < 0 ? virt_error(err, "open port %s of the machine", port) : start_threads(s, err);
	if (rc < 0) {
		stream_close(s);
		return rc;
	}
	*ret = s;
	*ret_fd = take_fd(&fd);
	return 0;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	shutdown(s->fd, SHUT_RDWR);
	if (s->to_runs)
		pthread_join(s->to_guest, NULL);
	if (s->handle)
		virStreamAbort(s->handle);
	if (s->from_runs)
		pthread_join(s->from_guest, NULL);
	if (s->handle)
		virStreamFree(s->handle);
	close(s->fd);
	free(s);
}
