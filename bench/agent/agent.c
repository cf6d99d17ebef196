/* The agent's main loop. It allocates nothing and touches few pages: its own start is part of every figure. */
#include "drive.h"
#include "guest.h"
#include "reach.h"
#include "root.h"
#include "workload.h"

#include <bench/agent.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct agent {
	int in, out;
	size_t used;   /* bytes of `buffer` that hold input not yet answered */
	bool overlong; /* discarding the rest of a line that does not fit */
	char buffer[AGENT_LINE_MAX];
};

static int send_text(const struct agent *agent, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t put = write(agent->out, text, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		text += put;
		length -= (size_t)put;
	}
	return 0;
}

static int send_line(const struct agent *agent, const char *line)
{
	char text[256];
	size_t length = strlen(line);

	if (length > sizeof(text) - 1)
		length = sizeof(text) - 1;
	memcpy(text, line, length);
	text[length] = '\n';
	return send_text(agent, text, length + 1);
}

/* Appends a number in decimal: snprintf would touch several more pages before the first line is out. */
static char *append_number(char *at, uint64_t value)
{
	char digits[20];
	int n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while (value /= 10);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

static char *append_text(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

static int send_hello(const struct agent *agent, uint64_t start_ns)
{
	char line[128], *at = line;

	at = append_text(at, AGENT_HELLO);
	at = append_number(at, AGENT_PROTOCOL);
	at = append_text(at, " pid=");
	at = append_number(at, (uint64_t)getpid());
	at = append_text(at, " start_ns=");
	at = append_number(at, start_ns);
	at = append_text(at, "\n");
	return send_text(agent, line, (size_t)(at - line));
}

static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-';
}

/* "run <workload> [ops=<n>] [seed=<n>]" */
static int answer_run(const struct agent *agent, char *arguments)
{
	char *rest = NULL, line[160];
	const char *name = strtok_r(arguments, " ", &rest);
	const struct workload *workload = name ? workload_find(name) : NULL;
	uint64_t ops = 1, seed = 0;

	if (!workload)
		return send_line(agent, "error no such workload");
	for (char *word; (word = strtok_r(NULL, " ", &rest));) {
		bool is_ops = strncmp(word, "ops=", 4) == 0, is_seed = strncmp(word, "seed=", 5) == 0;

		if (!(is_ops && parse_number(word + 4, &ops)) && !(is_seed && parse_number(word + 5, &seed)))
			return send_line(agent, "error expected ops=<number> or seed=<number>");
	}
	if (send_line(agent, "begin") < 0)
		return -1;
	uint64_t checksum = workload->batch(ops, seed);
	snprintf(line, sizeof(line), "end {\"ops\":%" PRIu64 ",\"checksum\":\"%016" PRIx64 "\"}", ops, checksum);
	return send_line(agent, line);
}

static int answer_memory(const struct agent *agent)
{
	char line[96], *at = line;
	uint64_t total, available;

	if (guest_memory(&total, &available) < 0)
		return send_line(agent, "error /proc/meminfo cannot be read");
	at = append_text(at, "memory total=");
	at = append_number(at, total);
	at = append_text(at, " available=");
	at = append_number(at, available);
	*at = '\0';
	return send_line(agent, line);
}

/* What is asked of the instance's surroundings; false: it is something else. */
static bool answer_reach(const struct agent *agent, char *line, int *ret)
{
	char text[160];

	if (strncmp(line, "listen ", 7) == 0)
		reach_listen(line + 7, text, sizeof(text));
	else if (strncmp(line, "connect ", 8) == 0)
		reach_connect(line + 8, text, sizeof(text));
	else if (strncmp(line, "touch ", 6) == 0)
		reach_touch(line + 6, text, sizeof(text));
	else if (strncmp(line, "burn ", 5) == 0)
		reach_burn(line + 5, text, sizeof(text));
	else if (strncmp(line, "disk ", 5) == 0)
		drive_disk(line + 5, text, sizeof(text));
	else if (strncmp(line, "files ", 6) == 0)
		drive_files(line + 6, text, sizeof(text));
	else if (strncmp(line, "write ", 6) == 0)
		drive_write(line + 6, text, sizeof(text));
	else if (strcmp(line, "drop") == 0)
		drive_drop(text, sizeof(text));
	else
		return false;
	*ret = send_line(agent, text);
	return true;
}

/* Returns 1 to end, -1 when the stream is broken. */
static int answer(const struct agent *agent, char *line)
{
	int rc;

	if (strcmp(line, "ping") == 0)
		return send_line(agent, "pong");
	if (strncmp(line, "run ", 4) == 0)
		return answer_run(agent, line + 4);
	if (strcmp(line, "memory") == 0)
		return answer_memory(agent);
	if (strcmp(line, "quit") == 0) {
		send_line(agent, "bye");
		return 1;
	}
	if (answer_reach(agent, line, &rc))
		return rc;
	return send_line(
		agent, "error unknown request; expected ping, run, memory, listen, connect, touch, burn, disk, files, write, drop or quit");
}

/* Answers every whole line in the buffer and keeps the rest. */
static int answer_lines(struct agent *agent)
{
	char *line = agent->buffer, *end;
	int rc = 0;

	while (rc == 0 && (end = memchr(line, '\n', agent->used - (size_t)(line - agent->buffer)))) {
		*end = '\0';
		if (agent->overlong)
			agent->overlong = false;
		else
			rc = answer(agent, line);
		line = end + 1;
	}
	agent->used -= (size_t)(line - agent->buffer);
	memmove(agent->buffer, line, agent->used);
	if (agent->used == sizeof(agent->buffer)) {
		if (!agent->overlong)
			rc = send_line(agent, "error line too long");
		agent->overlong = true;
		agent->used = 0;
	}
	return rc;
}

static void serve(struct agent *agent)
{
	for (;;) {
		ssize_t got = read(agent->in, agent->buffer + agent->used, sizeof(agent->buffer) - agent->used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		agent->used += (size_t)got;
		if (answer_lines(agent) != 0)
			return;
	}
}

int main(void)
{
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);

	struct agent agent = {.in = 0, .out = 1};
	const char *device = getenv("BENCH_CONTROL");
	bool is_guest_init = device && getpid() == 1, is_port = is_guest_init && guest_control_is_port(device);

	/* What is said of the beginning is then said too late to be a mark. */
	if (is_port) {
		if (guest_load_modules() < 0)
			guest_end(getenv("BENCH_POWEROFF"));
		guest_prepare();
	}
	if (device) {
		agent.in = agent.out = is_port ? guest_open_port(device) : guest_open_control(device);
		if (agent.in < 0)
			return 1; /* PID 1 ends, the kernel panics, and the host reads why on the console */
	}
	if (is_guest_init) {
		const char *next = getenv("BENCH_INIT"), *root = getenv("BENCH_ROOT"), *runtime = getenv("BENCH_RUNTIME");

		if (!is_port)
			send_line(&agent, "mark init");
		if (next)
			return guest_hand_over(next);
		if (!is_port) {
			if (guest_load_modules() < 0)
				guest_end(getenv("BENCH_POWEROFF"));
			guest_prepare();
		}
		guest_network(getenv("BENCH_ADDRESS"), getenv("BENCH_GATEWAY"));
		if (root && guest_root(root, getenv("BENCH_ROOT_OVERLAY")) < 0)
			guest_end(getenv("BENCH_POWEROFF")); /* the host reads why on the console */
		if (runtime) {
			guest_become_runtime(runtime, agent.in);
			guest_end(getenv("BENCH_POWEROFF")); /* likewise */
		}
	}
	if (send_hello(&agent, (uint64_t)start.tv_sec * 1000000000 + (uint64_t)start.tv_nsec) == 0)
		serve(&agent);
	if (is_guest_init)
		guest_end(getenv("BENCH_POWEROFF"));
	return 0;
}
