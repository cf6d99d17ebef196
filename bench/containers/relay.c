#include "relay.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { END_OF_INPUT = 4 }; /* ^D */

/* The descriptor is shared with whoever started us: O_NONBLOCK on it would be theirs as well. A terminal or pipe can be opened anew for us alone;
 * where that fails, poll() promises room for PIPE_BUF bytes of a pipe, and small writes have to do. */
static void choose_writing(struct relay_channel *channel)
{
	char path[40];
	struct stat st;

	channel->to_again = -1;
	channel->write_max = RELAY_BUFFER_BYTES;
	if (channel->owns_to || channel->log || fstat(channel->to, &st) < 0)
		return;
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode) && !isatty(channel->to))
		return; /* files and /dev/null do not keep anybody waiting */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", channel->to);
	if (!S_ISSOCK(st.st_mode))
		channel->to_again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (channel->to_again < 0)
		channel->write_max = S_ISCHR(st.st_mode) ? 256 : PIPE_BUF;
}

static int add(struct relay *relay, struct relay_channel channel, struct error *err)
{
	if (relay->n == RELAY_CHANNELS_MAX)
		return error_set(err, E2BIG, "more than %d channels", RELAY_CHANNELS_MAX);
	channel.buffer = malloc(RELAY_BUFFER_BYTES);
	if (!channel.buffer)
		return error_set(err, ENOMEM, "out of memory");
	choose_writing(&channel);
	relay->channels[relay->n++] = channel;
	return 0;
}

int relay_add(struct relay *relay, int from, int to, bool owns_from, bool owns_to, struct error *err)
{
	return add(relay,
		   (struct relay_channel){
			   .from = from, .to = to, .owns_from = owns_from, .owns_to = owns_to, .to_terminal = owns_to && isatty(to)},
		   err);
}

int relay_add_log(struct relay *relay, int from, struct log_file *log, struct error *err)
{
	return add(relay, (struct relay_channel){.from = from, .to = -1, .log = log, .owns_from = true}, err);
}

static bool is_live(const struct relay_channel *channel)
{
	return channel->buffer != NULL;
}

static void end_channel(struct relay_channel *channel)
{
	if (!is_live(channel))
		return;
	if (channel->owns_from)
		close(channel->from);
	if (channel->owns_to)
		close(channel->to);
	cleanup_close(&channel->to_again);
	free(channel->buffer);
	*channel = (struct relay_channel){.from = -1, .to = -1, .to_again = -1};
}

void relay_end(struct relay *relay, size_t channel)
{
	if (channel < relay->n)
		end_channel(&relay->channels[channel]);
}

void relay_done(struct relay *relay)
{
	for (size_t i = 0; i < relay->n; i++)
		end_channel(&relay->channels[i]);
}

bool relay_is_done(const struct relay *relay)
{
	for (size_t i = 0; i < relay->n; i++)
		if (is_live(&relay->channels[i]))
			return false;
	return true;
}

/* The end of a terminal's input: twice where a line was begun, as the first one only sends that. */
static void tell_end(struct relay_channel *channel)
{
	channel->source_ended = true;
	if (!channel->to_terminal)
		return;
	channel->start = channel->end = 0;
	if (channel->last != '\n' && channel->last)
		channel->buffer[channel->end++] = END_OF_INPUT;
	channel->buffer[channel->end++] = END_OF_INPUT;
}

static void fill(struct relay *relay, struct relay_channel *channel)
{
	ssize_t got = read(channel->from, channel->buffer, RELAY_BUFFER_BYTES);

	if (got < 0 && (errno == EINTR || (errno == EAGAIN && !relay->draining)))
		return;
	if (got <= 0) { /* a terminal whose other side is closed answers with EIO */
		tell_end(channel);
		return;
	}
	channel->start = 0;
	channel->end = (size_t)got;
	channel->last = channel->buffer[got - 1];
}

/* False when the destination takes no more. */
static bool flush(struct relay_channel *channel)
{
	size_t size = channel->end - channel->start;
	ssize_t put;

	if (channel->log) {
		log_file_write(channel->log, channel->buffer + channel->start, size);
		put = (ssize_t)size;
	} else {
		put = write(channel->to_again >= 0 ? channel->to_again : channel->to, channel->buffer + channel->start,
			    size < channel->write_max ? size : channel->write_max);
		if (put < 0 && (errno == EINTR || errno == EAGAIN))
			return true;
	}
	if (put < 0)
		return false;
	channel->start += (size_t)put;
	return true;
}

static bool has_bytes(const struct relay_channel *channel)
{
	return channel->start < channel->end;
}

int relay_wish(struct relay *relay, struct pollfd *ret)
{
	int timeout_ms = -1;

	for (size_t i = 0; i < relay->n; i++) {
		const struct relay_channel *channel = &relay->channels[i];

		if (!is_live(channel))
			ret[i] = (struct pollfd){.fd = -1};
		else if (has_bytes(channel))
			ret[i] = (struct pollfd){.fd = channel->to_again >= 0 ? channel->to_again : channel->to, .events = POLLOUT};
		else
			ret[i] = (struct pollfd){.fd = channel->from, .events = POLLIN};
		if (is_live(channel) && !has_bytes(channel) && relay->draining)
			timeout_ms = 0;
	}
	return timeout_ms;
}

/* What can be written without waiting is written at once. False when the channel has come to its end. */
static bool work_channel(struct relay *relay, struct relay_channel *channel, bool ready, bool *ret_broken)
{
	bool waits = has_bytes(channel);

	*ret_broken = false;
	if (!waits && !channel->source_ended)
		fill(relay, channel);
	if (has_bytes(channel) && (waits ? ready : channel->write_max == RELAY_BUFFER_BYTES))
		*ret_broken = !flush(channel);
	return !*ret_broken && (has_bytes(channel) || !channel->source_ended);
}

void relay_work(struct relay *relay, const struct pollfd *ready)
{
	for (size_t i = 0; i < relay->n; i++) {
		struct relay_channel *channel = &relay->channels[i];
		bool broken;

		if (!is_live(channel) || (!ready[i].revents && !relay->draining))
			continue;
		if (work_channel(relay, channel, ready[i].revents != 0, &broken))
			continue;
		end_channel(channel);
		if (broken && relay->joined)
			relay_done(relay);
	}
}
