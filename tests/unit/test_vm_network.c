/* Who reaches whom: host, guests and a container on one bridge; and a guest with QEMU's own carrier. */
#include "vm_talk.h"

#include <network/network.h>
#include <poll.h>
#include <runtime/container.h>
#include <runtime/rootfs.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { PORT = 7000 };

static void prepare_linked(struct scene *s, enum vm_network network)
{
	if (network == VM_NETWORK_BRIDGE)
		need_root_for("a tap");
	prepare(s);
	s->options.network = network;
}

/* A child of the scene's child echoes on the host, as agents do in guests. */
static pid_t echo_on_host(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 8) < 0) {
		fail("listen on the host: %s", strerror(errno));
		close(fd);
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			const struct timeval patience = {.tv_sec = 20};
			char block[256];
			int peer = accept(fd, NULL, NULL);
			ssize_t got;

			setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
			while (peer >= 0 && (got = read(peer, block, sizeof(block))) > 0)
				if (write(peer, block, (size_t)got) != got)
					break;
			close(peer);
		}
	}
	close(fd);
	return pid;
}

static void stop_echo(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool host_reaches(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	const struct timeval patience = {.tv_sec = 5};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char back[6] = "";

	inet_pton(AF_INET, address, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && send(fd, "there", 5, MSG_NOSIGNAL) == 5 &&
	       recv(fd, back, 5, MSG_WAITALL) == 5 && strcmp(back, "there") == 0;
}

static void expect_reached(const struct vm *vm, const char *address)
{
	char request[64];

	snprintf(request, sizeof(request), "connect %s %d", address, PORT);
	expect(vm, request, "reached");
}

static const char *gateway_of(const char *address)
{
	static char gateway[20];
	int dots = 0;
	size_t i = 0;

	for (; address[i] && dots < 3; i++)
		dots += (gateway[i] = address[i]) == '.';
	strcpy(gateway + i, "1");
	return gateway;
}

static size_t count_links(void)
{
	struct if_nameindex *links = if_nameindex();
	size_t n = 0;

	while (links && links[n].if_index)
		n++;
	if_freenameindex(links);
	return n;
}

/* The process that uses libvirt is confined: it reaches nobody by TCP and sends no signals. Another one is the host's side: it echoes, and connects to the
 * addresses that it is told, until its stream ends. */
static pid_t host_side(int *ret_fd)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		char address[64];

		close(pair[0]);
		pid_t echo = echo_on_host();
		while (line_read(pair[1], in_ms(READY_MS), address, sizeof(address)))
			dprintf(pair[1], "%s\n", host_reaches(address) ? "reached" : "not reached");
		stop_echo(echo);
		_exit(0);
	}
	close(pair[1]);
	*ret_fd = pair[0];
	return pid;
}

static void act_two_guests(struct scene *s)
{
	int fd = -1;
	pid_t side = host_side(&fd);
	struct vm_host *host = open_host(s);
	struct vm *a = begin(host, "a"), *b = begin(host, "b");
	char listen_line[32], answer[32] = "";

	snprintf(listen_line, sizeof(listen_line), "listen %d", PORT);
	if (a && b) {
		expect(a, listen_line, "listening");
		check(strcmp(vm_view(a)->address, vm_view(b)->address) != 0, "two guests with one address");
		dprintf(fd, "%s\n", vm_view(a)->address);
		check(line_read(fd, in_ms(READY_MS), answer, sizeof(answer)) && strcmp(answer, "reached") == 0,
		      "the host does not reach guest %s", vm_view(a)->address);
		expect_reached(b, vm_view(a)->address);
		expect_reached(a, gateway_of(vm_view(a)->address));
		check(strstr(vm_host_facts(host)->network, "bridge"), "network: %s", vm_host_facts(host)->network);
	}
	if (a)
		end(a);
	if (b)
		end(b);
	vm_host_close(host);
	close(fd);
	waitpid(side, NULL, 0);
}

static void play_linked(const char *machine)
{
	struct scene s;

	prepare_linked(&s, VM_NETWORK_BRIDGE);
	s.options.machine = machine;

	size_t n_before = count_links();

	play(&s, act_two_guests);
	/* The kernel takes links apart behind everybody's back, those of an earlier test as well. */
	for (int i = 0; i < 100 && count_links() > n_before; i++)
		poll(NULL, 0, 50);
	cr_assert_leq(count_links(), n_before, "links are left");
}

Test(vm_network, host_and_guests_reach_each_other)
{
	play_linked("q35");
}

Test(vm_network, the_same_without_pci)
{
	play_linked("microvm");
}

/* ---- a container beside a guest ---- */

struct member {
	struct container_plan *plan;
	struct container container;
	int fd;
};

