/* The network of a container without root: pasta or slirp4netns carries what the container sends to sockets of the user, by a tap inside.
 *
 * Nobody but the user needs a right for it. The container gets an address, a default route and what the host can reach, the host's loopback excepted;
 * nothing reaches the container. It is another thing than the bridge (a process copies every packet), so a result must say which it was. Independent of
 * the runtime: network_user_start() once the namespaces exist, network_user_stop() at the end. Prints nothing. */
#pragma once

#include <bench/error.h>

#include <stddef.h>
#include <sys/types.h>

struct journal;

struct network_user_options {
	pid_t pid;           /* whose user and network namespace are entered; its user namespace is one of the caller's own */
	const char *program; /* "pasta" or "slirp4netns"; NULL: the first of them that is installed */
	const char *link;    /* NULL: "tap0" */
	int timeout_ms;      /* until it is ready; 0: 5 s */
	struct journal *journal;
};

/* The running helper, a child of the caller. Opaque. */
struct network_user;

/* Which program would be used? -ENOENT with a remedy when there is none. */
int network_user_support(const char *program, char *ret_path, size_t size, struct error *err);

/* Starts it and waits until link, address and route are there. On failure nothing is left running. */
int network_user_start(const struct network_user_options *options, struct network_user **ret, struct error *err);

const char *network_user_program(const struct network_user *user);
pid_t network_user_pid(const struct network_user *user);

/* A descriptor that polls readable once the helper has ended (a pidfd, owned by `user`). */
int network_user_fd(const struct network_user *user);

/* Ends it and reaps it. NULL is fine. */
void network_user_stop(struct network_user *user);
