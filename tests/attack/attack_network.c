/* Sockets that reach past the network namespace. */
#include "attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static void no_socket(struct verdict *verdict, const char *name, int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	refused(verdict, name, fd);
	if (fd >= 0)
		close(fd);
}

void attack_raw_sockets(struct verdict *verdict)
{
	no_socket(verdict, "packet", AF_PACKET, SOCK_RAW, htons(3));
	no_socket(verdict, "raw IP", AF_INET, SOCK_RAW, IPPROTO_ICMP);
	no_socket(verdict, "raw IPv6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
	no_socket(verdict, "old packet", AF_INET, 10 /* SOCK_PACKET */, htons(3));
}

void attack_rare_sockets(struct verdict *verdict)
{
	static const struct {
		const char *name;
		int family, type;
	} kinds[] = {{"vsock", 40, SOCK_STREAM},   {"alg", 38, SOCK_SEQPACKET}, {"can", 29, SOCK_RAW},       {"rds", 21, SOCK_SEQPACKET},
		     {"tipc", 30, SOCK_SEQPACKET}, {"key", 15, SOCK_RAW},       {"xdp", 44, SOCK_RAW},       {"bluetooth", 31, SOCK_RAW},
		     {"appletalk", 5, SOCK_DGRAM}, {"smc", 43, SOCK_STREAM},    {"kcm", 41, SOCK_SEQPACKET}, {"nfc", 39, SOCK_RAW}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		no_socket(verdict, kinds[i].name, kinds[i].family, kinds[i].type, 0);
	/* The kernel takes 32 bits of the family. */
	refused(verdict, "garnished", (int)syscall(SYS_socket, 1ul << 32 | 40, SOCK_STREAM, 0));
}

void attack_abstract_socket(struct verdict *verdict)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct sockaddr_in port = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	size_t length = strlen(host_text("HOST_SOCKET"));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(name.sun_path + 1, host_text("HOST_SOCKET"), length);
	refused(verdict, "abstract socket", connect(fd, (void *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)));
	port.sin_port = htons((unsigned short)host_number("HOST_PORT"));
	refused(verdict, "loopback port", connect(inet, (void *)&port, sizeof(port)));
	close(fd);
	close(inet);
}

/* The kernel announces processes in the host's network namespace alone: a group that can be joined elsewhere stays silent. The host makes
 * a process meanwhile. */
static void no_process_events(struct verdict *verdict)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	struct {
		struct nlmsghdr header;
		unsigned idx, val, seq, ack;
		unsigned short length, flags;
		unsigned operation;
	} listen = {{.nlmsg_len = sizeof(listen), .nlmsg_type = NLMSG_DONE}, 1, 1, 0, 0, 4, 0, 1 /* PROC_CN_MCAST_LISTEN */};
	char event[256];
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR);

	if (fd < 0 || bind(fd, (void *)&address, sizeof(address)) < 0) {
		saw(verdict, "process events: %s", strerror(errno));
		return;
	}
	saw(verdict, "asking for them: %s", send(fd, &listen, sizeof(listen), 0) < 0 ? strerror(errno) : "sent");
	hold();
	refused(verdict, "process events", recv(fd, event, sizeof(event), MSG_DONTWAIT));
	close(fd);
}

static void no_bind(struct verdict *verdict, const char *what, int protocol, unsigned group)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = group};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	refused(verdict, what, fd < 0 ? -1 : bind(fd, (void *)&address, sizeof(address)));
	if (fd >= 0)
		close(fd);
}

void attack_netlink(struct verdict *verdict)
{
	struct if_nameindex *links = if_nameindex();
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (struct if_nameindex *at = links; at && at->if_index; at++)
		if (strcmp(at->if_name, "lo") != 0 && strcmp(at->if_name, "eth0") != 0)
			broke(verdict, "link %s is in sight", at->if_name);
	no_bind(verdict, "audit", NETLINK_AUDIT, 1);
	no_process_events(verdict);
	ioctl(fd, SIOCGIFFLAGS, &request); /* as they are */
	refused(verdict, "set flags of lo", ioctl(fd, SIOCSIFFLAGS, &request));
	close(fd);
}
