#include "bridge.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netlink/route/addr.h>
#include <netlink/route/route.h>
#include <string.h>

/* ---- what the host uses ---- */

struct used {
	struct subnet *list;
	size_t count, room;
	bool failed;
};

static void used_free(struct used *used)
{
	free(used->list);
}

static void used_add(struct used *used, struct nl_addr *address)
{
	uint32_t base;

	/* The default route covers everything and uses nothing. */
	if (!address || nl_addr_get_family(address) != AF_INET || nl_addr_get_len(address) != sizeof(base) ||
	    nl_addr_get_prefixlen(address) == 0)
		return;
	if (used->count == used->room) {
		size_t room = used->room ? used->room * 2 : 64;
		struct subnet *list = reallocarray(used->list, room, sizeof(*list));

		if (!list) {
			used->failed = true;
			return;
		}
		used->list = list;
		used->room = room;
	}
	memcpy(&base, nl_addr_get_binary_addr(address), sizeof(base));
	used->list[used->count++] = (struct subnet){ntohl(base), (int)nl_addr_get_prefixlen(address)};
}

static void add_route(struct nl_object *object, void *arg)
{
	used_add(arg, rtnl_route_get_dst((struct rtnl_route *)object));
}

/* Links that are down have addresses without a route. */
static void add_address(struct nl_object *object, void *arg)
{
	used_add(arg, rtnl_addr_get_local((struct rtnl_addr *)object));
}

/* Every table's routes, and every link's addresses. */
static int used_read(struct used *ret, struct error *err)
{
	_cleanup_(netlink_close) struct nl_sock *socket = NULL;
	struct nl_cache *cache;
	int rc = netlink_open(&socket, err);

	if (rc < 0)
		return rc;
	rc = rtnl_route_alloc_cache(socket, AF_INET, 0, &cache);
	if (rc < 0)
		return error_set(err, EIO, "read the routes of the host: %s", nl_geterror(rc));
	nl_cache_foreach(cache, add_route, ret);
	nl_cache_free(cache);
	rc = rtnl_addr_alloc_cache(socket, &cache);
	if (rc < 0)
		return error_set(err, EIO, "read the addresses of the host: %s", nl_geterror(rc));
	nl_cache_foreach(cache, add_address, ret);
	nl_cache_free(cache);
	return ret->failed ? error_set(err, ENOMEM, "routes of the host: out of memory") : 0;
}

static int choose_subnet(const struct subnet *wish, struct subnet *ret, struct error *err)
{
	_cleanup_(used_free) struct used used = {0};
	int rc = used_read(&used, err);

	if (rc < 0)
		return rc;
	if (!wish)
		return subnet_choose(used.list, used.count, ret, err);
	for (size_t i = 0; i < used.count; i++) {
		char wished[SUBNET_TEXT], there[SUBNET_TEXT];

		if (!subnet_overlaps(*wish, used.list[i]))
			continue;
		error_set(err, EADDRINUSE, "subnet %s/%d overlaps %s/%d, which this host uses", subnet_address_text(wish->base, wished),
			  wish->prefix, subnet_address_text(used.list[i].base, there), used.list[i].prefix);
		return error_hint(err, "name another subnet, or none: then a free one is chosen");
	}
	*ret = *wish;
	return 0;
}

/* ---- make, adopt, remove ---- */

