/* The parent's side of a container's network: a link to the bridge, or a carrier of the user's own. Made beside the child, once that is in its
 * network namespace; removed after its end. Paid by those alone who asked for it. */
#include "link.h"

#include "steps.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <network/user.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 20, GONE_LOOK_US = 200, GONE_MS = 100 };

/* Until the child is in its network namespace. A child that fails before wakes nobody: it is looked after now and then. */
int plan_wait_joined(struct container_plan *plan, struct error *err)
{
	struct child *child = &plan->child;
	int64_t deadline_ns = clock_now_ns() + (int64_t)plan->start_timeout_ms * 1000000;
	struct timespec look = {.tv_nsec = LOOK_MS * 1000000l};

	while (!__atomic_load_n(&child->joined, __ATOMIC_ACQUIRE)) {
		if (!__atomic_load_n(&child->running, __ATOMIC_ACQUIRE))
			return error_set(err, ECANCELED, "the child ended before it had a network");
		if (clock_now_ns() > deadline_ns)
			return error_set(err, ETIMEDOUT, "the network namespace was not there within %d ms", plan->start_timeout_ms);
		syscall(SYS_futex, &child->joined, FUTEX_WAIT, 0, &look, NULL, 0);
	}
	return 0;
}

static int attach_bridge(struct container_plan *plan, struct container *made, struct error *err)
{
	char path[64];
	int rc = plan_wait_joined(plan, err);

	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)made->pid);
	_cleanup_close_ int netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return error_errno(err, "open %s", path);
	rc = network_attach(plan->links, netns, &plan->link_limits, &made->link, err);
	return rc < 0 ? error_prefix(err, "link to bridge %s", network_bridge(plan->links)) : 0;
}

/* pasta gives up root's rights before it enters, and may not enter root's containers then. NULL: what there is. */
static const char *carrier(const struct container_plan *plan)
{
	return plan->facts.rootless ? NULL : "slirp4netns";
}

static int attach_user(struct container_plan *plan, struct container *made, struct error *err)
{
	struct network_user_options options = {
		.pid = made->pid, .program = carrier(plan), .timeout_ms = plan->start_timeout_ms, .journal = plan->journal};
	int rc = plan_wait_joined(plan, err);

	return rc < 0 ? rc : network_user_start(&options, &made->carrier, err);
}

static int plan_bridge(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	int rc = network_support(err);

	if (rc < 0)
		return error_prefix(err, "net=bridge");
	plan->bridge = plan_text(plan, "%s", options->bridge ? options->bridge : "");
	plan->subnet = plan_text(plan, "%s", options->subnet ? options->subnet : "");
	return 0;
}

static int plan_carrier(struct container_plan *plan, struct error *err)
{
	char program[PATH_MAX];
	int rc = network_user_support(carrier(plan), program, sizeof(program), err);

	if (rc < 0)
		return error_prefix(err, "net=user");
	const char *name = strrchr(program, '/');
	snprintf(plan->facts.network, sizeof(plan->facts.network), "tap0 by %.60s", name ? name + 1 : program);
	return 0;
}

/* As far as it is known before the bridge is there. */
static void tell_network(struct container_plan *plan, const struct container_options *options)
{
	const char *text = !(options->namespaces & CONTAINER_NS_NET)      ? "host"
			   : options->bare                                ? "none"
			   : options->network == CONTAINER_NETWORK_BRIDGE ? "eth0 on a bridge"
			   : options->network == CONTAINER_NETWORK_NONE   ? "none"
									  : "loopback";

	snprintf(plan->facts.network, sizeof(plan->facts.network), "%s", text);
}

int plan_link(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	bool bridge = options->network == CONTAINER_NETWORK_BRIDGE, user = options->network == CONTAINER_NETWORK_USER;

	tell_network(plan, options);
	if (!bridge && !user)
		return 0;
	if (options->bare)
		return error_set(err, EINVAL, "a bare container has no link: net=own, none or host");
	if (!(options->namespaces & CONTAINER_NS_NET))
		return error_set(err, EINVAL, "a link of its own and the host's network exclude each other: net=host, or another");
	plan->network = options->network;
	plan->link_limits = options->link_limits;
	int rc = bridge ? plan_bridge(plan, options, err) : plan_carrier(plan, err);
	if (rc < 0)
		return rc;
	uint32_t number =
		plan_add_parent(plan, (struct parent_step){.name = bridge ? "attach-link" : "attach-carrier",
							   .apply = bridge ? attach_bridge : attach_user,
							   .arg = bridge ? "veth pair, eth0 on a bridge" : "pasta or slirp4netns"});
	plan_add(plan, "tell-joined", step_tell_joined, "", 0);
	plan_add(plan, "await", step_await, bridge ? "attach-link" : "attach-carrier", number);
	return 0;
}

int plan_link_open(struct container_plan *plan, struct error *err)
{
	struct network_options options = {.bridge = plan->bridge && plan->bridge[0] ? plan->bridge : NULL,
					  .subnet = plan->subnet && plan->subnet[0] ? plan->subnet : NULL,
					  .journal = plan->journal};

	if (plan->network != CONTAINER_NETWORK_BRIDGE || plan->links)
		return 0;
	int rc = network_open(&options, &plan->links, err);
	if (rc == 0)
		snprintf(plan->facts.network, sizeof(plan->facts.network), "eth0 on bridge %s, %s", network_bridge(plan->links),
			 network_subnet(plan->links));
	return rc;
}

/* A link goes with its namespace, soon after the last process of that, and is out of sight before the kernel is done with it. Deleting it
 * meanwhile would wait for the same locks and then for the kernel as well: 25 ms against 6. Where somebody holds the namespace open, it is deleted. */
static void wait_gone(const struct network_link *link)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)GONE_MS * 1000000;
	const struct timespec look = {.tv_nsec = GONE_LOOK_US * 1000};

	while (if_nametoindex(link->host_name) != 0 && clock_now_ns() < deadline_ns)
		nanosleep(&look, NULL);
}

int plan_link_undo(struct container_plan *plan, struct container *container, struct error *err)
{
	network_user_stop(container->carrier);
	container->carrier = NULL;
	if (!plan->links || !container->link.host_name[0])
		return 0;
	if (container->pid == 0)
		wait_gone(&container->link);
	return network_detach(plan->links, &container->link, err);
}

void plan_link_close(struct container_plan *plan)
{
	if (plan->links)
		network_close(plan->links);
	plan->links = NULL;
}
