#include "vm_ready.h"

#include <bench/agent.h>
#include <bench/guest.h>
#include <bench/timeline.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Byte by byte: there are few lines, and nothing may be read beyond them. */
int vm_ready_line(int fd, int64_t deadline_ns, char *ret, size_t size, struct error *err)
{
	size_t used = 0;

	for (;;) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		int64_t left_ns = deadline_ns - clock_now_ns();
		char c;

		if (left_ns <= 0)
			return error_set(err, ETIMEDOUT, "no answer in time");
		if (poll(&readable, 1, (int)(left_ns / 1000000 + 1)) <= 0)
			continue;
		if (read(fd, &c, 1) <= 0)
			return error_set(err, EPIPE, "the instance ended before it answered");
		if (c == '\n') {
			ret[used] = '\0';
			return 0;
		}
		if (c != '\r' && used + 1 < size)
			ret[used++] = c;
	}
}

static int wait_hello(int fd, int64_t deadline_ns, struct error *err)
{
	char line[256], *hello;
	int rc;

	do
		rc = vm_ready_line(fd, deadline_ns, line, sizeof(line), err);
	while (rc == 0 && !(hello = strstr(line, AGENT_HELLO)) && strncmp(line, GUEST_GONE, strlen(GUEST_GONE)) != 0);
	if (rc == 0 && !hello)
		return error_set(err, ECHILD, "in the guest: %s", line + strlen(GUEST_GONE));
	if (rc < 0)
		return rc;
	if (strtol(hello + strlen(AGENT_HELLO), NULL, 10) != AGENT_PROTOCOL)
		return error_set(err, EPROTO, "the agent speaks another protocol version: '%.60s'", hello);
	return 0;
}

int vm_ready(void *unused, int control_fd, int64_t deadline_ns, struct error *err)
{
	char line[256];
	int rc = wait_hello(control_fd, deadline_ns, err);

	if (rc < 0)
		return rc;
	if (write(control_fd, "ping\n", 5) != 5)
		return error_set(err, EPIPE, "the instance ended before it was asked");
	rc = vm_ready_line(control_fd, deadline_ns, line, sizeof(line), err);
	if (rc == 0 && strcmp(line, "pong") != 0)
		return error_set(err, EBADMSG, "the agent answered '%.60s' to a ping", line);
	return rc;
}
