/* The bridge: made, adopted from another process of ours, removed. Its caller holds the gate (share.h). */
#pragma once

#include "netlink.h"
#include "subnet.h"

struct bridge {
	char name[IFNAMSIZ];
	int index;
	struct subnet subnet;
};

/* Makes the bridge, up, with the host's address and without IPv6. `subnet` NULL: one that is free. A subnet that overlaps a route or an address of the host is refused. */
int bridge_create(struct nl_sock *socket, const char *name, const struct subnet *subnet, struct bridge *ret, struct error *err);

/* Takes over a bridge that exists: -ENODEV (no error is set) when there is none, -EEXIST when it is not ours, -EINVAL when it has another subnet. */
int bridge_adopt(struct nl_sock *socket, const char *name, const struct subnet *subnet, struct bridge *ret, struct error *err);

/* Removes a bridge of ours with all ports of ours. One that is not there is success; one that is not ours, or has a port that is not, is refused. */
int bridge_remove(struct nl_sock *socket, const char *name, struct error *err);