/* Before root is left. */
static bool open_container(struct scene *s, const char *bridge, const char *rootfs, struct member *ret)
{
	static const char *const argv[] = {"/agent", NULL};
	struct container_options options = container_options_default();
	struct error err = {0};
	int pair[2];

	*ret = (struct member){.container = CONTAINER_NONE, .fd = -1};
	options.network = CONTAINER_NETWORK_BRIDGE;
	options.bridge = bridge;
	options.rootfs = rootfs;
	options.root_is_program = true;
	options.argv = argv;
	options.cgroup = CONTAINER_OFF;
	if (runtime_rootfs_prepare(rootfs, BENCH_AGENT, &err) < 0 || container_prepare(&options, &ret->plan, &err) < 0 ||
	    container_plan_open(ret->plan, &err) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		fail("container: %s", err.message);
		return false;
	}
	const int stdio[3] = {pair[1], pair[1], -1};
	int rc = container_start(ret->plan, "beside", stdio, 20000, &ret->container, &err);
	ret->fd = pair[0];
	close(pair[1]);
	check(rc == 0, "container: %s", err.message);
	return rc == 0;
}

static void close_container(struct member *member, const char *rootfs)
{
	struct error err = {0};

	if (member->plan)
		check(container_stop(member->plan, &member->container, &err) == 0, "stop the container: %s", err.message);
	if (member->fd >= 0)
		close(member->fd);
	container_plan_free(member->plan);
	dir_remove(rootfs, NULL);
}

/* A process of its own has the container, for the one that uses libvirt gives up root. It tells the container's address, and passes requests on. */
static void keep_container(struct scene *s, const char *bridge, int fd)
{
	char rootfs[128], line[256];
	struct member member;

	snprintf(rootfs, sizeof(rootfs), "%s/rootfs", s->run_dir);
	if (open_container(s, bridge, rootfs, &member) && line_read(member.fd, in_ms(READY_MS), line, sizeof(line))) {
		dprintf(member.fd, "listen %d\n", PORT);
		check(line_read(member.fd, in_ms(READY_MS), line, sizeof(line)) && strcmp(line, "listening") == 0, "container: '%s'", line);
		dprintf(fd, "%s\n", member.container.link.address);
		while (line_read(fd, in_ms(READY_MS), line, sizeof(line))) {
			dprintf(member.fd, "%s\n", line);
			if (!line_read(member.fd, in_ms(READY_MS), line, sizeof(line)))
				strcpy(line, "silence");
			dprintf(fd, "%s\n", line);
		}
	}
	close_container(&member, rootfs);
}

static void exchange_with(struct vm *vm, int keeper)
{
	char address[64] = "", line[256] = "", request[64];

	check(line_read(keeper, in_ms(READY_MS), address, sizeof(address)), "the container has no address");
	snprintf(request, sizeof(request), "listen %d", PORT);
	expect(vm, request, "listening");
	expect_reached(vm, address);
	dprintf(keeper, "connect %s %d\n", vm_view(vm)->address, PORT);
	check(line_read(keeper, in_ms(READY_MS), line, sizeof(line)) && strcmp(line, "reached") == 0, "the container to the guest: '%s'",
	      line);
}

static void act_container(struct scene *s)
{
	char bridge[IFNAMSIZ];
	int pair[2];

	snprintf(bridge, sizeof(bridge), "bt%d", (int)getpid());
	s->options.bridge = bridge;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	pid_t keeper = fork();
	if (keeper == 0) {
		close(pair[0]);
		keep_container(s, bridge, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "guest");
	if (vm) {
		exchange_with(vm, pair[0]);
		end(vm);
	}
	vm_host_close(host);
	close(pair[0]);
	waitpid(keeper, NULL, 0);
}

Test(vm_network, a_container_and_a_guest_on_one_bridge)
{
	struct scene s;

	prepare_linked(&s, VM_NETWORK_BRIDGE);
	play(&s, act_container);
}

/* ---- QEMU's own carrier ---- */

static void act_user(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "user");

	if (vm) {
		/* Its gateway is QEMU, which lets a connection through to the host's loopback: nobody listens there on this port. The refusal is an answer. */
		expect(vm, "connect 10.0.2.2 9", "error connect: Connection refused");
		check(strcmp(vm_view(vm)->address, "10.0.2.15") == 0, "address %s", vm_view(vm)->address);
		end(vm);
	}
	vm_host_close(host);
}

Test(vm_network, the_carrier_of_qemu_comes_up)
{
	struct scene s;

	prepare_linked(&s, VM_NETWORK_USER);
	play(&s, act_user);
}

static void act_none(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "none");

	if (vm) {
		expect(vm, "connect 10.0.2.2 9", "error connect: Network unreachable");
		end(vm);
	}
	vm_host_close(host);
}

Test(vm_network, without_one_there_is_nothing_to_reach)
{
	struct scene s;

	prepare_linked(&s, VM_NETWORK_NONE);
	play(&s, act_none);
}
