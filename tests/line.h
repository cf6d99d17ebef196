/* Lines of an agent's stream, for tests and benchmarks that talk to one without a client. */
#pragma once

#include <bench/timeline.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* Reads one line without its end; what does not fit is left out. False: the time (CLOCK_MONOTONIC) is over, or the stream has ended. Byte by byte: what comes
 * behind the line stays there. */
static inline bool line_read(int fd, int64_t deadline_ns, char *ret, size_t size)
{
	size_t used = 0;

	for (;;) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;
		char c;

		if (left_ms <= 0 || poll(&readable, 1, (int)left_ms) != 1 || read(fd, &c, 1) != 1)
			return false;
		if (c == '\n')
			break;
		if (used + 1 < size)
			ret[used++] = c;
	}
	ret[used] = '\0';
	return true;
}