static int make_link(struct nl_sock *socket, struct bridge *bridge, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	struct netlink_link link = {0};
	unsigned char mac[SUBNET_MAC];

	/* With a hardware address of its own the bridge keeps it; else it changes with the ports that come and go. */
	subnet_mac(subnet_gateway(bridge->subnet), mac);
	netlink_begin(&batch);
	netlink_message(&batch, "make the bridge", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &(struct ifinfomsg){0},
			sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, bridge->name);
	netlink_put_u32(&batch, IFLA_GROUP, NETLINK_GROUP);
	netlink_put(&batch, IFLA_ADDRESS, mac, sizeof(mac));
	struct nlattr *info = netlink_nest(&batch, IFLA_LINKINFO);
	netlink_put_text(&batch, IFLA_INFO_KIND, "bridge");
	netlink_nest_end(&batch, info);
	/* The mark belongs to the same system call: who is killed after it leaves a bridge that is known for ours. */
	netlink_message(&batch, "mark the bridge", RTM_SETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, bridge->name);
	netlink_put_text(&batch, IFLA_IFALIAS, NETLINK_MARK);
	netlink_message(&batch, "look at the bridge", RTM_GETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, bridge->name);
	batch.reply = &link;
	int rc = netlink_run(socket, &batch, err);
	bridge->index = link.index;
	return rc;
}

