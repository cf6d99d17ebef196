/* The guest's serial ports as streams on the host: we listen on a unix socket, QEMU connects, and who connected is known. */
#pragma once

#include <bench/error.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Listens on a new socket at `path` (mode 0600). Returns the descriptor (not blocking) or -errno. */
int channel_listen(const char *path, struct error *err);

/* Takes a connection that waits. Returns a blocking descriptor, -EAGAIN when none waits. `ret_pid` (may be NULL) is the peer's. */
int channel_accept(int listener, pid_t *ret_pid, struct error *err);

/* A descriptor of the process that connected: the very one where the kernel knows it (Linux 6.5), else the one that bears `pid` now. -1: it has ended. */
int channel_peer(int fd, pid_t pid);

/* ---- the kernel's console: drained by a thread (an unread port stops a whole guest), its end kept in memory ---- */

enum { CONSOLE_BYTES = 16384 };

struct console {
	pthread_mutex_t mutex;
	pthread_t thread;
	bool runs;
	int fd;
	size_t used; /* bytes in `text`, which holds the newest */
	char text[CONSOLE_BYTES];
};

void console_init(struct console *console);
/* Takes over the descriptor and drains it until console_done(). */
int console_start(struct console *console, int fd, struct error *err);
void console_done(struct console *console);

/* The line that says why a kernel panicked ("Kernel panic - not syncing: …"); else false. Time stamps and control bytes are removed. */
bool console_panic(struct console *console, char *ret, size_t size);
/* The last line that is neither empty nor the kernel's farewell ("reboot: Power down"); false when the console said nothing else. */
bool console_last_line(struct console *console, char *ret, size_t size);
