/* Steps of a child whose ids the parent maps: it becomes root of its user namespace, and joins groups by descriptors that the parent opened. */
#include "calls.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Until here it has the host's ids, which mean nobody inside. The kernel makes our memory not dumpable with it, the parent's too. */
int step_become_root(struct child *child, const struct step *step)
{
	long rc = CALL(SYS_setgroups, 0, NULL);

	if (rc == 0)
		rc = CALL(SYS_setresgid, 0, 0, 0);
	if (rc == 0)
		rc = CALL(SYS_setresuid, 0, 0, 0);
	return rc < 0 ? (int)rc : child_end_with_parent(child);
}

/* After all that needs privilege; the bounding set is what it shall be by then. The kernel takes the capabilities of who is not root any more. */
int step_run_as(struct child *child, const struct step *step)
{
	const struct container_plan *plan = child->plan;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	long rc = CALL(SYS_setresgid, plan->run_gid, plan->run_gid, plan->run_gid);

	if (rc == 0)
		rc = CALL(SYS_setresuid, plan->run_uid, plan->run_uid, plan->run_uid);
	return done(rc < 0 || plan->run_uid == 0 ? rc : CALL(SYS_capset, &header, none));
}

/* What the kernel lacks needs no limit. Each takes about 20 us, as its entry is made for the namespace that asks: so there are no more. */
int quotas_set(const struct child *child)
{
	static const char *const quotas[][2] = {{"user/max_inotify_instances", "32"}, {"user/max_user_namespaces", "0"}};
	long rc = 0;

	for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]) && rc >= 0; i++) {
		long fd = CALL(SYS_openat, child->plan->sysctl_fd, quotas[i][0], O_WRONLY | O_CLOEXEC);

		rc = fd >= 0 ? CALL(SYS_write, fd, quotas[i][1], strlen(quotas[i][1])) : fd == -ENOENT ? 0 : fd;
		if (fd >= 0)
			CALL(SYS_close, fd);
	}
	return done(rc);
}

int step_quotas(struct child *child, const struct step *step)
{
	return quotas_set(child);
}

/* What the parent has sent by SCM_RIGHTS; returns how many. */
static int receive(int channel, int *ret_fds, int max)
{
	char byte, control[CMSG_SPACE(sizeof(int) * CGROUP_CONTROLLER_COUNT)] __attribute__((aligned(8)));
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	long got = CALL(SYS_recvmsg, channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (got < 0)
		return (int)got;
	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len > CMSG_LEN(sizeof(int) * (size_t)max))
		return -EBADMSG;
	memcpy(ret_fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

/* The files belong to the host's root, who we are no more; the kernel asks who opened them. */
int step_join_sent(struct child *child, const struct step *step)
{
	int fds[CGROUP_CONTROLLER_COUNT], n = receive(child->plan->channel[1], fds, CGROUP_CONTROLLER_COUNT);

	for (int i = 0; i < n; i++) {
		long rc = CALL(SYS_write, fds[i], "0", 1);

		CALL(SYS_close, fds[i]);
		if (rc < 0)
			return (int)rc;
	}
	return n < 0 ? n : 0;
}
