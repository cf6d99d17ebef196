/* Taps of guests, in a namespace in the place of the host's: the test plays QEMU. */
#include "network_fixture.h"

#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <stdio.h>
#include <sys/stat.h>

static struct network_link attach_tap(struct network *network, uid_t owner)
{
	struct network_link link = NETWORK_LINK_NONE;
	struct error err = {0};

	cr_assert_eq(network_attach_tap(network, owner, &link, &err), 0, "%s", err.message);
	return link;
}

static int plug(const struct network_link *link)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	strcpy(request.ifr_name, link->host_name);
	if (ioctl(fd, TUNSETIFF, &request) == 0)
		return fd;
	int rc = -errno;
	close(fd);
	return rc;
}

/* Asks by ARP, as a guest with this link would, who has its gateway. */
static void send_question(int fd, const struct network_link *link)
{
	struct {
		struct ethhdr ethernet;
		struct ether_arp arp;
	} __attribute__((packed)) frame = {.ethernet.h_proto = htons(ETH_P_ARP)};

	memset(frame.ethernet.h_dest, 0xff, ETH_ALEN);
	memcpy(frame.ethernet.h_source, link->mac, ETH_ALEN);
	frame.arp.ea_hdr = (struct arphdr){
		.ar_hrd = htons(ARPHRD_ETHER), .ar_pro = htons(ETH_P_IP), .ar_hln = ETH_ALEN, .ar_pln = 4, .ar_op = htons(ARPOP_REQUEST)};
	memcpy(frame.arp.arp_sha, link->mac, ETH_ALEN);
	inet_pton(AF_INET, link->address, frame.arp.arp_spa);
	inet_pton(AF_INET, link->gateway, frame.arp.arp_tpa);
	cr_assert_eq(write(fd, &frame, sizeof(frame)), sizeof(frame), "%s", strerror(errno));
}

static bool hears_answer(int fd, const struct network_link *link, int timeout_ms)
{
	unsigned char frame[2048];
	struct ether_arp arp;
	char from[20];

	for (int i = 0; i < 50; i++) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};

		if (poll(&readable, 1, timeout_ms) != 1)
			return false;
		ssize_t got = read(fd, frame, sizeof(frame));
		if (got < (ssize_t)(sizeof(struct ethhdr) + sizeof(arp)) || frame[12] != ETH_P_ARP >> 8 || frame[13] != (ETH_P_ARP & 255))
			continue;
		memcpy(&arp, frame + sizeof(struct ethhdr), sizeof(arp));
		inet_ntop(AF_INET, arp.arp_spa, from, sizeof(from));
		if (ntohs(arp.ea_hdr.ar_op) == ARPOP_REPLY && strcmp(from, link->gateway) == 0)
			return true;
	}
	return false;
}

/* Asked again: a port carries a moment after it was plugged, when a worker of the kernel has got round to it. */
static bool finds_gateway(int fd, const struct network_link *link)
{
	for (int i = 0; i < 100; i++) {
		send_question(fd, link);
		if (hears_answer(fd, link, 200))
			return true;
	}
	return false;
}

Test(network_tap, a_guest_on_it_finds_the_host)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	struct network_link link = attach_tap(network, geteuid());
	struct error err = {0};
	int fd = plug(&link);

	cr_assert_geq(fd, 0, "plug: %s", strerror(-fd));
	cr_assert_eq(plug(&link), -EBUSY, "two guests on one tap");
	cr_assert(finds_gateway(fd, &link), "nobody answers");
	close(fd);
	cr_assert(link_exists(link.host_name), "it went with its guest");
	cr_assert_eq(network_detach(network, &link, &err), 0, "%s", err.message);
	cr_assert_eq(link.host_name[0], '\0');
	network_close(network);
}

struct advertisement {
	struct ethhdr ethernet;
	struct ip6_hdr ip;
	struct nd_router_advert router;
	struct nd_opt_prefix_info prefix;
} __attribute__((packed));

