/* Taps: the link of a guest. A process that has not yet made its tap persistent takes it along when it dies; so the mark of ours comes before that, and
 * whatever a killed process leaves is known for ours. */
#include "link.h"

#include <bench/cleanup.h>

#include <base/journal.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN_DEVICE "/dev/net/tun"

/* Returns a descriptor, with which the tap goes. */
static int tap_open(const char *name, uid_t owner, struct error *err)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL};
	_cleanup_close_ int fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		int rc = error_errno(err, "open " TUN_DEVICE);

		error_hint(err, "modprobe tun");
		return rc;
	}
	memcpy(request.ifr_name, name, strlen(name) + 1);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return error_errno(err, "make tap %s", name);
	if (ioctl(fd, TUNSETOWNER, (unsigned long)owner) < 0)
		return error_errno(err, "give tap %s to user %u", name, (unsigned)owner);
	return take_fd(&fd);
}

enum { TAP_MARK, TAP_RESERVATION, TAP_NO_IPV6, TAP_LOOK };

static int tap_register(struct network *network, const char *name, int *ret_index, uint32_t *ret_address, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	uint32_t address = subnet_member(network->bridge.subnet, network->members++);
	struct netlink_link link = {0};

	netlink_begin(&batch);
	link_put_mark(&batch, name);
	link_put_reservation(&batch, name, address);
	link_put_no_ipv6_address(&batch, name);
	netlink_message(&batch, "look at the link", RTM_GETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, name);
	batch.reply = &link;
	int rc = netlink_exchange(network->socket, &batch, err);
	if (rc < 0)
		return rc;
	if (batch.results[TAP_MARK] < 0)
		return netlink_error(&batch, TAP_MARK, err);
	if (batch.results[TAP_LOOK] < 0)
		return netlink_error(&batch, TAP_LOOK, err);
	/* TAP_NO_IPV6 fails on a host without IPv6, where there is nothing to be said. */
	*ret_index = link.index;
	*ret_address = address;
	if (batch.results[TAP_RESERVATION] == -EEXIST)
		return link_reserve_address(network, name, ret_address, err);
	return batch.results[TAP_RESERVATION] < 0 ? netlink_error(&batch, TAP_RESERVATION, err) : 0;
}

int network_attach_tap(struct network *network, uid_t owner, struct network_link *ret, struct error *err)
{
	static const struct network_limits none = {0};
	char name[IFNAMSIZ];
	uint32_t address = 0;
	int index = 0;

	subnet_link_name(network->id, network->links++, name);
	int rc = journal_add(network->journal, JOURNAL_LINK, name, err);
	_cleanup_close_ int fd = rc == 0 ? tap_open(name, owner, err) : -1;
	if (fd < 0)
		return rc < 0 ? rc : fd;
	rc = tap_register(network, name, &index, &address, err);
	if (rc == 0)
		rc = link_join_bridge(network, index, &none, err);
	if (rc == 0 && ioctl(fd, TUNSETPERSIST, 1) < 0)
		rc = error_errno(err, "keep tap %s", name);
	if (rc < 0)
		return error_prefix(err, "tap on %s", network->bridge.name), rc;
	link_describe(network, name, address, ret);
	return 0;
}
