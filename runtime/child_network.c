/* Steps that give the container its network namespace.
 *
 * Such a namespace costs as much as all the rest of a start. So a thread of the child makes it, on another CPU, while the child builds the root.
 * What it makes goes to the child in two parts: first the namespace and its sysfs (step_network_join), then a loopback that is up, at the
 * thread's end (step_network_settle), which comes before descriptors are put in order. Where no thread can be had, the child makes all of it in
 * line.
 *
 * At its end it sets the quotas of the user namespace: nobody waits for them, but they take as long as a cgroup to join.
 *
 * The thread does not wait for the ids to be mapped. If it is faster, entries of devices in the container's (read-only) sysfs belong to nobody. */
#include "calls.h"
#include "child_mounts.h"
#include "child_thread.h"
#include "steps.h"

#include <bench/timeline.h>

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Moves its caller alone into a new namespace. Returns a socket in it. */
static int make_network(struct child *child)
{
	long rc = CALL(SYS_unshare, CLONE_NEWNET);

	if (rc == 0)
		rc = CALL(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (rc >= 0 && child->plan->sys_attributes)
		child->sys_fd = mount_new("sysfs", "", child->plan->sys_attributes);
	return (int)rc;
}

static int loopback_up(const struct child *child, int socket_fd)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return child->plan->loopback_up ? done(CALL(SYS_ioctl, socket_fd, SIOCSIFFLAGS, &request)) : 0;
}

static int network_main(void *arg)
{
	struct child *child = arg;
	struct child_network *network = &child->network;
	int fd;

	thread_begin(&network->thread);
	child->trace.helper_begin_ns = clock_now_ns();
	fd = make_network(child);
	/* The namespace by way of a socket in it: no /proc is needed. */
	network->fd = fd < 0 ? fd : (int)CALL(SYS_ioctl, fd, SIOCGSKNS, 0);
	__atomic_store_n(&network->made, NETWORK_MADE, __ATOMIC_RELEASE);
	CALL(SYS_futex, &network->made, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	child->trace.helper_made_ns = clock_now_ns();
	if (fd >= 0) {
		network->up_rc = loopback_up(child, fd);
		CALL(SYS_close, fd);
	}
	child->trace.helper_done_ns = clock_now_ns();
	if (network->up_rc == 0 && child->plan->helper_sets_quotas)
		network->up_rc = quotas_set(child);
	return 0;
}

static int make_in_line(struct child *child)
{
	int fd = make_network(child), rc = fd;

	if (fd >= 0) {
		rc = loopback_up(child, fd);
		CALL(SYS_close, fd);
	}
	return rc < 0 || !child->plan->helper_sets_quotas ? rc : quotas_set(child);
}

/* The container's own CPUs are free as yet: until step_affinity they are used beside those that our parent gave us. */
static void spread(const struct container_plan *plan)
{
	cpu_set_t both;

	CPU_ZERO(&both);
	if (CPU_COUNT(&plan->cpus) == 0 || CALL(SYS_sched_getaffinity, 0, sizeof(both), &both) < 0)
		return;
	CPU_OR(&both, &both, &plan->cpus);
	CALL(SYS_sched_setaffinity, 0, sizeof(both), &both); /* an error costs time, nothing else */
}

int step_network(struct child *child, const struct step *step)
{
	struct child_network *network = &child->network;

	spread(child->plan);
	if (thread_start(child, &network->thread, network_main, child->plan->thread_stacks[0])) {
		network->used = true;
		return 0;
	}
	network->made = NETWORK_MADE;
	return make_in_line(child);
}

int step_network_join(struct child *child, const struct step *step)
{
	struct child_network *network = &child->network;

	if (!network->used)
		return 0;
	thread_lend_cpu(&network->thread);
	wait_while(&network->made, NETWORK_NOT_YET);
	if (network->fd < 0)
		return network->fd;
	long rc = CALL(SYS_setns, network->fd, CLONE_NEWNET);
	CALL(SYS_close, network->fd);
	return done(rc);
}

int step_tell_joined(struct child *child, const struct step *step)
{
	__atomic_store_n(&child->joined, 1, __ATOMIC_RELEASE);
	CALL(SYS_futex, &child->joined, FUTEX_WAKE, 1, NULL, NULL, 0);
	return 0;
}

int step_network_settle(struct child *child, const struct step *step)
{
	thread_wait(&child->network.thread);
	return child->network.up_rc;
}
