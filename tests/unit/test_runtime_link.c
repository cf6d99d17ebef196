/* Containers with a link: on a bridge, by a carrier of the user, or none. The "host" is a network namespace of the test's own; where an ordinary
 * user is tried it is the real one, of which nothing is changed. */
#include "network_fixture.h"
#include "runtime_fixture.h"
#include "tun_fixture.h"

#include <base/journal.h>
#include <network/user.h>

enum { SAY_MS = 10000 };

static struct scratch scratch;

static void setup_link(void)
{
	setup();
	if (geteuid() == 0)
		scratch = host_make();
}

static void teardown_link(void)
{
	teardown();
	if (scratch.path[0])
		scratch_remove(&scratch);
}

TestSuite(runtime_link, .init = setup_link, .fini = teardown_link, .timeout = 120);

static void needs_root(void)
{
	if (geteuid() != 0)
		skip("needs root");
}

static struct container_options linked(enum container_choice userns)
{
	struct container_options options = options_here();
	struct error err = {0};

	options.userns = userns;
	cr_assert_eq(container_options_set(&options, "net", "bridge", &err), 0, "%s", err.message);
	return options;
}

/* ---- the look around ---- */

static void append_output(const char *command, char *ret, size_t size)
{
	size_t used = strlen(ret);
	FILE *output = popen(command, "re");

	cr_assert_not_null(output);
	used += fread(ret + used, 1, size - 1 - used, output);
	ret[used] = '\0';
	cr_assert_eq(pclose(output), 0, "%s", command);
}

enum { LOOK_BYTES = 16384 };

static void look_at_host(char ret[LOOK_BYTES])
{
	ret[0] = '\0';
	append_output("ip -o link | sed 's/qlen.*//'", ret, LOOK_BYTES);
	append_output("ip -4 route show table all", ret, LOOK_BYTES);
	append_output("ip rule", ret, LOOK_BYTES);
	append_output("cd /proc/sys/net && for f in ipv4/ip_forward ipv4/conf/all/* ipv4/conf/default/*; do echo $f "
		      "$(cat $f); done",
		      ret, LOOK_BYTES);
}

static void expect_no_link_of_ours(void)
{
	struct if_nameindex *links = if_nameindex();

	for (struct if_nameindex *link = links; link->if_index; link++)
		cr_expect(strncmp(link->if_name, "bench", 5) != 0 && strncmp(link->if_name, "bn", 2) != 0, "%s is left", link->if_name);
	if_freenameindex(links);
}

/* ---- containers that talk ---- */

struct speaker {
	struct container container;
	int stream;
};

static struct speaker speaker_start(struct container_plan *plan, const char *id)
{
	struct speaker speaker = {.container = CONTAINER_NONE};
	struct error err = {0};
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	int rc = container_start(plan, id, (const int[]){pair[1], pair[1], pair[1]}, 0, &speaker.container, &err);
	close(pair[1]);
	cr_assert_eq(rc, 0, "%s (%s)", err.message, err.hint);
	speaker.stream = pair[0];
	return speaker;
}

static void speaker_end(struct container_plan *plan, struct speaker *speaker)
{
	struct error err = {0};

	cr_expect_eq(container_stop(plan, &speaker->container, &err), 0, "%s", err.message);
	close(speaker->stream);
}

/* Has the shell inside do something; what it says comes back. */
static const char *say(const struct speaker *speaker, const char *command)
{
	static char text[16384];
	int64_t end_ns = clock_now_ns() + (int64_t)SAY_MS * 1000000;
	size_t used = 0;

	dprintf(speaker->stream, "%s\necho '<'done'>'\n", command);
	for (text[0] = '\0'; !strstr(text, "<done>\n");) {
		struct pollfd pfd = {.fd = speaker->stream, .events = POLLIN};
		int64_t left_ms = (end_ns - clock_now_ns()) / 1000000;

		cr_assert(left_ms > 0 && poll(&pfd, 1, (int)left_ms) == 1, "%s: no answer but %s", command, text);
		ssize_t got = read(speaker->stream, text + used, sizeof(text) - 1 - used);
		cr_assert_gt(got, 0, "%s: the end after %s", command, text);
		used += (size_t)got;
		text[used] = '\0';
	}
	*strstr(text, "<done>\n") = '\0';
	return text;
}

