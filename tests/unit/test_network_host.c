/* network: on the real host, its links included, and driven by tests/integration/network.sh, which compares the host before and after. */
#include "network_fixture.h"

#include <base/journal.h>

static void must_have_links(void)
{
	const char *must = getenv("BENCH_MUST_RUN");
	struct error err = {0};

	if (network_support(&err) == 0)
		return;
	cr_assert(!must || !strstr(must, "container"), "links must be made here, but: %s", err.message);
	cr_skip_test("%s", err.message);
}

Test(network_host, used_and_closed)
{
	must_have_links();
	struct network *network = network_make(&(struct network_options){0});
	_cleanup_close_ int a = member_make();
	_cleanup_close_ int b = member_make();
	struct network_link link_a = attach(network, a, &(struct network_limits){.rate_bytes = 50000000, .priority = 3});
	struct network_link link_b = attach(network, b, NULL);
	_cleanup_close_ int listen_a = listen_in(a, 80);
	_cleanup_close_ int listen_b = listen_in(b, 80);
	int client, server;

	connect_to(-1, link_a.address, 80, listen_a, &client, &server);
	close(client);
	close(server);
	connect_to(a, link_b.address, 80, listen_b, &client, &server);
	close(client);
	close(server);
	cr_expect_eq(network_detach(network, &link_b, NULL), 0);
	network_close(network);
	cr_expect_not(link_exists(link_a.host_name));
}

/* Leaves a bridge and a link behind, and their names in the journal: only where the script asks for it, for it is the script that cleans up. */
Test(network_host, killed)
{
	const char *path = getenv("BENCH_NETWORK_JOURNAL");
	int status, ready[2];
	char byte;

	if (!path)
		cr_skip_test("driven by tests/integration/network.sh");
	must_have_links();
	_cleanup_close_ int netns = member_make();
	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct network_link link = NETWORK_LINK_NONE;
		struct network *network = NULL;
		struct journal *journal = NULL;

		if (journal_open(path, &journal, NULL) < 0 ||
		    network_open(&(struct network_options){.journal = journal}, &network, NULL) < 0 ||
		    network_attach(network, netns, NULL, &link, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1, "the network could not be made");
	close(ready[0]);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
}
