#include "reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_S = 5, PAGE_SIZE = 4096 };

static struct sockaddr_in address_of(const char *text, long port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};

	inet_pton(AF_INET, text, &address.sin_addr);
	return address;
}

/* ---- the guest's interface ---- */

static void take_up(int fd, const char *name)
{
	struct ifreq link = {.ifr_flags = IFF_UP};

	strcpy(link.ifr_name, name);
	ioctl(fd, SIOCSIFFLAGS, &link);
}

static void set_address(int fd, const char *text, long prefix)
{
	struct ifreq link = {.ifr_name = "eth0"};
	struct sockaddr_in address = address_of(text, 0);

	memcpy(&link.ifr_addr, &address, sizeof(address));
	ioctl(fd, SIOCSIFADDR, &link);
	address.sin_addr.s_addr = htonl(prefix <= 0 || prefix > 32 ? 0xffffffff : 0xffffffff << (32 - prefix));
	memcpy(&link.ifr_netmask, &address, sizeof(address));
	ioctl(fd, SIOCSIFNETMASK, &link);
}

void guest_network(const char *address, const char *gateway)
{
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct sockaddr_in any = {.sin_family = AF_INET}, via;
	char text[32] = "", *slash;

	if (!address || !gateway || strlen(address) >= sizeof(text))
		return;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	strcpy(text, address);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	take_up(fd, "lo");
	set_address(fd, text, slash ? strtol(slash, NULL, 10) : 32);
	take_up(fd, "eth0");
	via = address_of(gateway, 0);
	memcpy(&route.rt_dst, &any, sizeof(any));
	memcpy(&route.rt_genmask, &any, sizeof(any));
	memcpy(&route.rt_gateway, &via, sizeof(via));
	ioctl(fd, SIOCADDRT, &route);
	close(fd);
}

/* ---- requests ---- */

static void tell_errno(char *answer, size_t size, const char *what)
{
	snprintf(answer, size, "error %s: %s", what, strerror(errno));
}

static void echo(int fd)
{
	char block[1024];
	ssize_t got;

	while ((got = read(fd, block, sizeof(block))) > 0)
		if (write(fd, block, (size_t)got) != got)
			break;
	close(fd);
}

static _Noreturn void echo_all(int listener)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			echo(fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			_exit(1);
	}
}

void reach_listen(const char *arguments, char *answer, size_t size)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((unsigned short)strtol(arguments, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 8) < 0) {
		tell_errno(answer, size, "listen");
	} else {
		pid_t child = fork();

		if (child == 0)
			echo_all(fd);
		if (child < 0)
			tell_errno(answer, size, "fork");
		else
			snprintf(answer, size, "listening");
	}
	if (fd >= 0)
		close(fd);
}

static bool exchange(int fd)
{
	static const char word[] = "there and back";
	char back[sizeof(word)];

	return write(fd, word, sizeof(word)) == sizeof(word) && recv(fd, back, sizeof(back), MSG_WAITALL) == sizeof(back) &&
	       memcmp(word, back, sizeof(word)) == 0;
}

void reach_connect(char *arguments, char *answer, size_t size)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	char *port = strchr(arguments, ' ');

	if (port)
		*port++ = '\0';
	struct sockaddr_in address = address_of(arguments, port ? strtol(port, NULL, 10) : 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		tell_errno(answer, size, "socket");
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* of connect, too */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	errno = 0;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		tell_errno(answer, size, "connect");
	else if (!exchange(fd))
		tell_errno(answer, size, "exchange");
	else
		snprintf(answer, size, "reached");
	close(fd);
}

static _Noreturn void touch(size_t bytes, int tell_fd)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t at = 0; memory != MAP_FAILED && at < bytes; at += PAGE_SIZE)
		((volatile char *)memory)[at] = 1;
	_exit(memory != MAP_FAILED && write(tell_fd, "t", 1) == 1 ? 0 : 1);
}

/* Who ends the child can only be seen by its silence: PID 1 of a guest has its children collected by the kernel. */
void reach_touch(const char *arguments, char *answer, size_t size)
{
	size_t bytes = (size_t)strtoul(arguments, NULL, 10) << 20;
	char word = 0;
	int ends[2];
	pid_t child;

	if (bytes == 0 || pipe(ends) < 0) {
		snprintf(answer, size, "error expected a number of MiB");
		return;
	}
	child = fork();
	if (child == 0)
		touch(bytes, ends[1]);
	close(ends[1]);
	if (child < 0)
		tell_errno(answer, size, "fork");
	else if (read(ends[0], &word, 1) == 1)
		snprintf(answer, size, "touched");
	else
		snprintf(answer, size, "error the process was ended before it had touched it all");
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
}

void reach_burn(const char *arguments, char *answer, size_t size)
{
	long count = strtol(arguments, NULL, 10);

	snprintf(answer, size, "burning");
	for (long i = 0; i < count; i++) {
		pid_t child = fork();

		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (volatile unsigned rounds = 0;; rounds++)
				;
		}
		if (child < 0)
			tell_errno(answer, size, "fork");
	}
}
