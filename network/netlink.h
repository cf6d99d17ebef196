/* rtnetlink by batches: messages are put together with libnl, sent by one system call, and each one's answer is looked at.
 *
 * netlink_begin, then for each message netlink_message and netlink_put*, then netlink_run. A failed put is remembered and told by netlink_run. The
 * kernel works a batch off in order and goes on after a message that failed. A batch is released by _cleanup_(netlink_done). */
#pragma once

#include <bench/error.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdint.h>

/* The mark of a link of ours is its alias together with its group. Links that are being removed together are in the second group. */
enum { NETLINK_BATCH = 10, NETLINK_ALIAS = 16, NETLINK_GROUP = 0x62650000, NETLINK_GROUP_LEAVING };
#define NETLINK_MARK "bench"

/* A link as the kernel describes it. */
struct netlink_link {
	int index, peer_index, master;
	uint32_t group;
	bool up;
	char name[IFNAMSIZ], alias[NETLINK_ALIAS], kind[IFNAMSIZ];
	struct rtnl_link_stats64 stats;
};

struct netlink_batch {
	struct nl_msg *messages[NETLINK_BATCH];
	const char *what[NETLINK_BATCH]; /* for the error message */
	int results[NETLINK_BATCH];      /* after netlink_run(): 0 or -errno */
	struct netlink_link *reply;      /* where the answer of an RTM_GETLINK goes */
	unsigned count, first_sequence;
	bool failed;
	char detail[96]; /* what the kernel says about the first failure, or empty */
};

/* A socket in the network namespace of the calling thread. */
int netlink_open(struct nl_sock **ret, struct error *err);
void netlink_close(struct nl_sock **socket);

void netlink_begin(struct netlink_batch *batch);
void netlink_done(struct netlink_batch *batch);

/* Appends a message with its fixed header. `what` ("make the link") must outlive the batch. An acknowledgement is asked for. */
void netlink_message(struct netlink_batch *batch, const char *what, int type, int flags, const void *header, size_t size);
void netlink_put(struct netlink_batch *batch, int attribute, const void *data, size_t size);
void netlink_put_u32(struct netlink_batch *batch, int attribute, uint32_t value);
void netlink_put_text(struct netlink_batch *batch, int attribute, const char *text);
struct nlattr *netlink_nest(struct netlink_batch *batch, int attribute);
void netlink_nest_end(struct netlink_batch *batch, struct nlattr *nest);

/* Sends all and reads every answer. Returns 0 when the exchange itself worked: then look at batch->results. */
int netlink_exchange(struct nl_sock *socket, struct netlink_batch *batch, struct error *err);

/* netlink_exchange(), and the first result that is an error becomes the error of the call. */
int netlink_run(struct nl_sock *socket, struct netlink_batch *batch, struct error *err);

/* The error of message `index`: "<what>: <text of errno> (<detail>)". */
int netlink_error(const struct netlink_batch *batch, unsigned index, struct error *err);

/* Description of the link of that name; -ENODEV (an error is set) when there is none. */
int netlink_link_get(struct nl_sock *socket, const char *name, struct netlink_link *ret, struct error *err);

/* Deletes the link of that name; one that is not there is success. */
int netlink_link_delete(struct nl_sock *socket, const char *name, struct error *err);

/* Puts a link into a group; one that is not there is success. Then deletes a whole group at once. */
int netlink_group_set(struct nl_sock *socket, const char *name, uint32_t group, struct error *err);
int netlink_group_delete(struct nl_sock *socket, uint32_t group, struct error *err);

/* Calls `visit` for each port of a bridge. */
int netlink_ports_each(struct nl_sock *socket, int bridge_index, void (*visit)(const struct netlink_link *link, void *arg), void *arg,
		       struct error *err);

/* Does it bear our mark? */
bool netlink_link_is_ours(const struct netlink_link *link);