/* One's complement over what follows the IP header, and over its pseudo header. */
static uint16_t icmp6_checksum(const struct advertisement *a)
{
	const unsigned char *bytes = (const unsigned char *)&a->ip.ip6_src, *end = (const unsigned char *)(a + 1);
	uint32_t sum = (uint32_t)ntohs(a->ip.ip6_plen) + IPPROTO_ICMPV6;

	for (; bytes < end; bytes += 2)
		sum += (uint32_t)bytes[0] << 8 | bytes[1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* "I am your router, and this is your prefix", to all on the link. */
static void send_advertisement(int fd, const struct network_link *link)
{
	struct advertisement a = {.ethernet.h_proto = htons(ETH_P_IPV6), .ethernet.h_dest = {0x33, 0x33, 0, 0, 0, 1}};

	memcpy(a.ethernet.h_source, link->mac, ETH_ALEN);
	a.ip = (struct ip6_hdr){.ip6_flow = htonl(0x60000000),
				.ip6_plen = htons(sizeof(a.router) + sizeof(a.prefix)),
				.ip6_nxt = IPPROTO_ICMPV6,
				.ip6_hlim = 255};
	inet_pton(AF_INET6, "fe80::d00d:f00d", &a.ip.ip6_src);
	inet_pton(AF_INET6, "ff02::1", &a.ip.ip6_dst);
	a.router.nd_ra_type = ND_ROUTER_ADVERT;
	a.router.nd_ra_curhoplimit = 64;
	a.router.nd_ra_router_lifetime = htons(1800);
	a.prefix = (struct nd_opt_prefix_info){.nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION,
					       .nd_opt_pi_len = 4,
					       .nd_opt_pi_prefix_len = 64,
					       .nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO,
					       .nd_opt_pi_valid_time = htonl(86400),
					       .nd_opt_pi_preferred_time = htonl(14400)};
	inet_pton(AF_INET6, "2001:db8:beef::", &a.prefix.nd_opt_pi_prefix);
	a.router.nd_ra_cksum = icmp6_checksum(&a);
	cr_assert_eq(write(fd, &a, sizeof(a)), sizeof(a), "%s", strerror(errno));
}

/* Does a file of the kernel's about IPv6 name the link? */
static bool names_link(const char *file, const char *name)
{
	char text[16384];

	return file_read("", file, text, sizeof(text), NULL) > 0 && strstr(text, name);
}

Test(network_tap, a_guest_that_says_it_is_a_router_is_not_believed)
{
	if (access("/proc/net/if_inet6", R_OK) < 0)
		cr_skip_test("this kernel has no IPv6");
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	struct network_link link = attach_tap(network, geteuid());
	_cleanup_close_ int fd = plug(&link);

	cr_assert_geq(fd, 0, "plug: %s", strerror(-fd));
	cr_assert(finds_gateway(fd, &link), "nobody answers");
	/* Frames are taken in order: who answers the question has seen the advertisement. */
	send_advertisement(fd, &link);
	cr_assert(finds_gateway(fd, &link), "nobody answers");
	cr_assert_not(names_link("/proc/net/ipv6_route", network_bridge(network)), "the host has a route of IPv6 over the bridge");
	cr_assert_not(names_link("/proc/net/if_inet6", network_bridge(network)), "the bridge has an address of IPv6");
	network_close(network);
}

Test(network_tap, each_has_an_address_of_its_own_also_beside_containers)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){.bridge = "shared0"});
	struct network *other = network_make(&(struct network_options){.bridge = "shared0"});
	_cleanup_close_ int member = member_make();
	struct network_link container = attach(network, member, NULL), a = attach_tap(other, 0), b = attach_tap(other, 0);

	cr_assert_str_neq(container.address, a.address);
	cr_assert_str_neq(a.address, b.address);
	cr_assert_str_eq(container.gateway, a.gateway);
	network_close(other);
	network_close(network);
	cr_assert(!link_exists(a.host_name) && !link_exists(b.host_name), "closing leaves a tap");
}

static int as_user(uid_t uid, const struct network_link *link)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
			_exit(99);
		int fd = plug(link);
		_exit(fd < 0 ? -fd : 0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(network_tap, its_owner_alone_may_open_it)
{
	struct stat st;

	if (stat("/dev/net/tun", &st) < 0 || (st.st_mode & 06) != 06)
		cr_skip_test("/dev/net/tun is closed to other users here");
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	struct network_link link = attach_tap(network, 54321);

	cr_assert_eq(as_user(54321, &link), 0);
	cr_assert_eq(as_user(54322, &link), EPERM);
	network_close(network);
}

Test(network_tap, the_journal_names_it_and_undoes_it_with_a_guest_on_it)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct network *network = network_make(&(struct network_options){0});
	struct network_link link = attach_tap(network, geteuid());
	struct error err = {0};
	_cleanup_close_ int fd = plug(&link);

	cr_assert_geq(fd, 0);
	cr_assert_eq(network_undo_link(link.host_name, &err), 0, "%s", err.message);
	cr_assert(!link_exists(link.host_name));
	cr_assert_eq(network_detach(network, &link, &err), 0, "gone already: %s", err.message);
	network_close(network);
}
