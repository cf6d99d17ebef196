/* Steps that give the container its network namespace.
 *
 * Such a namespace costs as much as all the rest of a start. So a helper thread of the child makes it, on another CPU, while the child builds
 * the root. Being a thread of the child, it owns what it makes by the same user namespace, and shares memory and descriptors. What it makes
 * goes to the child in two parts: first the namespace and its sysfs (step_network_join), then a loopback that is up, at the thread's end
 * (step_network_settle), which comes before descriptors are put in order. Where no thread can be had, the child makes all of it in line. */
#include "calls.h"
#include "child_mounts.h"
#include "plan.h"
#include "steps.h"

#include <bench/timeline.h>

#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { NOT_YET, MADE };

static void wait_while(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
		CALL(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

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

static int helper_main(void *arg)
{
	struct child *child = arg;
	struct helper *helper = &child->helper;
	int fd;

	__atomic_store_n(&helper->begun, true, __ATOMIC_RELAXED);
	child->trace.helper_begin_ns = clock_now_ns();
	fd = make_network(child);
	/* The namespace by way of a socket in it: no /proc is needed. */
	helper->network_fd = fd < 0 ? fd : (int)CALL(SYS_ioctl, fd, SIOCGSKNS, 0);
	__atomic_store_n(&helper->made, MADE, __ATOMIC_RELEASE);
	CALL(SYS_futex, &helper->made, FUTEX_WAKE, 1, NULL, NULL, 0);
	child->trace.helper_made_ns = clock_now_ns();
	if (fd >= 0) {
		helper->up_rc = loopback_up(child, fd);
		CALL(SYS_close, fd);
	}
	child->trace.helper_done_ns = clock_now_ns();
	return 0;
}

static int make_in_line(struct child *child)
{
	int fd = make_network(child), rc = fd;

	if (fd >= 0) {
		rc = loopback_up(child, fd);
		CALL(SYS_close, fd);
	}
	return rc;
}

/* The container's own CPUs are free as yet: until step_affinity they are used beside those that our parent gave us. */
static void spread(const struct container_plan *plan)
{
	cpu_set_t both;

	if (CPU_COUNT(&plan->cpus) == 0 || CALL(SYS_sched_getaffinity, 0, sizeof(both), &both) < 0)
		return;
	CPU_OR(&both, &both, &plan->cpus);
	CALL(SYS_sched_setaffinity, 0, sizeof(both), &both); /* an error costs time, nothing else */
}

int step_network(struct child *child, const struct step *step)
{
	struct helper *helper = &child->helper;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID,
		.child_tid = (uintptr_t)&helper->running,
		.stack = (uintptr_t)child->plan->helper_stack,
		.stack_size = HELPER_STACK_BYTES,
	};

	spread(child->plan);
	helper->running = 1;
	helper->id = child_clone(&args, helper_main, child);
	helper->used = helper->id > 0;
	if (!helper->used) {
		helper->running = 0;
		return make_in_line(child);
	}
	return 0;
}

/* Nothing is left to do beside the helper. If it waits for a CPU that others use, it gets ours, which we are about to leave. */
static void lend_cpu(const struct helper *helper)
{
	unsigned cpu;
	cpu_set_t ours;

	if (__atomic_load_n(&helper->begun, __ATOMIC_RELAXED) || CALL(SYS_getcpu, &cpu, NULL, NULL) < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&ours);
	CPU_SET(cpu, &ours);
	CALL(SYS_sched_setaffinity, helper->id, sizeof(ours), &ours);
}

int step_network_join(struct child *child, const struct step *step)
{
	struct helper *helper = &child->helper;

	if (!helper->used)
		return 0;
	lend_cpu(helper);
	wait_while(&helper->made, NOT_YET);
	if (helper->network_fd < 0)
		return helper->network_fd;
	long rc = CALL(SYS_setns, helper->network_fd, CLONE_NEWNET);
	CALL(SYS_close, helper->network_fd);
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
	wait_while(&child->helper.running, 1);
	return child->helper.up_rc;
}
