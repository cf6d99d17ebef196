#include "link.h"

#include "limit.h"
#include "netns.h"

#include <bench/cleanup.h>

#include <base/journal.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

/* ---- the pair ---- */

static void put_veth(struct netlink_batch *batch, const char *name, int netns_fd)
{
	struct ifinfomsg peer = {0};

	netlink_message(batch, "make a pair of links", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &(struct ifinfomsg){0},
			sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, name);
	netlink_put_u32(batch, IFLA_GROUP, NETLINK_GROUP);
	struct nlattr *info = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_text(batch, IFLA_INFO_KIND, "veth");
	struct nlattr *data = netlink_nest(batch, IFLA_INFO_DATA);
	struct nlattr *other = netlink_nest(batch, VETH_INFO_PEER);
	if (!batch->failed && nlmsg_append(batch->messages[batch->count - 1], &peer, sizeof(peer), NLMSG_ALIGNTO) < 0)
		batch->failed = true;
	netlink_put_text(batch, IFLA_IFNAME, LINK_INSIDE);
	netlink_put_u32(batch, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	netlink_nest_end(batch, other);
	netlink_nest_end(batch, data);
	netlink_nest_end(batch, info);
}

void link_put_reservation(struct netlink_batch *batch, const char *name, uint32_t address)
{
	char reserve[SUBNET_NAME];

	subnet_reserve_name(address, reserve);
	netlink_message(batch, "reserve an address", RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, &(struct ifinfomsg){0},
			sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, name);
	struct nlattr *list = netlink_nest(batch, IFLA_PROP_LIST | NLA_F_NESTED);
	netlink_put_text(batch, IFLA_ALT_IFNAME, reserve);
	netlink_nest_end(batch, list);
}

/* A port of a bridge needs no IPv6 address of its own: without one it does not greet every other port by multicast when it comes up. */
void link_put_no_ipv6_address(struct netlink_batch *batch, const char *name)
{
	uint8_t mode = IN6_ADDR_GEN_MODE_NONE;

	netlink_message(batch, "no IPv6 address", RTM_SETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, name);
	struct nlattr *families = netlink_nest(batch, IFLA_AF_SPEC | NLA_F_NESTED);
	struct nlattr *inet6 = netlink_nest(batch, AF_INET6 | NLA_F_NESTED);
	netlink_put(batch, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof(mode));
	netlink_nest_end(batch, inet6);
	netlink_nest_end(batch, families);
}

void link_put_mark(struct netlink_batch *batch, const char *name)
{
	netlink_message(batch, "mark the link", RTM_SETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, name);
	netlink_put_u32(batch, IFLA_GROUP, NETLINK_GROUP);
	netlink_put_text(batch, IFLA_IFALIAS, NETLINK_MARK);
}

/* Goes on from address to address until one is free: the second name of a link is the reservation, the kernel keeps it unique and drops it with the
 * link, so that nobody has to remember who had which. */
int link_reserve_address(struct network *network, const char *name, uint32_t *ret, struct error *err)
{
	uint32_t members = subnet_members(network->bridge.subnet);

	for (uint32_t tried = 0; tried < members; tried++) {
		_cleanup_(netlink_done) struct netlink_batch batch;
		uint32_t address = subnet_member(network->bridge.subnet, network->members++);

		netlink_begin(&batch);
		link_put_reservation(&batch, name, address);
		int rc = netlink_exchange(network->socket, &batch, err);
		if (rc == 0 && batch.results[0] == 0)
			*ret = address;
		if (rc == 0 && batch.results[0] == -EEXIST)
			continue;
		return rc < 0 ? rc : batch.results[0] < 0 ? netlink_error(&batch, 0, err) : 0;
	}
	error_set(err, EADDRNOTAVAIL, "all %u addresses of the subnet of bridge %s are taken", members, network->bridge.name);
	return error_hint(err, "name a larger subnet");
}

static int make_failed(const struct netlink_batch *batch, struct error *err)
{
	int rc = netlink_error(batch, 0, err);

	if (rc == -EEXIST)
		error_hint(err, "the network namespace has an " LINK_INSIDE " already");
	return rc;
}

enum { MAKE_PAIR, MAKE_RESERVATION, MAKE_MARK, MAKE_NO_IPV6, MAKE_LOOK };

/* All in one system call when the first address is free, which it is unless several processes share the bridge. */
static int make_pair(struct network *network, int netns_fd, const char *name, struct netlink_link *ret, uint32_t *ret_address,
		     struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	uint32_t address = subnet_member(network->bridge.subnet, network->members++);

	netlink_begin(&batch);
	put_veth(&batch, name, netns_fd);
	link_put_reservation(&batch, name, address);
	link_put_mark(&batch, name);
	link_put_no_ipv6_address(&batch, name);
	netlink_message(&batch, "look at the link", RTM_GETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, name);
	batch.reply = ret;
	int rc = netlink_exchange(network->socket, &batch, err);
	if (rc < 0)
		return rc;
	if (batch.results[MAKE_PAIR] < 0)
		return make_failed(&batch, err);
	if (batch.results[MAKE_MARK] < 0)
		return netlink_error(&batch, MAKE_MARK, err);
	if (batch.results[MAKE_LOOK] < 0)
		return netlink_error(&batch, MAKE_LOOK, err);
	/* MAKE_NO_IPV6 fails on a host without IPv6, where there is nothing to be said. */
	if (batch.results[MAKE_RESERVATION] == -EEXIST)
		return link_reserve_address(network, name, ret_address, err);
	if (batch.results[MAKE_RESERVATION] < 0)
		return netlink_error(&batch, MAKE_RESERVATION, err);
	*ret_address = address;
	return 0;
}

/* ---- the host's end ---- */

static int join_failed(const struct network *network, const struct netlink_batch *batch, struct error *err)
{
	unsigned last = batch->count - 1;

	for (unsigned i = 0; i < last; i++)
		if (batch->results[i] < 0)
			return netlink_error(batch, i, err);
	if (batch->results[last] != -EXFULL)
		return batch->results[last] < 0 ? netlink_error(batch, last, err) : 0;
	error_set(err, EXFULL, "bridge %s is full: the kernel lets a bridge have 1,023 links", network->bridge.name);
	return error_hint(err, "use a second bridge, or fewer containers at a time");
}

/* Limits first: nothing passes before they hold. */
int link_join_bridge(struct network *network, int index, const struct network_limits *limits, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	struct ifinfomsg up = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	_cleanup_close_ int program_fd = limits->priority ? limit_priority_load(limits->priority, err) : -1;

	if (limits->priority && program_fd < 0)
		return program_fd;
	netlink_begin(&batch);
	if (limits->rate_bytes)
		limit_put_rate(&batch, index, limits);
	if (limits->priority)
		limit_put_priority(&batch, index, program_fd);
	netlink_message(&batch, "put the link on the bridge", RTM_SETLINK, 0, &up, sizeof(up));
	netlink_put_u32(&batch, IFLA_MASTER, (uint32_t)network->bridge.index);
	int rc = netlink_exchange(network->socket, &batch, err);
	return rc < 0 ? rc : join_failed(network, &batch, err);
}

/* ---- the container's end ---- */

static void put_inside(struct netlink_batch *batch, const struct network *network, int index, uint32_t address)
{
	struct ifinfomsg up = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct ifaddrmsg header = {
		.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)network->bridge.subnet.prefix, .ifa_index = (unsigned)index};
	struct rtmsg route = {.rtm_family = AF_INET,
			      .rtm_table = RT_TABLE_MAIN,
			      .rtm_protocol = RTPROT_BOOT,
			      .rtm_scope = RT_SCOPE_UNIVERSE,
			      .rtm_type = RTN_UNICAST};
	uint32_t local = htonl(address), gateway = htonl(subnet_gateway(network->bridge.subnet));
	unsigned char mac[SUBNET_MAC];

	subnet_mac(address, mac);
	netlink_message(batch, "take up " LINK_INSIDE, RTM_SETLINK, 0, &up, sizeof(up));
	netlink_put(batch, IFLA_ADDRESS, mac, sizeof(mac));
	netlink_message(batch, "give " LINK_INSIDE " its address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	netlink_put(batch, IFA_LOCAL, &local, sizeof(local));
	netlink_put(batch, IFA_ADDRESS, &local, sizeof(local));
	netlink_message(batch, "make the default route", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof(route));
	netlink_put(batch, RTA_GATEWAY, &gateway, sizeof(gateway));
	netlink_put_u32(batch, RTA_OIF, (uint32_t)index);
}

static int configure_inside(const struct network *network, int netns_fd, int index, uint32_t address, const struct network_limits *limits,
			    struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	_cleanup_(netlink_close) struct nl_sock *socket = NULL;
	int rc = netns_socket(netns_fd, &socket, err);

	if (rc < 0)
		return rc;
	netlink_begin(&batch);
	if (limits->rate_bytes)
		limit_put_rate(&batch, index, limits);
	put_inside(&batch, network, index, address);
	return netlink_run(socket, &batch, err);
}

/* ---- attach, detach, counters ---- */

void link_describe(const struct network *network, const char *name, uint32_t address, struct network_link *ret)
{
	struct network_link link = {.name = LINK_INSIDE, .prefix = network->bridge.subnet.prefix};

	memcpy(link.host_name, name, sizeof(link.host_name));
	subnet_address_text(address, link.address);
	subnet_address_text(subnet_gateway(network->bridge.subnet), link.gateway);
	subnet_mac(address, link.mac);
	*ret = link;
}

int network_attach(struct network *network, int netns_fd, const struct network_limits *limits, struct network_link *ret, struct error *err)
{
	static const struct network_limits none = {0};
	struct netlink_link link = {0};
	char name[IFNAMSIZ];
	uint32_t address = 0;
	int rc = limits ? limit_check(limits, err) : 0;

	if (rc < 0)
		return rc;
	limits = limits ? limits : &none;
	subnet_link_name(network->id, network->links++, name);
	rc = journal_add(network->journal, JOURNAL_LINK, name, err);
	if (rc < 0)
		return rc;
	rc = make_pair(network, netns_fd, name, &link, &address, err);
	if (rc == 0)
		rc = link_join_bridge(network, link.index, limits, err);
	if (rc == 0)
		rc = configure_inside(network, netns_fd, link.peer_index, address, limits, err);
	if (rc < 0) {
		netlink_link_delete(network->socket, name, NULL);
		return error_prefix(err, "link to %s", network->bridge.name), rc;
	}
	link_describe(network, name, address, ret);
	return 0;
}

int network_detach(struct network *network, struct network_link *link, struct error *err)
{
	if (!link->host_name[0])
		return 0;
	int rc = netlink_link_delete(network->socket, link->host_name, err);
	if (rc == 0)
		*link = NETWORK_LINK_NONE;
	return rc;
}

int network_counters_read(struct network *network, const struct network_link *link, struct network_counters *ret, struct error *err)
{
	struct netlink_link found;
	int rc = netlink_link_get(network->socket, link->host_name, &found, err);

	if (rc < 0)
		return rc;
	/* What the host's end receives, the container has sent. */
	*ret = (struct network_counters){
		.rx_bytes = found.stats.tx_bytes,
		.rx_packets = found.stats.tx_packets,
		.rx_dropped = found.stats.tx_dropped,
		.tx_bytes = found.stats.rx_bytes,
		.tx_packets = found.stats.rx_packets,
		.tx_dropped = found.stats.rx_dropped,
	};
	return 0;
}
