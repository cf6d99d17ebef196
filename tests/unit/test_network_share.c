/* network: who shares a bridge, what is reclaimed, what is refused, what is undone. */
#include "network_fixture.h"

#include <base/journal.h>
#include <bench/timeline.h>

#include <net/if_arp.h>

static const struct network_options shared = {.bridge = "benchtest"};

/* A process that opens the shared network, attaches `netns`, says so, and waits to be killed or let go. */
struct user {
	pid_t pid;
	int pipe_fd;  /* what it says */
	int leave_fd; /* a byte: it goes */
	struct network_link link;
};

static void be_user(int netns, int say_fd, int leave_fd, const struct network_options *options)
{
	struct network_link link = NETWORK_LINK_NONE;
	struct network *network = NULL;
	char gone;

	if (network_open(options, &network, NULL) < 0 || network_attach(network, netns, NULL, &link, NULL) < 0)
		_exit(1);
	if (write(say_fd, &link, sizeof(link)) != sizeof(link))
		_exit(2);
	(void)!read(leave_fd, &gone, 1);
	network_close(network);
	_exit(0);
}

static struct user user_start(int netns, const struct network_options *options)
{
	struct user user;
	int say[2], leave[2];

	cr_assert_eq(pipe2(say, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(leave, O_CLOEXEC), 0);
	user.pid = fork();
	cr_assert_geq(user.pid, 0);
	if (user.pid == 0) {
		close(leave[1]);
		be_user(netns, say[1], leave[0], options);
	}
	close(say[1]);
	close(leave[0]);
	user.pipe_fd = say[0];
	user.leave_fd = leave[1];
	cr_assert_eq(read(user.pipe_fd, &user.link, sizeof(user.link)), (ssize_t)sizeof(user.link), "the other process did not attach");
	return user;
}

static void user_end(struct user *user, int kill_signal)
{
	int status;

	/* A word, not the end of the pipe: processes started later have copies of it. */
	if (kill_signal)
		kill(user->pid, kill_signal);
	else
		cr_assert_eq(write(user->leave_fd, "x", 1), 1);
	close(user->leave_fd);
	close(user->pipe_fd);
	cr_assert_eq(waitpid(user->pid, &status, 0), user->pid);
	cr_assert(kill_signal ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

Test(network_share, two_processes_share_a_bridge_and_the_last_removes_it)
{
	struct scratch scratch = host_make();
	_cleanup_close_ int a = member_make();
	_cleanup_close_ int b = member_make();
	struct user other = user_start(a, &shared);
	struct network *network = network_make(&shared);
	struct network_link link = attach(network, b, NULL);
	int client, server;

	cr_expect_str_neq(link.address, other.link.address);
	cr_expect_str_eq(link.gateway, other.link.gateway);
	_cleanup_close_ int listener = listen_in(a, 80);
	connect_to(b, other.link.address, 80, listener, &client, &server);
	close(client);
	close(server);
	network_close(network);
	cr_expect(link_exists("benchtest"), "somebody still uses it");
	cr_expect(link_exists(other.link.host_name));
	user_end(&other, 0);
	cr_expect_not(link_exists("benchtest"));
	cr_expect_not(path_exists(scratch_path(&scratch, "bench")), "no lock file is left");
	scratch_remove(&scratch);
}

Test(network_share, what_a_killed_process_left_is_reclaimed)
{
	struct scratch scratch = host_make();
	_cleanup_close_ int a = member_make();
	_cleanup_close_ int b = member_make();
	struct user other = user_start(a, &shared);

	user_end(&other, SIGKILL);
	cr_assert(link_exists("benchtest"));
	cr_assert(link_exists(other.link.host_name));
	struct network *network = network_make(&shared);
	cr_expect_not(link_exists(other.link.host_name));
	struct network_link link = attach(network, b, NULL);
	cr_expect_str_eq(link.address, other.link.address, "its address is free again");
	network_close(network);
	cr_expect_not(link_exists("benchtest"));
	scratch_remove(&scratch);
}

Test(network_share, the_address_of_a_member_that_ended_is_free_again)
{
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){.bridge = "benchtest", .subnet = "10.77.0.0/30"});
	int a = member_make();
	_cleanup_close_ int b = member_make();
	struct network_link first = attach(network, a, NULL), second = NETWORK_LINK_NONE;
	struct error err = {0};

	cr_expect_str_eq(first.address, "10.77.0.2");
	cr_expect_eq(network_attach(network, b, NULL, &second, &err), -EADDRNOTAVAIL);
	cr_expect(strstr(err.message, "are taken"), "%s", err.message);
	cr_expect_eq(second.host_name[0], '\0');
	close(a); /* the namespace ends, and the link with it, a moment later */
	for (int64_t deadline_ns = clock_now_ns() + 5000000000; link_exists(first.host_name) && clock_now_ns() < deadline_ns;)
		poll(NULL, 0, 5);
	second = attach(network, b, NULL);
	cr_expect_str_eq(second.address, "10.77.0.2");
	cr_expect_eq(network_detach(network, &first, &err), 0, "gone already: %s", err.message);
	network_close(network);
	scratch_remove(&scratch);
}

Test(network_share, the_journal_names_all_and_its_handler_undoes_it)
{
	struct scratch scratch = host_make();
	struct journal *journal = NULL;
	const char *path = scratch_path(&scratch, "w0.journal");
	_cleanup_close_ int a = member_make();

	cr_assert_eq(journal_open(path, &journal, NULL), 0);
	struct user other = user_start(a, &(struct network_options){.journal = journal});
	char text[256] = "";
	cr_assert_gt(file_read("", path, text, sizeof(text), NULL), 0);
	cr_expect(strstr(text, other.link.host_name), "%s", text);
	user_end(&other, SIGKILL);
	cr_expect_eq(journal_leftovers(path, NULL, NULL), 2);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		struct error err = {0};

		cr_assert_eq(strncmp(line, "link ", 5), 0);
		cr_expect_eq(network_undo_link(line + 5, &err), 0, "%s", err.message);
		cr_expect_not(link_exists(line + 5));
		cr_expect_eq(network_undo_link(line + 5, &err), 0, "undoing twice is fine");
	}
	cr_expect_eq(journal_leftovers(path, NULL, NULL), 0);
	journal_close(journal);
	scratch_remove(&scratch);
}

