#include "launch.h"

#include "stream.h"
#include "virt_error.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct launch {
	pthread_mutex_t mutex;
	pthread_t thread;
	virConnectPtr connection; /* a reference of our own */
	char *xml, *image, *name;
	unsigned flags;
	bool carried;
	int done_fd;
	bool done, abandoned;
	struct launch_result result;
};

static void launch_free(struct launch *l)
{
	if (l->connection)
		virConnectClose(l->connection);
	if (l->done_fd >= 0)
		close(l->done_fd);
	pthread_mutex_destroy(&l->mutex);
	free(l->xml);
	free(l->image);
	free(l->name);
	free(l);
}

static virDomainPtr create(struct launch *l)
{
	if (!l->image)
		return virDomainCreateXML(l->connection, l->xml, l->flags | VIR_DOMAIN_START_PAUSED);
	if (virDomainRestoreFlags(l->connection, l->image, NULL, VIR_DOMAIN_SAVE_PAUSED) < 0)
		return NULL;
	return virDomainLookupByName(l->connection, l->name);
}

/* Ends the machine, when nobody takes it. */
static void drop(struct launch_result *r)
{
	if (!r->domain)
		return;
	virDomainDestroy(r->domain);
	for (size_t i = 0; i < LAUNCH_STREAMS; i++)
		if (r->streams[i]) {
			stream_close(r->streams[i]);
			close(r->fds[i]);
			r->streams[i] = NULL;
		}
	virDomainFree(r->domain);
	r->domain = NULL;
}

static int open_streams(struct launch *l)
{
	struct launch_result *r = &l->result;

	if (!l->carried)
		return 0;
	int rc = stream_open(l->connection, r->domain, STREAM_CHANNEL, LAUNCH_CHANNEL, &r->streams[0], &r->fds[0], &r->error);

	return rc < 0 ? rc : stream_open(l->connection, r->domain, STREAM_CONSOLE, "serial1", &r->streams[1], &r->fds[1], &r->error);
}

/* Paused first: creating and setting running are two steps, and the stamp belongs to the second. */
static void create_and_resume(struct launch *l)
{
	struct launch_result *r = &l->result;

	r->domain = create(l);
	if (!r->domain) {
		r->rc = virt_error(&r->error, l->image ? "restore the machine" : "create the machine");
		return;
	}
	r->created_ns = clock_now_ns();
	r->rc = open_streams(l);
	if (r->rc == 0 && virDomainResume(r->domain) < 0)
		r->rc = virt_error(&r->error, "set the machine running");
	if (r->rc < 0) {
		drop(r);
		return;
	}
	r->resumed_ns = clock_now_ns();
}

static void *launch_main(void *arg)
{
	struct launch *l = arg;
	uint64_t one = 1;

	create_and_resume(l);
	pthread_mutex_lock(&l->mutex);
	l->done = true;

	bool abandoned = l->abandoned;

	/* Under the lock: once the caller has seen this, it frees the object only after it could take the lock. */
	if (!abandoned && write(l->done_fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd of our own with room for one: cannot fail */
	pthread_mutex_unlock(&l->mutex);
	if (abandoned) {
		drop(&l->result);
		launch_free(l);
	}
	return NULL;
}

/* A text of the request, or NULL; false when there is no memory. */
static bool keep_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return !text || *ret;
}

int launch_begin(virConnectPtr connection, const struct launch_request *request, struct launch **ret, struct error *err)
{
	struct launch *l = calloc(1, sizeof(*l));

	if (!l)
		return error_set(err, ENOMEM, "out of memory");
	pthread_mutex_init(&l->mutex, NULL);
	l->done_fd = eventfd(0, EFD_CLOEXEC);
	l->flags = request->flags;
	l->carried = request->carried;

	bool kept = keep_text(request->xml, &l->xml) && keep_text(request->image, &l->image) && keep_text(request->name, &l->name);

	if (virConnectRef(connection) == 0)
		l->connection = connection;

	int rc = l->done_fd < 0 || !kept ? ENOMEM : pthread_create(&l->thread, NULL, launch_main, l);

	if (rc) {
		launch_free(l);
		return error_set(err, rc, "thread that creates a machine: %s", strerror(rc));
	}
	*ret = l;
	return 0;
}

int launch_fd(const struct launch *l)
{
	return l->done_fd;
}

void launch_end(struct launch *l, struct launch_result *ret)
{
	pthread_join(l->thread, NULL);
	*ret = l->result;
	launch_free(l);
}

void launch_abandon(struct launch *l)
{
	struct launch_result result;

	pthread_mutex_lock(&l->mutex);

	bool done = l->done;

	l->abandoned = !done;
	if (!done)
		pthread_detach(l->thread);
	pthread_mutex_unlock(&l->mutex);
	if (!done)
		return;
	launch_end(l, &result);
	drop(&result);
}
