/* What the parent does for one start, before the clone and beside the child. Undone by container_stop(), or at once when the start is over. */
#include "plan.h"

#include <base/files.h>
#include <base/journal.h>
#include <base/process.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int parent_open_sources(struct container_plan *plan, struct container *made, struct error *err)
{
	for (size_t i = 0; i < plan->n_sources; i++) {
		const struct plan_source *source = &plan->sources[i];

		if (!source->by_parent)
			continue;
		int fd = source_open(source, plan->userns_fd);
		if (fd < 0)
			return error_set(err, -fd, "open %s for the container: %s", source->path, strerror(-fd));
		plan->child.source_fds[i] = fd;
	}
	return 0;
}

void parent_close_sources(struct container_plan *plan)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan->sources[i].by_parent && plan->child.source_fds[i] >= 0) {
			close(plan->child.source_fds[i]);
			plan->child.source_fds[i] = -1;
		}
}

void parent_forget(struct container_plan *plan)
{
	char byte;

	for (int i = 0; i < 2; i++)
		while (plan->channel[i] >= 0 && recv(plan->channel[i], &byte, 1, MSG_DONTWAIT) >= 0)
			; /* descriptors that nobody asks for are closed by the kernel */
}

int parent_map_ids(struct container_plan *plan, struct container *made, struct error *err)
{
	return ids_write(made->pid, &plan->ids, err);
}

/* Not before its exec: while it shares our memory, the kernel would set ours as well. */
int parent_set_oom_score(struct container_plan *plan, struct container *made, struct error *err)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)made->pid);
	snprintf(text, sizeof(text), "%d", plan->oom_score);
	int rc = file_write_kernel(path, text, err);
	return rc == -ENOENT || rc == -ESRCH ? 0 : rc; /* it has ended already */
}

/* Nothing else names it where there is no cgroup. By its first process: the end of that ends the others, where they have a pid namespace. */
int parent_name_child(struct container_plan *plan, struct container *made, struct error *err)
{
	char line[64];

	snprintf(line, sizeof(line), "%d %lld", (int)made->pid, (long long)process_start_ticks(made->pid));
	return journal_add(plan->journal, JOURNAL_PROCESS, line, err);
}

int parent_make_cgroup(struct container_plan *plan, struct container *made, struct error *err)
{
	return cgroup_create(&plan->tree, made->id, &plan->limits, &made->cgroup, err);
}

static int send_fds(int channel, const int *fds, size_t n, struct error *err)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int) * CGROUP_CONTROLLER_COUNT)] __attribute__((aligned(8))) = {0};
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(header), fds, sizeof(int) * n);
	return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : error_errno(err, "hand descriptors to the child");
}

int parent_send_cgroup(struct container_plan *plan, struct container *made, struct error *err)
{
	int fds[CGROUP_CONTROLLER_COUNT], n = 0, rc = parent_make_cgroup(plan, made, err);

	if (rc == 0)
		rc = n = plan->tree.ops->open_join(&made->cgroup, fds, err);
	if (rc > 0)
		rc = send_fds(plan->channel[0], fds, (size_t)n, err);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	return rc < 0 ? rc : 0;
}

/* The child has sent the master of its terminal, or ended. */
int parent_receive_terminal(struct container_plan *plan, struct container *made, struct error *err)
{
	char byte, control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

	if (recvmsg(plan->channel[0], &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return error_errno(err, "receive the container's terminal");
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
		return error_set(err, EBADMSG, "the container sent no terminal");
	memcpy(&made->terminal_fd, CMSG_DATA(header), sizeof(int));
	return 0;
}
