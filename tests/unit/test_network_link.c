/* network: bridges and links, in network namespaces made for the test. */
#include "network_fixture.h"

#include <base/journal.h>
#include <bench/timeline.h>

#include <sys/stat.h>

static void exchange(int client, int server)
{
	char text[8] = {0};

	cr_assert_eq(send(client, "hello", 5, 0), 5);
	cr_assert_eq(recv(server, text, 5, MSG_WAITALL), 5);
	cr_expect_str_eq(text, "hello");
}

Test(network_link, two_members_listen_on_one_port_and_all_reach_each_other)
{
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	_cleanup_close_ int a = member_make();
	_cleanup_close_ int b = member_make();
	struct network_link link_a = attach(network, a, NULL), link_b = attach(network, b, NULL);
	struct error err = {0};

	cr_expect_str_eq(link_a.address, "10.88.0.2");
	cr_expect_str_eq(link_b.address, "10.88.0.3");
	cr_expect_str_eq(link_a.gateway, "10.88.0.1");
	cr_expect_str_eq(link_a.name, "eth0");
	cr_expect_eq(link_a.prefix, 16);
	_cleanup_close_ int listen_a = listen_in(a, 80);
	_cleanup_close_ int listen_b = listen_in(b, 80);
	_cleanup_close_ int listen_host = listen_in(-1, 80);
	struct {
		int from;
		const char *to;
		int listener;
	} const ways[] = {
		{-1, link_a.address, listen_a}, {-1, link_b.address, listen_b},   {a, link_b.address, listen_b},
		{b, link_a.address, listen_a},  {a, link_a.gateway, listen_host},
	};
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int client, server;

		connect_to(ways[i].from, ways[i].to, 80, ways[i].listener, &client, &server);
		exchange(client, server);
		close(client);
		close(server);
	}
	char name[IFNAMSIZ];
	strcpy(name, link_a.host_name);
	cr_expect(link_exists(name));
	cr_expect_eq(network_detach(network, &link_a, &err), 0, "%s", err.message);
	cr_expect_not(link_exists(name));
	cr_expect_eq(network_detach(network, &link_a, &err), 0, "detaching twice is fine");
	network_close(network);
	cr_expect_not(link_exists(link_b.host_name), "the last user takes links and bridge along");
	scratch_remove(&scratch);
}

/* Bytes a second from one socket to another, over `window_ms` after a moment in which bucket and queue fill. */
static double throughput(int from, int to, int settle_ms, int window_ms)
{
	static char data[65536];
	int64_t start_ns = clock_now_ns(), from_ns = start_ns + (int64_t)settle_ms * 1000000,
		end_ns = from_ns + (int64_t)window_ms * 1000000;
	int64_t counted = 0, now_ns;

	fcntl(from, F_SETFL, O_NONBLOCK);
	fcntl(to, F_SETFL, O_NONBLOCK);
	while ((now_ns = clock_now_ns()) < end_ns) {
		struct pollfd ends[] = {{.fd = from, .events = POLLOUT}, {.fd = to, .events = POLLIN}};

		if (poll(ends, 2, 100) <= 0)
			continue;
		if (ends[0].revents & POLLOUT)
			(void)!write(from, data, sizeof(data));
		ssize_t got = ends[1].revents & POLLIN ? read(to, data, sizeof(data)) : 0;
		if (got > 0 && now_ns >= from_ns)
			counted += got;
	}
	return (double)counted * 1e9 / ((double)window_ms * 1e6);
}

static void measure_both_ways(int64_t rate_bytes, double *ret_in, double *ret_out)
{
	struct network *network = network_make(&(struct network_options){0});
	_cleanup_close_ int a = member_make();
	struct network_link link = attach(network, a, &(struct network_limits){.rate_bytes = rate_bytes});
	_cleanup_close_ int listener = listen_in(a, 80);
	int client, server;

	connect_to(-1, link.address, 80, listener, &client, &server);
	*ret_in = throughput(client, server, 500, 2000);
	close(client);
	close(server);
	connect_to(-1, link.address, 80, listener, &client, &server);
	*ret_out = throughput(server, client, 500, 2000);
	close(client);
	close(server);
	network_close(network);
}

Test(network_link, a_rate_holds_in_both_directions)
{
	struct scratch scratch = host_make();
	double in, out, rate = 2e6;

	measure_both_ways((int64_t)rate, &in, &out);
	fprintf(stderr, "limited to 2.00 MB/s: %.2f MB/s in, %.2f MB/s out\n", in / 1e6, out / 1e6);
	cr_expect(in > rate * 0.85 && in < rate * 1.15, "%.0f bytes/s to the member", in);
	cr_expect(out > rate * 0.85 && out < rate * 1.15, "%.0f bytes/s from the member", out);
	scratch_remove(&scratch);
}

