/* Our own terminal while a container has one: raw mode (every key goes inside), the size of the window, and back to what it was. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <termios.h>

struct tty {
	int fd; /* one of our standard streams that is a terminal; -1: none */
	bool raw;
	struct termios before;
};
#define TTY_NONE ((struct tty){.fd = -1})

/* The first of 0, 1 and 2 that is a terminal, or none. */
struct tty tty_find(void);

/* Idempotent. A background job is stopped here until it comes to the foreground (SIGTTOU). */
int tty_raw(struct tty *tty, struct error *err);

/* As before tty_raw(); nothing without it. */
void tty_restore(struct tty *tty);

/* Gives the size of our window to another terminal; without a terminal of our own 80 by 24. */
void tty_copy_size(const struct tty *tty, int to);
