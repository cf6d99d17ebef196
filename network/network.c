#include "network.h"

#include "link.h"
#include "netns.h"

#include <bench/cleanup.h>

#include <base/journal.h>

#include <errno.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int adopt(struct network *network, const char *name, const struct subnet *subnet, struct error *err)
{
	int rc = bridge_adopt(network->socket, name, subnet, &network->bridge, err);

	/* We may become its last user. Not before it is known to be ours: the journal never names a stranger's. */
	return rc < 0 ? rc : journal_add(network->journal, JOURNAL_LINK, name, err);
}

/* A bridge without a living user was left by a process that was killed: it goes, with its links, and its addresses are free again. */
static int get_bridge(struct network *network, const char *name, const struct subnet *subnet, bool alone, struct error *err)
{
	int rc = alone ? bridge_remove(network->socket, name, err) : adopt(network, name, subnet, err);

	if (alone ? rc < 0 : rc != -ENODEV)
		return rc;
	rc = journal_add(network->journal, JOURNAL_LINK, name, err);
	return rc < 0 ? rc : bridge_create(network->socket, name, subnet, &network->bridge, err);
}

static int join(struct network *network, const char *name, const struct subnet *subnet, struct error *err)
{
	bool alone;
	int rc = share_enter(name, &network->share, &alone, err);

	if (rc < 0)
		return rc;
	rc = get_bridge(network, name, subnet, alone, err);
	if (rc == 0)
		rc = share_hold(&network->share, err);
	if (rc < 0)
		share_leave(&network->share, alone);
	return rc;
}

static int check_options(const struct network_options *options, struct subnet *ret_subnet, struct error *err)
{
	if (options->bridge && !subnet_name_is_valid(options->bridge)) {
		error_set(err, EINVAL, "'%s' cannot be the name of a bridge", options->bridge);
		return error_hint(err, "at most 15 characters, no blank, '/', ':' or '%%'");
	}
	return options->subnet ? subnet_parse(options->subnet, ret_subnet, err) : 0;
}

int network_open(const struct network_options *options, struct network **ret, struct error *err)
{
	_cleanup_free_ struct network *network = calloc(1, sizeof(*network));
	char name[IFNAMSIZ], address[SUBNET_TEXT];
	struct subnet subnet;
	int rc = check_options(options, &subnet, err);

	if (rc < 0)
		return rc;
	if (!network)
		return error_set(err, ENOMEM, "network: out of memory");
	if (getrandom(&network->id, sizeof(network->id), 0) != sizeof(network->id))
		return error_errno(err, "random name");
	network->share = SHARE_NONE;
	network->journal = options->journal;
	rc = netlink_open(&network->socket, err);
	if (rc < 0)
		return rc;
	subnet_bridge_name(network->id, name);
	rc = join(network, options->bridge ? options->bridge : name, options->subnet ? &subnet : NULL, err);
	if (rc < 0) {
		netlink_close(&network->socket);
		return rc;
	}
	struct subnet chosen = network->bridge.subnet;
	snprintf(network->subnet, sizeof(network->subnet), "%s/%d", subnet_address_text(chosen.base, address), chosen.prefix);
	*ret = take_ptr(network);
	return 0;
}

void network_close(struct network *network)
{
	bool alone = false;

	if (!network)
		return;
	/* What cannot be removed here stays in the journal. */
	if (share_reenter(&network->share, &alone, NULL) == 0 && alone)
		bridge_remove(network->socket, network->bridge.name, NULL);
	share_leave(&network->share, alone);
	netlink_close(&network->socket);
	free(network);
}

const char *network_bridge(const struct network *network)
{
	return network->bridge.name;
}

const char *network_subnet(const struct network *network)
{
	return network->subnet;
}

static int undo_bridge(struct nl_sock *socket, const char *name, struct error *err)
{
	struct share share = SHARE_NONE;
	bool alone;
	int rc = share_enter(name, &share, &alone, err);

	if (rc < 0)
		return rc;
	if (alone)
		rc = bridge_remove(socket, name, err);
	share_leave(&share, alone);
	return rc;
}

int network_undo_link(const char *name, struct error *err)
{
	_cleanup_(netlink_close) struct nl_sock *socket = NULL;
	struct netlink_link link;
	int rc = netlink_open(&socket, err);

	if (rc < 0)
		return rc;
	if (!subnet_name_is_valid(name))
		return error_set(err, EINVAL, "'%s' cannot be the name of a link", name);
	rc = netlink_link_get(socket, name, &link, err);
	if (rc < 0)
		return rc == -ENODEV ? 0 : rc;
	/* Links are made and marked by one system call: one without the mark came after ours was gone. */
	if (!netlink_link_is_ours(&link))
		return 0;
	return strcmp(link.kind, "bridge") == 0 ? undo_bridge(socket, name, err) : netlink_link_delete(socket, name, err);
}

/* ---- can links be made here? ---- */

static void put_link(struct netlink_batch *batch, const char *what, const char *name, const char *kind)
{
	netlink_message(batch, what, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, name);
	struct nlattr *info = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_text(batch, IFLA_INFO_KIND, kind);
	netlink_nest_end(batch, info);
}

static int try_links(void *arg, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	_cleanup_(netlink_close) struct nl_sock *socket = NULL;
	int rc = netlink_open(&socket, err);

	if (rc < 0)
		return rc;
	netlink_begin(&batch);
	put_link(&batch, "make a bridge", "bench0", "bridge");
	put_link(&batch, "make a pair of links", "bench1", "veth");
	return netlink_run(socket, &batch, err);
}

/* Rights are looked at before the link is looked for: without them the answer is EPERM, with them that there is no such link. */
static int check_rights(struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	_cleanup_(netlink_close) struct nl_sock *socket = NULL;
	int rc = netlink_open(&socket, err);

	if (rc < 0)
		return rc;
	netlink_begin(&batch);
	netlink_message(&batch, "change links of this host", RTM_SETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, "bench-no-such");
	rc = netlink_exchange(socket, &batch, err);
	if (rc < 0 || batch.results[0] != -EPERM)
		return rc;
	netlink_error(&batch, 0, err);
	return error_hint(err, "run as root (CAP_NET_ADMIN over the network namespace of the host)");
}

int network_support(struct error *err)
{
	int rc = check_rights(err);

	if (rc < 0)
		return rc;
	/* What the kernel has is tried where nothing of the host can be touched, and goes by itself. */
	rc = netns_try(try_links, NULL, err);
	if (rc == -EOPNOTSUPP)
		error_hint(err, "this kernel lacks bridge or veth (CONFIG_BRIDGE, CONFIG_VETH)");
	return rc;
}
