/* Bytes from here to there: what goes into a container and what comes out of it.
 *
 * A container never gets descriptors of the host's files: its root could change their owner and mode (chmod on /dev/null), or open them anew for
 * more than was meant. It gets pipes, or a terminal of its own, and these channels carry the bytes. No write blocks: a reader that is slow, or
 * a terminal that was stopped, must not keep us from a signal.
 *
 * A channel ends at the end of its source (the other side is closed then), or when its destination takes no more. */
#pragma once

#include "log_file.h"

#include <bench/error.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

enum { RELAY_CHANNELS_MAX = 3, RELAY_BUFFER_BYTES = 64 * 1024 };

struct relay_channel {
	int from, to;         /* -1: ended */
	struct log_file *log; /* takes the place of `to` */
	bool owns_from, owns_to;
	int to_again;     /* `to` opened anew without blocking, ours; -1: none */
	size_t write_max; /* of one write that must not block */
	bool to_terminal; /* the end of the source is told by the character for it */
	bool source_ended;
	char *buffer;
	size_t start, end;
	char last; /* byte that was read last */
};

struct relay {
	struct relay_channel channels[RELAY_CHANNELS_MAX];
	size_t n;
	bool joined;   /* when a destination takes no more, all channels end */
	bool draining; /* nothing comes any more: what is there is carried on, then the channels end */
};

/* Descriptors that are `owned` are closed when the channel ends, and must be non-blocking. */
int relay_add(struct relay *relay, int from, int to, bool owns_from, bool owns_to, struct error *err);
int relay_add_log(struct relay *relay, int from, struct log_file *log, struct error *err);

/* What to wait for: one entry a channel (fd -1: nothing). Returns how long, for poll(): 0 while draining has something to look for, else -1. */
int relay_wish(struct relay *relay, struct pollfd *ret);
void relay_work(struct relay *relay, const struct pollfd *ready);

bool relay_is_done(const struct relay *relay);

/* Ends one channel, or all. Idempotent. */
void relay_end(struct relay *relay, size_t channel);
void relay_done(struct relay *relay);
