/* The runtime in a guest: PID 1 of a small virtual machine, which starts the agent in a container of our own runtime (runtime/container.h), the code that the
 * host's containers are started with.
 *
 *   host ── ttyS0 ── bench-guest (PID 1) ── socket pair ── agent (PID 1 of the container)
 *
 * The agent was the guest's init until it had loaded modules and mounted /proc, /sys and /dev; then it became this program. Descriptors 0 and 1 are the control
 * stream, 2 is the console. Lines that begin with "guest " are for us (<bench/guest.h>), all others pass. */
#include "inside.h"
#include "system.h"
#include "words.h"

#include <bench/cleanup.h>
#include <bench/guest.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct guest {
	struct guest_options options;
	struct container_plan *plan;
	struct container container; /* pid 0: none */
	int stream;                 /* to its agent; -1: none */
	struct words words;
};

/* ---- streams ---- */

static int send_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t put = write(fd, text, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		text += put;
		length -= (size_t)put;
	}
	return 0;
}

static void tell(const char *begin, const char *id, const char *rest)
{
	char line[700];

	snprintf(line, sizeof(line), "%s%s%s\n", begin, id, rest);
	send_all(STDOUT_FILENO, line, strlen(line));
}

/* What the container has said so far goes to the host. */
static void relay(struct guest *guest)
{
	char block[4096];
	ssize_t got = read(guest->stream, block, sizeof(block));

	if (got > 0) {
		send_all(STDOUT_FILENO, block, (size_t)got);
	} else if (got == 0 || errno != EINTR) {
		close(guest->stream);
		guest->stream = -1;
	}
}

/* What a container that hangs does not take is lost: we must hear the host meanwhile. */
static void pass_on(const struct guest *guest, const struct word *word)
{
	if (guest->stream >= 0)
		send(guest->stream, word->text, word->length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- the container ---- */

static int start(struct guest *guest, const char *id, struct error *err)
{
	int pair[2];

	if (guest->container.pid)
		return error_set(err, EBUSY, "a container runs already");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "control stream");

	_cleanup_close_ int ours = pair[0], theirs = pair[1];
	const int stdio[3] = {theirs, theirs, -1};
	int rc = container_start(guest->plan, id, stdio, 0, &guest->container, err);

	if (rc == 0)
		guest->stream = take_fd(&ours);
	return rc;
}

static int stop(struct guest *guest, struct error *err)
{
	int rc = container_stop(guest->plan, &guest->container, err);

	if (guest->stream >= 0)
		close(guest->stream);
	guest->stream = -1;
	return rc;
}

/* It has ended, and nobody asked for that. */
static void bury(struct guest *guest)
{
	char how[120], id[sizeof(guest->container.id)];
	int64_t kills = inside_oom_kills(guest->plan, &guest->container);
	struct error err = {0};

	while (guest->stream >= 0)
		relay(guest);
	snprintf(id, sizeof(id), "%s", guest->container.id);

	int rc = stop(guest, &err), status = guest->container.status;

	if (rc < 0)
		snprintf(how, sizeof(how), ": %.100s", err.message);
	else if (status > 128)
		snprintf(how, sizeof(how), ": the container was ended by signal %d%s", status - 128,
			 kills > 0 ? ", at its memory limit" : "");
	else
		snprintf(how, sizeof(how), ": the container ended with status %d", status);
	if (guest->options.shared) {
		tell(GUEST_GONE, id, how);
	} else { /* the end of the stream says it, and the console why */
		system_say("%s", how + 2);
		system_end();
	}
}

/* ---- requests ---- */

static void answer_start(struct guest *guest, const char *id)
{
	struct error err = {0};
	char why[600];

	if (start(guest, id, &err) == 0)
		return;
	snprintf(why, sizeof(why), ": %s", err.message);
	tell(GUEST_GONE, id, why);
}

static void answer_stop(struct guest *guest, const char *id)
{
	struct error err = {0};
	char why[600];

	if (stop(guest, &err) == 0) {
		tell(GUEST_STOPPED, id, "");
		return;
	}
	snprintf(why, sizeof(why), ": %s", err.message);
	tell(GUEST_GONE, id, why);
}

static void answer(struct guest *guest, const struct word *word)
{
	switch (word->kind) {
	case WORD_START:
		answer_start(guest, word->text);
		break;
	case WORD_STOP:
		answer_stop(guest, word->text);
		break;
	case WORD_LOOK:
		inside_tell(STDOUT_FILENO, guest->plan, &guest->container);
		break;
	case WORD_FORWARD:
		pass_on(guest, word);
		break;
	default:
		tell("error ", "unknown request to the guest", "");
	}
}

static void hear(struct guest *guest)
{
	size_t size;
	char *room = words_room(&guest->words, &size);
	ssize_t got = read(STDIN_FILENO, room, size);

	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0) /* the terminal has hung up */
		system_end();
	words_filled(&guest->words, (size_t)got);
	for (struct word word; (word = words_next(&guest->words)).kind != WORD_NONE;)
		answer(guest, &word);
}

static _Noreturn void serve(struct guest *guest)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = STDIN_FILENO, .events = POLLIN},
			{.fd = guest->stream, .events = POLLIN},
			{.fd = guest->container.pidfd, .events = POLLIN},
		};

		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[1].revents)
			relay(guest);
		if (fds[2].revents)
			bury(guest);
		if (fds[0].revents)
			hear(guest);
	}
}

/* ---- the beginning ---- */

/* As the host's driver `container` has it (bench/drivers/container.c), but that control groups are required: a guest has them. */
static int prepare(struct guest *guest, struct error *err)
{
	static const char *const argv[] = {"/agent", NULL};
	struct container_options options = container_options_default();
	const char *words = getenv("BENCH_CONTAINER");
	int rc = guest_options_parse(words ? words : "", &guest->options, err);

	if (rc < 0)
		return rc;
	options.rootfs = SYSTEM_CONTAINER_ROOT;
	options.root_is_program = true;
	options.argv = argv;
	options.cgroup = CONTAINER_ON;
	options.cgroup_name = "bench-guest";
	options.limits = guest->options.limits;
	options.limits.cpu_weight = 100;
	rc = container_prepare(&options, &guest->plan, err);
	return rc < 0 ? rc : container_plan_open(guest->plan, err);
}

int main(int argc, char **argv)
{
	static struct guest guest = {.container = CONTAINER_NONE, .stream = -1};
	struct error err = {0};

	signal(SIGCHLD, SIG_DFL); /* the agent's init lets the kernel reap; here somebody waits */
	signal(SIGPIPE, SIG_IGN);
	int rc = container_protect_self(argv, &err);

	tell(GUEST_MARK_RUNTIME, "", "");
	if (rc == 0)
		rc = system_enter(&err);
	if (rc == 0)
		rc = prepare(&guest, &err);
	if (rc == 0 && guest.options.shared)
		tell(GUEST_IDLE, "", "");
	else if (rc == 0)
		rc = start(&guest, GUEST_ONLY_ID, &err);
	if (rc < 0) {
		system_say("%s", err.message);
		system_end();
	}
	serve(&guest);
}