Test(network_link, without_a_rate_it_is_much_faster)
{
	struct scratch scratch = host_make();
	double in, out;

	measure_both_ways(0, &in, &out);
	fprintf(stderr, "not limited: %.0f MB/s in, %.0f MB/s out\n", in / 1e6, out / 1e6);
	cr_expect_gt(in, 20e6);
	cr_expect_gt(out, 20e6);
	scratch_remove(&scratch);
}

Test(network_link, limits_that_cannot_be_kept_are_refused)
{
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	_cleanup_close_ int a = member_make();
	const struct network_limits bad[] = {
		{.rate_bytes = -1}, {.rate_bytes = 5}, {.rate_bytes = 10000, .burst_bytes = 100}, {.priority = 8}, {.priority = -1}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct network_link link = NETWORK_LINK_NONE;
		struct error err = {0};

		cr_expect_eq(network_attach(network, a, &bad[i], &link, &err), -EINVAL);
		cr_expect_eq(link.host_name[0], '\0');
	}
	network_close(network);
	scratch_remove(&scratch);
}

/* The kernel tells a receiver the priority of a packet since Linux 6.14. */
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82
#endif

static int priority_of_next(int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char data[16];
	struct iovec part = {data, sizeof(data)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int priority = -1;

	cr_assert_eq(poll(&pfd, 1, 5000), 1, "no packet came");
	cr_assert_gt(recvmsg(fd, &message, 0), 0);
	for (struct cmsghdr *part_of = CMSG_FIRSTHDR(&message); part_of; part_of = CMSG_NXTHDR(&message, part_of))
		if (part_of->cmsg_level == SOL_SOCKET && part_of->cmsg_type == SO_PRIORITY)
			memcpy(&priority, CMSG_DATA(part_of), sizeof(priority));
	return priority;
}

Test(network_link, what_a_member_sends_has_its_priority)
{
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	_cleanup_close_ int receiver = socket_in(-1, SOCK_DGRAM);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(9999)};
	int on = 1, wanted[] = {6, 0};

	if (setsockopt(receiver, SOL_SOCKET, SO_RCVPRIORITY, &on, sizeof(on)) < 0)
		cr_skip_test("this kernel does not tell the priority of a packet");
	cr_assert_eq(bind(receiver, (struct sockaddr *)&any, sizeof(any)), 0);
	for (size_t i = 0; i < 2; i++) {
		_cleanup_close_ int netns = member_make();
		struct network_link link = attach(network, netns, &(struct network_limits){.priority = wanted[i]});
		struct sockaddr_in host = address_of(link.gateway, 9999);
		_cleanup_close_ int sender = socket_in(netns, SOCK_DGRAM);

		cr_assert_eq(sendto(sender, "x", 1, 0, (struct sockaddr *)&host, sizeof(host)), 1);
		cr_expect_eq(priority_of_next(receiver), wanted[i]);
	}
	network_close(network);
	scratch_remove(&scratch);
}

Test(network_link, counters_are_the_member_s_own)
{
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	_cleanup_close_ int a = member_make();
	struct network_link link = attach(network, a, NULL);
	_cleanup_close_ int listener = listen_in(a, 80);
	static char data[100000], sink[100000];
	struct network_counters before, after;
	int client, server;

	connect_to(-1, link.address, 80, listener, &client, &server);
	cr_assert_eq(network_counters_read(network, &link, &before, NULL), 0);
	cr_assert_eq(send(client, data, sizeof(data), 0), (ssize_t)sizeof(data));
	cr_assert_eq(recv(server, sink, sizeof(sink), MSG_WAITALL), (ssize_t)sizeof(sink));
	cr_assert_eq(network_counters_read(network, &link, &after, NULL), 0);
	uint64_t received = after.rx_bytes - before.rx_bytes, sent = after.tx_bytes - before.tx_bytes;
	cr_expect(received >= 100000 && received < 120000, "received %llu", (unsigned long long)received);
	cr_expect(sent > 0 && sent < 20000, "sent %llu", (unsigned long long)sent);
	cr_expect_gt(after.rx_packets, before.rx_packets);
	close(client);
	close(server);
	network_close(network);
	scratch_remove(&scratch);
}