/* The host would take addresses, routes and resolvers from any member that says it is a router. While the bridge is down: nothing is heard before. */
static int silence_ipv6(const struct bridge *bridge, struct error *err)
{
	char path[PATH_MAX];
	int64_t disabled = 0;
	int rc = path_format(path, sizeof(path), err, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", bridge->name);

	if (rc < 0)
		return rc;
	if (file_read_int("", path, &disabled, NULL) == -ENOENT || disabled == 1)
		return 0; /* a kernel without IPv6, or a host */
	return file_write_kernel(path, "1", err);
}

static int configure_link(struct nl_sock *socket, const struct bridge *bridge, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	uint32_t address = htonl(subnet_gateway(bridge->subnet));
	struct ifaddrmsg header = {
		.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)bridge->subnet.prefix, .ifa_index = (unsigned)bridge->index};
	struct ifinfomsg up = {.ifi_index = bridge->index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

	netlink_begin(&batch);
	netlink_message(&batch, "give the bridge its address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	netlink_put(&batch, IFA_LOCAL, &address, sizeof(address));
	netlink_put(&batch, IFA_ADDRESS, &address, sizeof(address));
	netlink_message(&batch, "take the bridge up", RTM_SETLINK, 0, &up, sizeof(up));
	return netlink_run(socket, &batch, err);
}

int bridge_create(struct nl_sock *socket, const char *name, const struct subnet *subnet, struct bridge *ret, struct error *err)
{
	struct bridge bridge = {0};
	int rc = choose_subnet(subnet, &bridge.subnet, err);

	if (rc < 0)
		return rc;
	memcpy(bridge.name, name, strlen(name) + 1);
	rc = make_link(socket, &bridge, err);
	if (rc == 0)
		rc = silence_ipv6(&bridge, err);
	if (rc == 0)
		rc = configure_link(socket, &bridge, err);
	if (rc < 0 && bridge.index > 0)
		netlink_link_delete(socket, name, NULL);
	if (rc < 0)
		return error_prefix(err, "bridge %s", name), rc;
	*ret = bridge;
	return 0;
}

struct address_search {
	int index;
	struct subnet found;
};

static void look_for_address(struct nl_object *object, void *arg)
{
	struct address_search *search = arg;
	struct rtnl_addr *address = (struct rtnl_addr *)object;
	struct nl_addr *local = rtnl_addr_get_local(address);
	uint32_t host;

	if (rtnl_addr_get_ifindex(address) != search->index || !local || nl_addr_get_family(local) != AF_INET || search->found.prefix)
		return;
	int prefix = rtnl_addr_get_prefixlen(address);
	memcpy(&host, nl_addr_get_binary_addr(local), sizeof(host));
	if (prefix >= 8 && prefix <= 30)
		search->found = (struct subnet){ntohl(host) & UINT32_MAX << (32 - prefix), prefix};
}

static int read_subnet(int index, struct subnet *ret, struct error *err)
{
	_cleanup_(netlink_close) struct nl_sock *socket = NULL;
	struct address_search search = {.index = index};
	struct nl_cache *cache;
	int rc = netlink_open(&socket, err);

	if (rc < 0)
		return rc;
	rc = rtnl_addr_alloc_cache(socket, &cache);
	if (rc < 0)
		return error_set(err, EIO, "read the addresses of the host: %s", nl_geterror(rc));
	nl_cache_foreach(cache, look_for_address, &search);
	nl_cache_free(cache);
	if (!search.found.prefix)
		return error_set(err, ENODATA, "it has lost its address");
	*ret = search.found;
	return 0;
}

static int check_is_ours(const struct netlink_link *link, struct error *err)
{
	if (strcmp(link->kind, "bridge") == 0 && netlink_link_is_ours(link))
		return 0;
	error_set(err, EEXIST, "link %s exists and is not a bridge of ours", link->name);
	return error_hint(err, "name another bridge, or none: then one is made with a name of its own");
}

int bridge_adopt(struct nl_sock *socket, const char *name, const struct subnet *subnet, struct bridge *ret, struct error *err)
{
	struct bridge bridge = {0};
	struct netlink_link link;
	int rc = netlink_link_get(socket, name, &link, err);

	if (rc < 0)
		return rc;
	rc = check_is_ours(&link, err);
	if (rc < 0)
		return rc;
	rc = read_subnet(link.index, &bridge.subnet, err);
	if (rc < 0)
		return error_prefix(err, "bridge %s", name), rc;
	if (subnet && (subnet->base != bridge.subnet.base || subnet->prefix != bridge.subnet.prefix)) {
		char text[SUBNET_TEXT];

		return error_set(err, EINVAL, "bridge %s is in use with another subnet: %s/%d", name,
				 subnet_address_text(bridge.subnet.base, text), bridge.subnet.prefix);
	}
	memcpy(bridge.name, name, strlen(name) + 1);
	bridge.index = link.index;
	*ret = bridge;
	return 0;
}

struct ports {
	char (*names)[IFNAMSIZ];
	size_t count;
	char foreign[IFNAMSIZ];
	bool failed;
};

static void collect_port(const struct netlink_link *link, void *arg)
{
	struct ports *ports = arg;

	if (!netlink_link_is_ours(link)) {
		memcpy(ports->foreign, link->name, sizeof(ports->foreign));
		return;
	}
	char(*names)[IFNAMSIZ] = reallocarray(ports->names, ports->count + 1, sizeof(*names));
	if (!names) {
		ports->failed = true;
		return;
	}
	memcpy(names[ports->count++], link->name, IFNAMSIZ);
	ports->names = names;
}

/* Each deletion of its own waits for the kernel (tens of milliseconds); a group of any size waits once. */
static int remove_all(struct nl_sock *socket, const char *name, const struct ports *ports, struct error *err)
{
	int rc = netlink_group_set(socket, name, NETLINK_GROUP_LEAVING, err);

	for (size_t i = 0; rc == 0 && i < ports->count; i++)
		rc = netlink_group_set(socket, ports->names[i], NETLINK_GROUP_LEAVING, err);
	return rc < 0 ? rc : netlink_group_delete(socket, NETLINK_GROUP_LEAVING, err);
}

int bridge_remove(struct nl_sock *socket, const char *name, struct error *err)
{
	struct ports ports = {0};
	struct netlink_link link;
	int rc = netlink_link_get(socket, name, &link, err);

	if (rc == -ENODEV)
		return 0;
	if (rc == 0)
		rc = check_is_ours(&link, err);
	if (rc < 0)
		return rc;
	rc = netlink_ports_each(socket, link.index, collect_port, &ports, err);
	_cleanup_free_ void *names = ports.names;
	if (rc == 0 && ports.failed)
		rc = error_set(err, ENOMEM, "out of memory");
	if (rc == 0 && ports.foreign[0])
		rc = error_set(err, EBUSY, "link %s is on it and is not ours", ports.foreign);
	if (rc == 0)
		rc = remove_all(socket, name, &ports, err);
	return rc < 0 ? (error_prefix(err, "remove bridge %s", name), rc) : 0;
}
