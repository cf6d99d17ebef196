/* Steps of a container with a terminal: its own devpts, one pseudo-terminal of it, and the controlling end as 0, 1 and 2.
 *
 * The two ends are known by descriptor alone: the second one is asked of the first (TIOCGPTPEER), and /dev/console is a clone of the mount that
 * descriptor lies on, so that no name in /dev can send us elsewhere. The master goes to the parent through the plan's channel. */
#include "calls.h"
#include "child_mounts.h"
#include "plan.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* arg: options of the file system. A /dev of its own has neither folder nor link for it yet. */
int step_devpts(struct child *child, const struct step *step)
{
	long rc = 0;

	if (child->plan->own_dev) {
		rc = CALL(SYS_mkdirat, child->tmpfs_fd, "dev/pts", 0755);
		if (rc == 0)
			rc = CALL(SYS_symlinkat, "pts/ptmx", child->tmpfs_fd, "dev/ptmx");
	}
	if (rc < 0)
		return (int)rc;
	child->pts_fd = mount_new("devpts", step->arg, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	return child->pts_fd < 0 ? child->pts_fd : mount_hang(child, child->pts_fd, "dev/pts", O_DIRECTORY);
}

static int open_pair(const struct child *child, int *ret_peer)
{
	int master = (int)CALL(SYS_openat, child->pts_fd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), locked = 0;
	long rc = master;

	if (master >= 0)
		rc = CALL(SYS_ioctl, master, TIOCSPTLCK, &locked);
	if (rc >= 0)
		rc = CALL(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (rc < 0)
		return (int)rc;
	*ret_peer = (int)rc;
	return master;
}

static int send_master(int channel, int master)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &master, sizeof(master));
	return done(CALL(SYS_sendmsg, channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static int place_console(const struct child *child, int peer)
{
	int fd = mount_clone(peer, "", AT_EMPTY_PATH);

	if (fd >= 0 && child->plan->own_dev) {
		long rc = CALL(SYS_openat, child->tmpfs_fd, "dev/console", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

		if (rc < 0)
			return (int)rc;
		CALL(SYS_close, rc);
	}
	return mount_attach(child, fd, "dev/console", 0);
}

int step_terminal(struct child *child, const struct step *step)
{
	const struct container_plan *plan = child->plan;
	int peer = -1, master = open_pair(child, &peer);
	long rc = master < 0 ? master : CALL(SYS_ioctl, peer, TIOCSCTTY, 0);

	if (rc == 0 && plan->run_uid != 0)
		rc = CALL(SYS_fchown, peer, plan->run_uid, plan->terminal_gid);
	if (rc == 0)
		rc = place_console(child, peer);
	if (rc == 0)
		rc = send_master(plan->channel[1], master);
	for (int i = 0; i < 3; i++)
		child->stdio[i] = peer;
	return done(rc);
}