Test(network_share, who_joins_a_bridge_names_it_too)
{
	struct scratch scratch = host_make();
	struct journal *journal = NULL;
	const char *path = scratch_path(&scratch, "w0.journal");
	_cleanup_close_ int a = member_make();
	_cleanup_close_ int b = member_make();
	char text[256] = "";

	cr_assert_eq(journal_open(path, &journal, NULL), 0);
	struct user first = user_start(a, &shared);
	struct user second = user_start(b, &(struct network_options){.bridge = shared.bridge, .journal = journal});
	user_end(&first, 0);
	user_end(&second, SIGKILL);
	cr_assert_gt(file_read("", path, text, sizeof(text), NULL), 0);
	cr_expect_eq(strncmp(text, "link benchtest\n", 15), 0, "%s", text);
	cr_expect_eq(network_undo_link("benchtest", NULL), 0);
	cr_expect_not(link_exists("benchtest"));
	cr_expect_not(link_exists(second.link.host_name), "its link went with it");
	journal_close(journal);
	scratch_remove(&scratch);
}

Test(network_share, undoing_leaves_a_bridge_that_others_use)
{
	struct scratch scratch = host_make();
	_cleanup_close_ int a = member_make();
	struct user other = user_start(a, &shared);
	struct error err = {0};

	cr_expect_eq(network_undo_link("benchtest", &err), 0, "%s", err.message);
	cr_expect(link_exists("benchtest"));
	user_end(&other, 0);
	cr_expect_not(link_exists("benchtest"));
	scratch_remove(&scratch);
}