/* A connection to a server that may just have been started. */
static int connect_soon(const char *text, uint16_t port)
{
	struct sockaddr_in address = address_of(text, port);
	int64_t end_ns = clock_now_ns() + (int64_t)SAY_MS * 1000000;
	struct timeval timeout = {.tv_sec = 10};

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		cr_assert(errno == ECONNREFUSED && clock_now_ns() < end_ns, "%s:%u: %s", text, port, strerror(errno));
		close(fd);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

static const char *page_of(const char *address)
{
	static char text[1024];
	_cleanup_close_ int fd = connect_soon(address, 80);
	size_t used = 0;
	ssize_t got;

	dprintf(fd, "GET / HTTP/1.0\r\n\r\n");
	while (used < sizeof(text) - 1 && (got = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	return text;
}

static void serve(const struct speaker *speaker)
{
	say(speaker, "/busybox hostname > /tmp/index.html; /busybox httpd -f -p 80 -h /tmp &");
}

static void expect_page(const struct speaker *from, const struct speaker *to)
{
	char command[128];

	snprintf(command, sizeof(command), "/busybox wget -q -O - http://%s/", to->container.link.address);
	cr_expect_str_eq(say(from, command), to == from ? "" : strcat(strcpy(command, to->container.id), "\n"));
}

static void two_serve(enum container_choice userns)
{
	static char before[LOOK_BYTES], meanwhile[LOOK_BYTES], after[LOOK_BYTES];
	struct container_options options = linked(userns);
	struct error err = {0};

	look_at_host(before);
	struct container_plan *plan = plan_for(&options);
	cr_expect_str_eq(container_plan_facts(plan)->network, "eth0 on a bridge");
	struct speaker one = speaker_start(plan, "one"), two = speaker_start(plan, "two");
	cr_expect(strncmp(container_plan_facts(plan)->network, "eth0 on bridge bench", 20) == 0);
	cr_expect_not_null(strstr(container_plan_facts(plan)->network, ", 10."), "%s", container_plan_facts(plan)->network);
	cr_expect_str_neq(one.container.link.address, two.container.link.address);
	serve(&one);
	serve(&two);
	EXPECT_LINE(page_of(one.container.link.address), "\r\n\r\none\n");
	EXPECT_LINE(page_of(two.container.link.address), "\r\n\r\ntwo\n");
	expect_page(&one, &two);
	expect_page(&two, &one);
	EXPECT_LINE(say(&one, "/busybox ip route"), "default via 10.");
	look_at_host(meanwhile);
	cr_expect_str_eq(strstr(meanwhile, "\n0:\tfrom all lookup local"), strstr(before, "\n0:\tfrom all lookup local") ?: "none",
			 "rules and forwarding stay: %s", meanwhile);

	/* One ends, the other and the bridge stay. */
	char name[IFNAMSIZ];
	strcpy(name, two.container.link.host_name);
	cr_expect(link_exists(name));
	speaker_end(plan, &two);
	cr_expect_not(link_exists(name), "%s is there after the stop", name);
	cr_expect_eq(container_stop(plan, &two.container, &err), 0, "a second stop is fine");
	EXPECT_LINE(page_of(one.container.link.address), "one\n");
	speaker_end(plan, &one);
	container_plan_free(plan);
	look_at_host(after);
	cr_expect_str_eq(after, before);
	expect_no_link_of_ours();
}

Test(runtime_link, two_of_one_plan_serve_on_one_port_with_a_user_namespace)
{
	needs_root();
	two_serve(CONTAINER_ON);
}

Test(runtime_link, two_of_one_plan_serve_on_one_port_without_a_user_namespace)
{
	needs_root();
	two_serve(CONTAINER_OFF);
}

static void network_of(const char *net, const char *fact, bool lo_up)
{
	struct container_options options = options_here();
	struct error err = {0};

	cr_assert_eq(container_options_set(&options, "net", net, &err), 0, "%s", err.message);
	struct container_plan *plan = plan_for(&options);
	cr_expect_str_eq(container_plan_facts(plan)->network, fact);
	struct speaker speaker = speaker_start(plan, "c-1");
	const char *links = say(&speaker, "/busybox ip -o link");
	cr_expect_not_null(strstr(links, "lo: <LOOPBACK"), "%s", links);
	cr_expect_eq(strstr(links, "LOOPBACK,UP") != NULL, lo_up, "net=%s: %s", net, links);
	cr_expect_null(strstr(links, "eth0"));
	speaker_end(plan, &speaker);
	container_plan_free(plan);
}

Test(runtime_link, without_a_link_lo_is_up_or_down)
{
	network_of("own", "loopback", true);
	network_of("none", "none", false);
}

/* ---- limits ---- */

enum { RATE = 2000000, SETTLE_MS = 700, WINDOW_MS = 2000 };

/* Bytes a second through one end of a connection: those that can be written, or those that come. */
static double rate_of(int fd, bool writing)
{
	static char data[16384];
	int64_t from_ns = clock_now_ns() + (int64_t)SETTLE_MS * 1000000, end_ns = from_ns + (int64_t)WINDOW_MS * 1000000, now_ns;
	int64_t counted = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((now_ns = clock_now_ns()) < end_ns) {
		struct pollfd pfd = {.fd = fd, .events = writing ? POLLOUT : POLLIN};

		if (poll(&pfd, 1, 100) != 1)
			continue;
		ssize_t moved = writing ? write(fd, data, sizeof(data)) : read(fd, data, sizeof(data));
		cr_assert(moved > 0 || errno == EAGAIN, "%s", strerror(errno));
		if (moved > 0 && now_ns >= from_ns)
			counted += moved;
	}
	return (double)counted * 1000 / WINDOW_MS;
}

Test(runtime_link, a_rate_holds_both_ways)
{
	struct container_options options = linked(CONTAINER_AUTO);

	needs_root();
	options.link_limits.rate_bytes = RATE;
	options.limits.memory_bytes = 256 << 20;
	struct container_plan *plan = plan_for(&options);
	struct speaker speaker = speaker_start(plan, "c-1");
	const char *address = speaker.container.link.address;
	say(&speaker, "/busybox nc -l -p 81 < /dev/zero > /dev/null & /busybox nc -l -p 82 > /dev/null < /dev/null &");
	int from = connect_soon(address, 81), small = 65536;
	double out = rate_of(from, false);
	close(from);
	int to = connect_soon(address, 82);
	setsockopt(to, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)); /* what the kernel keeps is not through yet */
	double in = rate_of(to, true);
	close(to);
	fprintf(stderr, "limited to %.2f MB/s: %.2f MB/s out, %.2f MB/s in\n", RATE / 1e6, out / 1e6, in / 1e6);
	cr_expect(out > RATE * 0.8 && out < RATE * 1.2, "%.0f bytes/s from the container", out);
	cr_expect(in > RATE * 0.8 && in < RATE * 1.2, "%.0f bytes/s to the container", in);
	speaker_end(plan, &speaker);
	container_plan_free(plan);
}

/* ---- failures ---- */

Test(runtime_link, a_failing_start_leaves_no_link)
{
	static const char *const argv[] = {"/no-such-program", NULL};
	struct container_options options = linked(CONTAINER_AUTO);
	struct container container = CONTAINER_NONE;
	struct error err = {0};

	needs_root();
	options.argv = argv;
	struct container_plan *plan = plan_for(&options);
	cr_expect_eq(container_start(plan, "c-1", (const int[]){-1, -1, -1}, 0, &container, &err), -ENOENT, "%s", err.message);
	cr_expect_not_null(strstr(err.message, "step exec /no-such-program"), "%s", err.message);
	struct if_nameindex *links = if_nameindex();
	for (struct if_nameindex *link = links; link->if_index; link++)
		cr_expect(strcmp(link->if_name, "lo") == 0 || strcmp(link->if_name, network_bridge(plan->links)) == 0 ||
				  !strncmp(link->if_name, "bench", 5) == 0,
			  "%s is left", link->if_name);
	if_freenameindex(links);
	container_plan_free(plan);
	expect_no_link_of_ours();
}

Test(runtime_link, limits_that_cannot_be_kept_leave_nothing)
{
	struct container_options options = linked(CONTAINER_AUTO);
	struct container container = CONTAINER_NONE;
	struct error err = {0};

	needs_root();
	options.link_limits.rate_bytes = 5;
	struct container_plan *plan = plan_for(&options);
	cr_expect_eq(container_start(plan, "c-1", (const int[]){-1, -1, -1}, 0, &container, &err), -EINVAL, "%s", err.message);
	cr_expect_not_null(strstr(err.message, "link to bridge"), "%s", err.message);
	container_plan_free(plan);
	expect_no_link_of_ours();
}

Test(runtime_link, the_host_s_network_and_a_link_exclude_each_other)
{
	struct container_options options = linked(CONTAINER_AUTO);
	struct container_plan *plan = NULL;
	struct error err = {0};

	needs_root();
	options.namespaces &= ~(unsigned)CONTAINER_NS_NET;
	cr_expect_eq(container_prepare(&options, &plan, &err), -EINVAL);
	cr_expect_not_null(strstr(err.message, "exclude each other"), "%s", err.message);
	options = linked(CONTAINER_AUTO);
	options.bare = true;
	cr_expect_eq(container_prepare(&options, &plan, &err), -EINVAL, "%s", err.message);
	cr_expect_eq(container_options_set(&options, "net", "bridges", &err), -EINVAL);
	cr_expect_eq(container_options_set(&options, "net", "host", &err), 0);
	cr_expect(options.network == CONTAINER_NETWORK_LOOPBACK && !(options.namespaces & CONTAINER_NS_NET), "the last word counts");
}

/* ---- kill -9 ---- */

/* As the supervisor does before it undoes a journal: what still lives was half-made, holds copies of its parent's descriptors and ends. */
static void end_descendants(void)
{
	char text[256];

	while (file_read("", "/proc/thread-self/children", text, sizeof(text), NULL) > 0) {
		kill((pid_t)strtol(text, NULL, 10), SIGKILL);
		waitpid(-1, NULL, 0);
	}
}

static int undo_link(enum journal_kind kind, const char *argument, void *arg, struct error *err)
{
	return kind == JOURNAL_LINK ? network_undo_link(argument, err) : error_set(err, EINVAL, "not ours to undo: %s", argument);
}

/* The one who starts it: tells when it is begun and, if it lives that long, that it runs. */
static void starter(const struct container_options *options, int tell)
{
	struct container container = CONTAINER_NONE;
	struct container_plan *plan;

	if (container_prepare(options, &plan, NULL) < 0 || write(tell, "b", 1) != 1 ||
	    container_start(plan, "c-1", (const int[]){-1, -1, -1}, 0, &container, NULL) < 0 || write(tell, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* Kills it `delay_us` after the begin; < 0: once the container runs. */
static void kill_starter(long delay_us)
{
	static const char *const argv[] = {"/busybox", "sleep", "1000", NULL};
	struct container_options options = linked(CONTAINER_AUTO);
	const char *path = scratch_path(&scratch, "w0.journal");
	struct error err = {0};
	int pair[2];
	char byte;

	options.argv = argv;
	cr_assert_eq(journal_open(path, &options.journal, &err), 0, "%s", err.message);
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		starter(&options, pair[1]);
	for (int i = 0; i < (delay_us < 0 ? 2 : 1); i++)
		cr_assert_eq(read(pair[0], &byte, 1), 1);
	if (delay_us > 0)
		nanosleep(&(struct timespec){.tv_nsec = delay_us * 1000}, NULL);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	end_descendants();
	cr_expect_eq(journal_undo(path, undo_link, NULL, &err), 0, "%s", err.message);
	expect_no_link_of_ours();
	journal_close(options.journal);
	unlink(path);
	close(pair[0]);
	close(pair[1]);
}

Test(runtime_link, a_killed_starter_leaves_nothing_once_its_journal_is_undone)
{
	needs_root();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	kill_starter(-1);
	for (long delay_us = 0; delay_us < 40000; delay_us += 2000)
		kill_starter(delay_us);
}

/* ---- by a carrier ---- */

/* A listener on the host's loopback, where nobody inside must arrive. */
static int listen_on_loopback(uint16_t *ret_port)
{
	struct sockaddr_in bound = address_of("127.0.0.1", 0);
	socklen_t length = sizeof(bound);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (struct sockaddr *)&bound, length) == 0 && listen(fd, 8) == 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	*ret_port = ntohs(bound.sin_port);
	return fd;
}

static void carried(bool as_root, enum container_choice userns)
{
	struct container_options options;
	struct error err = {0};
	char path[PATH_MAX], command[128];
	uint16_t port;

	if (!as_root)
		tun_for_all();
	if (network_user_support(as_root ? "slirp4netns" : NULL, path, sizeof(path), &err) < 0)
		skip(err.message);
	_cleanup_close_ int listener = listen_on_loopback(&port);
	if (!as_root)
		become_ordinary();
	options = options_here();
	options.userns = userns;
	cr_assert_eq(container_options_set(&options, "net", "user", &err), 0, "%s", err.message);
	if (container_support(&options, &err) == CONTAINER_UNSUPPORTED)
		cannot_run(err.message);
	struct container_plan *plan = plan_for(&options);
	cr_expect(strncmp(container_plan_facts(plan)->network, "tap0 by ", 8) == 0, "%s", container_plan_facts(plan)->network);
	struct speaker speaker = speaker_start(plan, "c-1");
	EXPECT_LINE(say(&speaker, "/busybox ip -o addr show dev tap0"), "inet ");
	const char *route = say(&speaker, "/busybox ip route");
	EXPECT_LINE(route, "default via ");
	char gateway[20];
	snprintf(gateway, sizeof(gateway), "%.*s", (int)strcspn(strstr(route, "via ") + 4, " "), strstr(route, "via ") + 4);
	const char *const ways[] = {"127.0.0.1", gateway};
	for (size_t i = 0; i < 2; i++) {
		snprintf(command, sizeof(command), "/busybox nc -w 2 %s %u </dev/null && echo reached", ways[i], port);
		const char *answer = say(&speaker, command);
		cr_expect_null(strstr(answer, "reached"), "the host's loopback by %s: %s", ways[i], answer);
	}
	cr_expect_eq(poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, 0), 0, "somebody came");
	pid_t carrier = network_user_pid(speaker.container.carrier);
	cr_expect_eq(kill(carrier, 0), 0);
	speaker_end(plan, &speaker);
	cr_expect(kill(carrier, 0) < 0 && errno == ESRCH, "the carrier is left");
	container_plan_free(plan);
}

/* Not in a namespace of the test's own: a carrier takes the host's addresses. */
TestSuite(runtime_carrier, .init = setup, .fini = teardown, .timeout = 60);

Test(runtime_carrier, an_ordinary_user_s_container_has_a_tap)
{
	carried(false, CONTAINER_AUTO);
}

Test(runtime_carrier, root_s_container_has_a_tap)
{
	needs_root();
	carried(true, CONTAINER_ON);
	carried(true, CONTAINER_OFF);
}
