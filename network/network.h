/* Links of containers and guests: a bridge of our own with an address of the host on it, veth pairs, for guests taps, and their rates.
 *
 * By libnl-route alone; needs CAP_NET_ADMIN over the host's network namespace. No NAT, no forwarding, no firewall rule, no sysctl of the host is
 * touched: the host and the members of a bridge reach each other, and nobody else. Every link is named in the journal before it is made
 * (JOURNAL_LINK, by name); network_undo_link() is the handler that undoes it. Prints nothing.
 *
 * network_open once, network_attach (or network_attach_tap) a start, network_detach a stop, network_close at the end. A network belongs to the network namespace in which it was
 * opened and is used by one thread at a time. docs/network.md says what holds and why; the network of an ordinary user is user.h. */
#pragma once

#include <bench/error.h>

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct journal;

struct network_options {
	const char *bridge; /* name of the bridge (at most 15 characters); NULL: one of our own, "bench<8 hex>" */
	const char *subnet; /* IPv4 in CIDR form; NULL: the first /16 of 10.88.0.0 … 10.127.0.0 that no route or link of the host uses */
	struct journal *journal;
};

/* An open network: one bridge, a netlink socket, the addresses that are in use. Opaque. A bridge that exists and bears the mark of ours is
 * shared by several processes (share.h): the last one removes it, and what a killed one left is removed by the next that opens it. */
struct network;

/* Makes the bridge or joins it. -EEXIST: the name is taken by a link that is not ours; -EADDRINUSE, -EADDRNOTAVAIL: subnet; -EPERM: rights. */
int network_open(const struct network_options *options, struct network **ret, struct error *err);

/* Leaves the bridge; the last user removes it with all links of ours that are on it. NULL is fine. */
void network_close(struct network *network);
const char *network_bridge(const struct network *network);

/* Its subnet as text, "10.88.0.0/16". Valid as long as the network. */
const char *network_subnet(const struct network *network);

/* Egress and ingress limits of one link; 0: not limited. */
struct network_limits {
	int64_t rate_bytes;  /* per second, both ways: token buckets (tc tbf), on the host's end and on the one inside. At least 1000 */
	int64_t burst_bytes; /* 0: 10 ms of the rate, at least 16 KiB */
	int priority;        /* 1 … 7, skb priority of what the container sends, set where it comes in (tc clsact, bpf); 0: none */
};

struct network_link {
	char host_name[IFNAMSIZ]; /* on the bridge */
	char name[IFNAMSIZ];      /* inside: eth0 */
	char address[20];         /* "10.88.0.2" */
	int prefix;
	char gateway[20]; /* the host's address on the bridge */
	unsigned char mac[6];
};
#define NETWORK_LINK_NONE ((struct network_link){0})

/* Makes a veth pair: one end on the bridge and up, the other end inside the network namespace behind `netns_fd`, named eth0, with address, up
 * and a default route to the host. Takes an address of the subnet. `netns_fd` may belong to another user namespace; it is not kept. `limits` NULL:
 * none. On failure nothing is left: -EEXIST when there is an eth0, -EXFULL when the bridge has its 1,023 links, -EADDRNOTAVAIL when the subnet is full.
 * lo is left alone. */
int network_attach(struct network *network, int netns_fd, const struct network_limits *limits, struct network_link *ret, struct error *err);

/* Makes a tap for a guest: on the bridge and up, persistent, for the user `owner` (of the host) to open by its name, without vnet header or queues set.
 * The guest has to take address, hardware address and route as *ret says. Needs /dev/net/tun. On failure nothing is left. network_detach() removes it,
 * once nobody has it open. What a guest sends is not limited. */
int network_attach_tap(struct network *network, uid_t owner, struct network_link *ret, struct error *err);

/* Removes the link (a namespace that ended has done so already) and gives the address back. Idempotent. Deleting a link that is
 * still there takes the kernel tens of milliseconds. */
int network_detach(struct network *network, struct network_link *link, struct error *err);

struct network_counters {
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets, rx_dropped, tx_dropped; /* as the container sees it */
};
int network_counters_read(struct network *network, const struct network_link *link, struct network_counters *ret, struct error *err);

/* Undoes one JOURNAL_LINK line: deletes the link of that name if it bears our mark. 0 when it is gone; also when the name is somebody else's by now, and
 * for a bridge that living processes use (the last of them removes it). */
int network_undo_link(const char *name, struct error *err);

/* Can links be made here? 0, or the reason with a remedy. */
int network_support(struct error *err);
