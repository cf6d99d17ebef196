/* network: a bridge that is full, and what attaching costs. */
#include "network_fixture.h"

#include <bench/timeline.h>

#include <sys/resource.h>

enum { PORTS_MAX = 1023 };

/* Ports by hand, in one batch of ip: the kernel's bound is on ports, whoever made them. */
static void fill_bridge(const char *bridge, int ports)
{
	char command[64];

	snprintf(command, sizeof(command), "ip -batch - >/dev/null 2>&1");
	FILE *ip = popen(command, "we");
	cr_assert(ip);
	for (int i = 0; i < ports; i++)
		fprintf(ip, "link add fill%d master %s type veth peer name peer%d\n", i, bridge, i);
	cr_assert_eq(pclose(ip), 0);
}

Test(network_scale, a_full_bridge_says_so, .timeout = 280)
{
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	_cleanup_close_ int a = member_make();
	_cleanup_close_ int b = member_make();
	struct network_link link = NETWORK_LINK_NONE;
	struct error err = {0};

	fill_bridge(network_bridge(network), PORTS_MAX - 1);
	struct network_link last = attach(network, a, NULL);
	cr_expect_eq(network_attach(network, b, NULL, &link, &err), -EXFULL);
	cr_expect(strstr(err.message, "is full: the kernel lets a bridge have 1,023 links"), "%s", err.message);
	cr_expect_neq(err.hint[0], '\0');
	cr_expect_eq(network_detach(network, &last, &err), 0);
	link = attach(network, b, NULL); /* with room again it works */
	network_close(network);
	scratch_remove(&scratch);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

Test(network_scale, attaching_and_detaching_leave_no_descriptor_and_no_link)
{
	enum { ROUNDS = 60 };
	static int64_t attach_ns[ROUNDS], detach_ns[ROUNDS];
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(before);
	for (int i = 0; i < ROUNDS; i++) {
		struct network_limits limits = {.rate_bytes = 100000000};
		int netns = member_make();
		int64_t start_ns = clock_now_ns();
		struct network_link link = attach(network, netns, i % 2 ? &limits : NULL);
		int64_t made_ns = clock_now_ns();

		cr_assert_eq(network_detach(network, &link, NULL), 0);
		detach_ns[i] = clock_now_ns() - made_ns;
		attach_ns[i] = made_ns - start_ns;
		close(netns);
	}
	int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	cr_expect_eq(after, before, "descriptors leak");
	qsort(attach_ns, ROUNDS, sizeof(*attach_ns), by_value);
	qsort(detach_ns, ROUNDS, sizeof(*detach_ns), by_value);
	fprintf(stderr, "attach: median %.2f ms, p90 %.2f; detach: median %.2f ms\n", attach_ns[ROUNDS / 2] / 1e6,
		attach_ns[ROUNDS * 9 / 10] / 1e6, detach_ns[ROUNDS / 2] / 1e6);
	network_close(network);
	scratch_remove(&scratch);
}
