/* Where QEMU writes its trace: a FIFO, of which the beginning is kept in memory. What a guest does can make the trace as long as it likes, and a file of it
 * would fill the host's memory.
 *
 * A thread reads, so that QEMU, which waits where a pipe is full, never does. When TRACE_PIPE_BYTES are kept, the pipe is closed: QEMU, which ignores
 * SIGPIPE, has its further lines refused and goes on.
 *
 * Order: trace_pipe_init(), trace_pipe_open() before QEMU starts, trace_pipe_text() at any time, trace_pipe_done(). */
#pragma once

#include <bench/error.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { TRACE_PIPE_BYTES = 64 << 10 };

struct trace_pipe {
	int fd;      /* -1: closed, or never opened */
	int wake_fd; /* ends the thread */
	bool runs;
	pthread_t thread;
	pthread_mutex_t mutex; /* over what follows, and over fd */
	size_t used;
	char *text;
};

void trace_pipe_init(struct trace_pipe *pipe);

/* Makes the FIFO, which must not be there yet, and reads it from now on. It stays the caller's to remove. */
int trace_pipe_open(struct trace_pipe *pipe, const char *path, struct error *err);

/* All that has been written until now, or the beginning of it: a copy for the caller to free. NULL: no memory, or not open. */
char *trace_pipe_text(struct trace_pipe *pipe);

/* Remove the FIFO first: who opened it after this call would wait for a reader. Fine after init alone. */
void trace_pipe_done(struct trace_pipe *pipe);