static void shell(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

Test(network_share, foreign_links_are_never_touched)
{
	struct scratch scratch = host_make();
	struct network *network = NULL;
	struct error err = {0};

	shell("ip link add benchtest type bridge; ip link add bnforeign type dummy 2>/dev/null || ip link add bnforeign type bridge");
	cr_expect_eq(network_open(&shared, &network, &err), -EEXIST);
	cr_expect(strstr(err.message, "not a bridge of ours"), "%s", err.message);
	cr_expect_eq(network_undo_link("benchtest", &err), 0, "ours is gone, this is another");
	cr_expect_eq(network_undo_link("bnforeign", &err), 0);
	cr_expect_eq(network_undo_link("bn/../x", &err), -EINVAL);
	cr_expect(link_exists("benchtest"));
	cr_expect(link_exists("bnforeign"));
	/* A foreign port keeps its bridge. */
	network = network_make(&(struct network_options){.bridge = "benchb"});
	shell("ip link add foreign type veth peer name foreign2; ip link set foreign master benchb");
	network_close(network);
	cr_expect(link_exists("foreign"));
	cr_expect(link_exists("benchb"));
	cr_expect_eq(network_undo_link("benchb", &err), -EBUSY);
	shell("ip link del foreign");
	cr_expect_eq(network_undo_link("benchb", &err), 0, "%s", err.message);
	cr_expect_not(link_exists("benchb"));
	scratch_remove(&scratch);
}

Test(network_share, subnets_of_the_host_are_avoided)
{
	struct scratch scratch = host_make();
	struct network *network = NULL;
	struct error err = {0};

	shell("ip link set lo up; ip link add d0 type veth peer name d1; ip link set d0 up; ip address add 10.89.1.1/24 dev d1; "
	      "ip route add 10.88.200.0/24 dev lo table 77; ip route add default dev lo");
	network = network_make(&(struct network_options){0});
	_cleanup_close_ int a = member_make();
	struct network_link link = attach(network, a, NULL);
	cr_expect_str_eq(link.gateway, "10.90.0.1", "one is routed by a table of its own, one is the address of a link that is down");
	network_close(network);
	cr_expect_eq(network_open(&(struct network_options){.subnet = "10.88.0.0/16"}, &network, &err), -EADDRINUSE);
	cr_expect(strstr(err.message, "10.88.200.0/24"), "%s", err.message);
	shell("ip route add 10.64.0.0/10 dev lo");
	cr_expect_eq(network_open(&(struct network_options){0}, &network, &err), -EADDRNOTAVAIL);
	cr_expect_neq(err.hint[0], '\0');
	cr_expect_not(path_exists(scratch_path(&scratch, "bench")), "a network that was not opened leaves nothing");
	scratch_remove(&scratch);
}

Test(network_share, a_namespace_with_an_eth0_is_refused_and_nothing_stays)
{
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	_cleanup_close_ int a = member_make();
	_cleanup_close_ int devnull = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct network_link link = attach(network, a, NULL), second = NETWORK_LINK_NONE;
	struct error err = {0};

	cr_expect_eq(network_attach(network, a, NULL, &second, &err), -EEXIST);
	cr_expect_str_eq(err.hint, "the network namespace has an eth0 already");
	cr_expect_lt(network_attach(network, devnull, NULL, &second, &err), 0, "no namespace at all");
	cr_expect_eq(second.host_name[0], '\0');
	cr_expect(link_exists(link.host_name));
	network_close(network);
	cr_expect_eq(system("test -z \"$(ip -o link | grep bn)\""), 0, "a link is left");
	scratch_remove(&scratch);
}

/* As rootful containers with a user namespace have it: their network namespace belongs to that. */
Test(network_share, a_namespace_of_another_user_namespace_is_served)
{
	struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	int ready[2], leave[2];
	char path[64], byte;

	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(leave, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(leave[1]);
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)!read(leave[0], &byte, 1);
		_exit(0);
	}
	close(ready[1]);
	bool made = read(ready[0], &byte, 1) == 1;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	_cleanup_close_ int netns = open(path, O_RDONLY | O_CLOEXEC);
	if (made) {
		struct network_link link = attach(network, netns, &(struct network_limits){.rate_bytes = 1000000});
		cr_expect_str_eq(link.address, "10.88.0.2");
	}
	close(leave[1]);
	close(leave[0]);
	close(ready[0]);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	network_close(network);
	scratch_remove(&scratch);
	if (!made)
		cr_skip_test("no user namespaces here");
}
