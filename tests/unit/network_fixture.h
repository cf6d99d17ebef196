/* A host of our own to try links on: a network namespace for the test's process, and others for the members. The real host's links are not touched. */
#pragma once

#include "scratch.h"

#include <network/network.h>

#include <arpa/inet.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int open_netns(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

/* Our own lock folder, and a namespace in the place of the host's. Skips where links cannot be made. */
static inline struct scratch host_make(void)
{
	const char *must = getenv("BENCH_MUST_RUN");
	struct error err = {0};

	if (network_support(&err) < 0) {
		cr_assert(!must || !strstr(must, "container"), "links must be made here, but: %s", err.message);
		cr_skip_test("%s", err.message);
	}
	struct scratch scratch = scratch_make();
	cr_assert_eq(setenv("BENCH_RUN_DIR", scratch.path, 1), 0);
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	return scratch;
}

/* A new, empty network namespace. */
static inline int member_make(void)
{
	_cleanup_close_ int home = open_netns();

	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	int fd = open_netns();
	cr_assert_eq(setns(home, CLONE_NEWNET), 0);
	return fd;
}

static inline int socket_in(int netns_fd, int type)
{
	_cleanup_close_ int home = open_netns();

	if (netns_fd >= 0)
		cr_assert_eq(setns(netns_fd, CLONE_NEWNET), 0);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(setns(home, CLONE_NEWNET), 0);
	return fd;
}

static inline struct sockaddr_in address_of(const char *text, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	cr_assert_eq(inet_pton(AF_INET, text, &address.sin_addr), 1);
	return address;
}

static inline int listen_in(int netns_fd, uint16_t port)
{
	int fd = socket_in(netns_fd, SOCK_STREAM), on = 1;
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

/* Connects from one namespace (-1: the host) to an address, accepts there. Both ends are returned. */
static inline void connect_to(int netns_fd, const char *text, uint16_t port, int listener, int *ret_client, int *ret_server)
{
	struct sockaddr_in address = address_of(text, port);
	struct timeval timeout = {.tv_sec = 5};
	int client = socket_in(netns_fd, SOCK_STREAM);

	setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(address)), 0, "%s: %s", text, strerror(errno));
	struct pollfd pfd = {.fd = listener, .events = POLLIN};
	cr_assert_eq(poll(&pfd, 1, 5000), 1);
	*ret_client = client;
	*ret_server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(*ret_server, 0);
}

static inline bool link_exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

static inline struct network *network_make(const struct network_options *options)
{
	struct network *network = NULL;
	struct error err = {0};

	cr_assert_eq(network_open(options, &network, &err), 0, "%s", err.message);
	return network;
}

static inline struct network_link attach(struct network *network, int netns_fd, const struct network_limits *limits)
{
	struct network_link link = NETWORK_LINK_NONE;
	struct error err = {0};

	cr_assert_eq(network_attach(network, netns_fd, limits, &link, &err), 0, "%s", err.message);
	return link;
}
