#include "netlink.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { ANSWER_BYTES = 32768, ANSWER_TIMEOUT_S = 10 };

int netlink_open(struct nl_sock **ret, struct error *err)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int on = 1;

	if (!socket)
		return error_set(err, ENOMEM, "netlink socket: out of memory");
	int rc = nl_connect(socket, NETLINK_ROUTE);
	if (rc < 0) {
		nl_socket_free(socket);
		return error_set(err, EPROTO, "netlink socket: %s", nl_geterror(rc));
	}
	int fd = nl_socket_get_fd(socket);
	/* The first two are comfort (short acknowledgements that say why); the last keeps us from waiting for ever for an answer that was lost. */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	*ret = socket;
	return 0;
}

void netlink_close(struct nl_sock **socket)
{
	if (*socket)
		nl_socket_free(*socket);
	*socket = NULL;
}

/* ---- putting together ---- */

void netlink_begin(struct netlink_batch *batch)
{
	*batch = (struct netlink_batch){0};
}

void netlink_done(struct netlink_batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++)
		nlmsg_free(batch->messages[i]);
	batch->count = 0;
}

void netlink_message(struct netlink_batch *batch, const char *what, int type, int flags, const void *header, size_t size)
{
	struct nl_msg *message = batch->count < NETLINK_BATCH ? nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags) : NULL;

	if (!message) {
		batch->failed = true;
		return;
	}
	batch->what[batch->count] = what;
	batch->messages[batch->count++] = message;
	if (nlmsg_append(message, (void *)header, size, NLMSG_ALIGNTO) < 0)
		batch->failed = true;
}

void netlink_put(struct netlink_batch *batch, int attribute, const void *data, size_t size)
{
	if (batch->failed || nla_put(batch->messages[batch->count - 1], attribute, (int)size, data) < 0)
		batch->failed = true;
}

void netlink_put_u32(struct netlink_batch *batch, int attribute, uint32_t value)
{
	netlink_put(batch, attribute, &value, sizeof(value));
}

void netlink_put_text(struct netlink_batch *batch, int attribute, const char *text)
{
	netlink_put(batch, attribute, text, strlen(text) + 1);
}

struct nlattr *netlink_nest(struct netlink_batch *batch, int attribute)
{
	struct nlattr *nest = batch->failed ? NULL : nla_nest_start(batch->messages[batch->count - 1], attribute);

	if (!nest)
		batch->failed = true;
	return nest;
}

void netlink_nest_end(struct netlink_batch *batch, struct nlattr *nest)
{
	if (!batch->failed)
		nla_nest_end(batch->messages[batch->count - 1], nest);
}

/* ---- answers ---- */

static void copy_text(char *ret, size_t size, const struct nlattr *attribute)
{
	if (attribute)
		nla_strlcpy(ret, attribute, size);
}

static uint32_t number_of(const struct nlattr *attribute)
{
	return attribute && nla_len(attribute) >= 4 ? nla_get_u32(attribute) : 0;
}

