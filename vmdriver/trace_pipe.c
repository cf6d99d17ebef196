#include "trace_pipe.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

void trace_pipe_init(struct trace_pipe *p)
{
	*p = (struct trace_pipe){.fd = -1, .wake_fd = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};
}

/* Keeps what is there now; false: the room is full. Under the mutex. */
static bool keep(struct trace_pipe *p)
{
	ssize_t got = 1;

	while (p->fd >= 0 && p->used < TRACE_PIPE_BYTES && got > 0) {
		got = read(p->fd, p->text + p->used, TRACE_PIPE_BYTES - p->used);
		p->used += got > 0 ? (size_t)got : 0;
	}
	return p->used < TRACE_PIPE_BYTES;
}

static void *drain(void *arg)
{
	struct trace_pipe *p = arg;
	struct pollfd waits[] = {{.fd = p->fd, .events = POLLIN}, {.fd = p->wake_fd, .events = POLLIN}};
	bool room = true;

	while (room && (poll(waits, 2, -1) > 0 || errno == EINTR) && !(waits[1].revents & POLLIN)) {
		pthread_mutex_lock(&p->mutex);
		room = keep(p);
		if (!room)
			close(take_fd(&p->fd));
		pthread_mutex_unlock(&p->mutex);
	}
	return NULL;
}

int trace_pipe_open(struct trace_pipe *p, const char *path, struct error *err)
{
	struct stat st;

	if (mkfifo(path, 0600) < 0)
		return error_errno(err, "make %s", path);
	/* For writing as well: it has no end of file then before QEMU comes, and none between two of its openings. */
	p->fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (p->fd < 0 || fstat(p->fd, &st) < 0)
		return error_errno(err, "open %s", path);
	if (!S_ISFIFO(st.st_mode))
		return error_set(err, EEXIST, "%s is no longer the pipe that was made there", path);
	p->wake_fd = eventfd(0, EFD_CLOEXEC);
	p->text = malloc(TRACE_PIPE_BYTES);
	if (p->wake_fd < 0 || !p->text)
		return error_set(err, ENOMEM, "read %s: out of memory or descriptors", path);

	int rc = pthread_create(&p->thread, NULL, drain, p);

	if (rc)
		return error_set(err, rc, "thread that reads QEMU's trace: %s", strerror(rc));
	p->runs = true;
	return 0;
}

char *trace_pipe_text(struct trace_pipe *p)
{
	char *ret = NULL;

	pthread_mutex_lock(&p->mutex);
	if (p->text) {
		keep(p); /* what the thread has not come to yet */
		ret = strndup(p->text, p->used);
	}
	pthread_mutex_unlock(&p->mutex);
	return ret;
}

void trace_pipe_done(struct trace_pipe *p)
{
	uint64_t one = 1;

	if (p->runs) {
		if (write(p->wake_fd, &one, sizeof(one)) < 0)
			abort(); /* an eventfd of our own with room for one: cannot fail */
		pthread_join(p->thread, NULL);
	}
	if (p->fd >= 0)
		close(p->fd);
	if (p->wake_fd >= 0)
		close(p->wake_fd);
	free(p->text);
	pthread_mutex_destroy(&p->mutex);
	trace_pipe_init(p);
}
