#include "messages.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int message_send(int socket_fd, const void *message, size_t size, int fd_to_pass)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)message, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_to_pass >= 0) {
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.header), &fd_to_pass, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	ssize_t sent;
	do
		sent = sendmsg(socket_fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)size ? 0 : sent < 0 ? -errno : -EMSGSIZE;
}

int message_receive(int socket_fd, void *ret, size_t size, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = ret, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t got;

	do
		got = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (ret_fd)
		*ret_fd = -1;
	if (got < 0)
		return errno == ECONNRESET ? 0 : -errno;
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
	if (ret_fd && header && header->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	if (got == 0)
		return 0;
	return (size_t)got == size ? 1 : -EPROTO;
}

int message_pair(int ret[2], struct error *err)
{
	int size = 256 * 1024;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return error_errno(err, "socket pair");
	for (int i = 0; i < 2; i++)
		setsockopt(ret[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}
