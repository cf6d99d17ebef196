/* What an open network is, and the parts of making a link that containers and guests share. */
#pragma once

#include "bridge.h"
#include "network.h"
#include "share.h"

struct network {
	struct nl_sock *socket;
	struct bridge bridge;
	struct share share;
	struct journal *journal;
	uint32_t id;      /* random: names of links */
	uint32_t links;   /* made so far */
	uint32_t members; /* addresses tried so far */
	char subnet[SUBNET_TEXT + 4];
};

#define LINK_INSIDE "eth0" /* how a member sees its link */

/* Messages about the link `name`: its second name, which reserves an address; the mark of ours; no IPv6 address of its own. */
void link_put_reservation(struct netlink_batch *batch, const char *name, uint32_t address);
void link_put_mark(struct netlink_batch *batch, const char *name);
void link_put_no_ipv6_address(struct netlink_batch *batch, const char *name);

/* Reserves the next free address for a link that exists. */
int link_reserve_address(struct network *network, const char *name, uint32_t *ret, struct error *err);

/* Sets the limits, takes the link up and puts it on the bridge. */
int link_join_bridge(struct network *network, int index, const struct network_limits *limits, struct error *err);

/* What a member is told of its link. */
void link_describe(const struct network *network, const char *name, uint32_t address, struct network_link *ret);