static void parse_link(struct nlmsghdr *header, struct netlink_link *ret)
{
	struct nlattr *attributes[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *fixed = nlmsg_data(header);

	*ret = (struct netlink_link){.index = fixed->ifi_index, .up = fixed->ifi_flags & IFF_UP};
	if (nlmsg_parse(header, sizeof(*fixed), attributes, IFLA_MAX, NULL) < 0)
		return;
	ret->peer_index = (int)number_of(attributes[IFLA_LINK]);
	ret->master = (int)number_of(attributes[IFLA_MASTER]);
	ret->group = number_of(attributes[IFLA_GROUP]);
	copy_text(ret->name, sizeof(ret->name), attributes[IFLA_IFNAME]);
	copy_text(ret->alias, sizeof(ret->alias), attributes[IFLA_IFALIAS]);
	if (attributes[IFLA_STATS64])
		nla_memcpy(&ret->stats, attributes[IFLA_STATS64], sizeof(ret->stats));
	if (attributes[IFLA_LINKINFO] && nla_parse_nested(info, IFLA_INFO_MAX, attributes[IFLA_LINKINFO], NULL) == 0)
		copy_text(ret->kind, sizeof(ret->kind), info[IFLA_INFO_KIND]);
}

static void keep_detail(struct netlink_batch *batch, struct nlmsghdr *header)
{
	struct nlattr *attributes[NLMSGERR_ATTR_MAX + 1];

	if (batch->detail[0] || !(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (nlmsg_parse(header, sizeof(struct nlmsgerr), attributes, NLMSGERR_ATTR_MAX, NULL) == 0)
		copy_text(batch->detail, sizeof(batch->detail), attributes[NLMSGERR_ATTR_MSG]);
}

/* Returns true for the message that ends an exchange. */
static bool take_answer(struct netlink_batch *batch, struct nlmsghdr *header)
{
	unsigned index = header->nlmsg_seq - batch->first_sequence;

	if (index >= batch->count)
		return false; /* of a batch before, whose answers we gave up */
	if (header->nlmsg_type == RTM_NEWLINK && batch->reply)
		parse_link(header, batch->reply);
	if (header->nlmsg_type != NLMSG_ERROR)
		return false;
	const struct nlmsgerr *answer = nlmsg_data(header);
	batch->results[index] = answer->error;
	if (answer->error < 0)
		keep_detail(batch, header);
	return index == batch->count - 1;
}

static int receive(struct nl_sock *socket, void *answers, struct error *err)
{
	ssize_t length;

	do
		length = recv(nl_socket_get_fd(socket), answers, ANSWER_BYTES, 0);
	while (length < 0 && errno == EINTR);
	return length < 0 ? error_errno(err, "netlink answer") : (int)length;
}

int netlink_exchange(struct nl_sock *socket, struct netlink_batch *batch, struct error *err)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct iovec parts[NETLINK_BATCH];
	struct msghdr all = {.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = parts, .msg_iovlen = batch->count};
	_cleanup_free_ void *answers = malloc(ANSWER_BYTES);

	if (batch->failed || !answers)
		return error_set(err, ENOMEM, "netlink message: no room");
	for (unsigned i = 0; i < batch->count; i++) {
		struct nlmsghdr *header = nlmsg_hdr(batch->messages[i]);

		header->nlmsg_seq = nl_socket_use_seq(socket);
		if (i == 0)
			batch->first_sequence = header->nlmsg_seq;
		parts[i] = (struct iovec){header, header->nlmsg_len};
	}
	if (sendmsg(nl_socket_get_fd(socket), &all, 0) < 0)
		return error_errno(err, "netlink request");
	for (bool ended = false; !ended;) {
		int length = receive(socket, answers, err);

		if (length < 0)
			return length;
		for (struct nlmsghdr *header = answers; nlmsg_ok(header, length); header = nlmsg_next(header, &length))
			ended |= take_answer(batch, header);
	}
	return 0;
}

int netlink_error(const struct netlink_batch *batch, unsigned index, struct error *err)
{
	const char *detail = batch->detail;
	int code = -batch->results[index];

	return error_set(err, code, "%s: %s%s%s%s", batch->what[index], strerror(code), *detail ? " (" : "", detail, *detail ? ")" : "");
}

int netlink_run(struct nl_sock *socket, struct netlink_batch *batch, struct error *err)
{
	int rc = netlink_exchange(socket, batch, err);

	for (unsigned i = 0; rc == 0 && i < batch->count; i++)
		if (batch->results[i] < 0)
			rc = netlink_error(batch, i, err);
	return rc;
}

/* ---- links ---- */

int netlink_link_get(struct nl_sock *socket, const char *name, struct netlink_link *ret, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	struct netlink_link found = {0};

	netlink_begin(&batch);
	netlink_message(&batch, "look at a link", RTM_GETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, name);
	batch.reply = &found;
	int rc = netlink_run(socket, &batch, err);
	if (rc == 0)
		*ret = found;
	return rc == 0 ? 0 : (error_prefix(err, "link %s", name), rc);
}

/* A change of a link by its name; one that is not there is success. */
static int change_link(struct nl_sock *socket, struct netlink_batch *batch, const char *name, struct error *err)
{
	int rc = netlink_exchange(socket, batch, err);

	if (rc == 0 && batch->results[0] != -ENODEV && batch->results[0] < 0)
		rc = netlink_error(batch, 0, err);
	return rc == 0 ? 0 : (error_prefix(err, "link %s", name), rc);
}

int netlink_link_delete(struct nl_sock *socket, const char *name, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;

	netlink_begin(&batch);
	netlink_message(&batch, "delete it", RTM_DELLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, name);
	return change_link(socket, &batch, name, err);
}

int netlink_group_set(struct nl_sock *socket, const char *name, uint32_t group, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;

	netlink_begin(&batch);
	netlink_message(&batch, "change its group", RTM_SETLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, name);
	netlink_put_u32(&batch, IFLA_GROUP, group);
	return change_link(socket, &batch, name, err);
}

int netlink_group_delete(struct nl_sock *socket, uint32_t group, struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;

	netlink_begin(&batch);
	netlink_message(&batch, "delete links", RTM_DELLINK, 0, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_u32(&batch, IFLA_GROUP, group);
	int rc = netlink_exchange(socket, &batch, err);
	if (rc == 0 && batch.results[0] != -ENODEV && batch.results[0] < 0)
		rc = netlink_error(&batch, 0, err);
	return rc;
}

/* Returns true at the end of a dump. */
static bool take_port(struct nlmsghdr *header, int bridge_index, void (*visit)(const struct netlink_link *link, void *arg), void *arg)
{
	struct netlink_link link;

	if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
		return true;
	parse_link(header, &link);
	if (link.master == bridge_index) /* older kernels do not filter */
		visit(&link, arg);
	return false;
}

int netlink_ports_each(struct nl_sock *socket, int bridge_index, void (*visit)(const struct netlink_link *link, void *arg), void *arg,
		       struct error *err)
{
	_cleanup_(netlink_done) struct netlink_batch batch;
	_cleanup_free_ void *answers = malloc(ANSWER_BYTES);

	netlink_begin(&batch);
	netlink_message(&batch, "list links", RTM_GETLINK, NLM_F_DUMP, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
	netlink_put_u32(&batch, IFLA_MASTER, (uint32_t)bridge_index);
	if (batch.failed || !answers)
		return error_set(err, ENOMEM, "netlink message: no room");
	struct nlmsghdr *request = nlmsg_hdr(batch.messages[0]);
	if (send(nl_socket_get_fd(socket), request, request->nlmsg_len, 0) < 0)
		return error_errno(err, "netlink request");
	for (bool ended = false; !ended;) {
		int length = receive(socket, answers, err);

		if (length < 0)
			return length;
		for (struct nlmsghdr *header = answers; nlmsg_ok(header, length); header = nlmsg_next(header, &length))
			ended |= take_port(header, bridge_index, visit, arg);
	}
	return 0;
}

bool netlink_link_is_ours(const struct netlink_link *link)
{
	return (link->group == NETLINK_GROUP || link->group == NETLINK_GROUP_LEAVING) && strcmp(link->alias, NETLINK_MARK) == 0;
}
