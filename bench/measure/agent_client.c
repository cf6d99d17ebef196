#include "agent_client.h"

#include <bench/guest.h>
#include <bench/workload_spin.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int wait_readable(int fd, int64_t deadline_ns, struct error *err)
{
	for (;;) {
		int64_t left_ns = deadline_ns - clock_now_ns();
		struct pollfd pfd = {.fd = fd, .events = POLLIN};

		if (left_ns <= 0)
			return error_set(err, ETIMEDOUT, "no answer in time");
		struct timespec left = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
		int ready = ppoll(&pfd, 1, &left, NULL);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return error_errno(err, "wait for the agent");
	}
}

/* What a guest says of its container in the place of an answer. */
static int check_gone(const char *line, struct error *err)
{
	const char *how = strncmp(line, GUEST_GONE, strlen(GUEST_GONE)) == 0 ? strstr(line, ": ") : NULL;

	return how ? error_set(err, ECHILD, "in the guest: %.200s", how + 2) : 0;
}

/* Takes the next whole line out of the buffer, reading more as needed; `ret` has room for AGENT_LINE_MAX bytes. */
static int read_line(struct agent_client *client, int64_t deadline_ns, char *ret, struct error *err)
{
	for (;;) {
		char *end = memchr(client->buffer, '\n', client->used);

		if (end) {
			size_t length = (size_t)(end - client->buffer);

			memcpy(ret, client->buffer, length);
			ret[length] = '\0';
			if (length > 0 && ret[length - 1] == '\r')
				ret[length - 1] = '\0';
			client->used -= length + 1;
			memmove(client->buffer, end + 1, client->used);
			return check_gone(ret, err);
		}
		if (client->used == sizeof(client->buffer))
			return error_set(err, EBADMSG, "the agent sent a line longer than %d bytes", AGENT_LINE_MAX - 1);
		int rc = wait_readable(client->instance->read_fd, deadline_ns, err);
		if (rc < 0)
			return rc;
		ssize_t got = read(client->instance->read_fd, client->buffer + client->used, sizeof(client->buffer) - client->used);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return error_set(err, EPIPE, "the instance ended before it answered");
		client->used += (size_t)got;
	}
}

static int send_line(struct agent_client *client, const char *line, struct error *err)
{
	size_t length = strlen(line);

	while (length > 0) {
		ssize_t put = write(client->instance->write_fd, line, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return error_set(err, EPIPE, "the instance ended before it was asked");
		line += put;
		length -= (size_t)put;
	}
	return 0;
}

static void mark_main(const char *hello, bool same_kernel, struct timeline *timeline)
{
	const char *stamp = strstr(hello, " start_ns="), *pid = strstr(hello, " pid=");

	if (!same_kernel) {
		timeline_mark(timeline, MARK_MAIN);
		return;
	}
	int64_t start_ns = stamp ? strtoll(stamp + strlen(" start_ns="), NULL, 10) : -1;
	if (start_ns < timeline->at_ns[MARK_REQUEST] || start_ns > clock_now_ns())
		return; /* a runtime with a clock of its own */
	timeline_mark_at(timeline, MARK_MAIN, start_ns);
	if (pid && strncmp(pid, " pid=1 ", 7) == 0)
		timeline_mark_at(timeline, MARK_INIT, start_ns);
}

int agent_client_hello(struct agent_client *client, bool same_kernel, int64_t deadline_ns, struct timeline *timeline, struct error *err)
{
	char line[AGENT_LINE_MAX];

	for (;;) {
		int rc = read_line(client, deadline_ns, line, err);

		if (rc < 0)
			return rc;
		/* Firmware and boot loaders may have written before us on the same line: the end of the line counts. */
		const char *mark = strstr(line, "mark init"), *hello = strstr(line, AGENT_HELLO);
		if (mark && !same_kernel)
			timeline_mark(timeline, MARK_INIT);
		if (!same_kernel && strstr(line, GUEST_MARK_RUNTIME))
			client->runtime_ns = clock_now_ns();
		if (!hello)
			continue;
		if (strtol(hello + strlen(AGENT_HELLO), NULL, 10) != AGENT_PROTOCOL)
			return error_set(err, EPROTO, "the agent speaks another protocol version: '%.60s'", hello);
		mark_main(hello, same_kernel, timeline);
		return 0;
	}
}

int agent_client_ping(struct agent_client *client, int64_t deadline_ns, struct error *err)
{
	char line[AGENT_LINE_MAX];
	int rc = send_line(client, "ping\n", err);

	if (rc == 0)
		rc = read_line(client, deadline_ns, line, err);
	if (rc < 0)
		return rc;
	return strcmp(line, "pong") == 0 ? 0 : error_set(err, EBADMSG, "the agent answered '%.60s' to a ping", line);
}

int agent_client_verify(struct agent_client *client, uint64_t ops, uint64_t seed, int64_t deadline_ns, struct error *err)
{
	char line[AGENT_LINE_MAX], expected[128];

	snprintf(line, sizeof(line), "run spin ops=%" PRIu64 " seed=%" PRIu64 "\n", ops, seed);
	int rc = send_line(client, line, err);
	if (rc == 0)
		rc = read_line(client, deadline_ns, line, err);
	if (rc == 0 && strcmp(line, "begin") == 0)
		rc = read_line(client, deadline_ns, line, err);
	if (rc < 0)
		return rc;
	snprintf(expected, sizeof(expected), "end {\"ops\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\"}", ops, spin_skip(ops, seed));
	if (strcmp(line, expected) != 0)
		return error_set(err, EBADMSG, "the instance did not do its work: '%.80s' instead of '%.80s'", line, expected);
	return 0;
}

/* "memory total=261120000 available=219000000" */
static int parse_memory(const char *line, int64_t *ret_total, int64_t *ret_available)
{
	static const char first[] = "memory total=", second[] = " available=";
	char *end;

	if (strncmp(line, first, strlen(first)) != 0)
		return -EBADMSG;
	int64_t total = strtoll(line + strlen(first), &end, 10);
	if (strncmp(end, second, strlen(second)) != 0)
		return -EBADMSG;
	int64_t available = strtoll(end + strlen(second), &end, 10);
	if (*end || total <= 0 || available < 0 || available > total)
		return -EBADMSG;
	*ret_total = total;
	*ret_available = available;
	return 0;
}

int agent_client_memory(struct agent_client *client, int64_t deadline_ns, int64_t *ret_total, int64_t *ret_available, struct error *err)
{
	char line[AGENT_LINE_MAX];
	int rc = send_line(client, "memory\n", err);

	if (rc == 0)
		rc = read_line(client, deadline_ns, line, err);
	if (rc == 0 && parse_memory(line, ret_total, ret_available) < 0)
		return error_set(err, EBADMSG, "the agent answered '%.60s' when asked for its memory", line);
	return rc;
}
