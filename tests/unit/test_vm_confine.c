/* What libvirt and QEMU can reach of this host once machines can be started: looked at from the very process that QEMU is started by, whose bounds it inherits. */
#include "vm_talk.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static bool is_denied(int rc)
{
	return rc < 0 && (errno == EACCES || errno == EPERM);
}

static bool cannot_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	bool denied = is_denied(fd);

	if (fd >= 0)
		close(fd);
	return denied;
}

static bool cannot_connect(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool denied = is_denied(connect(fd, (struct sockaddr *)&address, sizeof(address)));

	close(fd);
	return denied;
}

static void look_around(const struct scene *s, const char *level)
{
	char path[PATH_MAX], text[64];

	check(cannot_open("/proc/sys/kernel/core_pattern", O_WRONLY), "core_pattern can be written");
	check(cannot_open("/etc/shadow", O_RDONLY), "/etc/shadow can be read");
	check(cannot_open("/etc/passwd", O_WRONLY), "/etc/passwd can be written");
	check(cannot_open("/var/tmp/bench-confined", O_WRONLY | O_CREAT), "a file can be made in /var/tmp");
	check(path_format(path, sizeof(path), NULL, "%s/vm/kernels/strange", s->options.cache_dir) < 0 ||
		      cannot_open(path, O_WRONLY | O_CREAT),
	      "kernels can be put into the cache");
	check(path_format(path, sizeof(path), NULL, "%s/own", s->options.run_dir) == 0 &&
		      file_write_atomic(path, "1", 1, 0600, NULL) == 0 && file_read("", path, text, sizeof(text), NULL) == 1,
	      "its own folder cannot be written");
	unlink(path);
	if (strstr(level, "TCP"))
		check(cannot_connect(), "a port of the host can be connected to");
	if (strstr(level, "signals"))
		check(is_denied(kill(getppid(), 0)), "a process outside can be sent a signal");
}

static void act(struct scene *s)
{
	struct vm_host *host = open_host(s);

	if (!host)
		return;

	const char *level = vm_host_facts(host)->confined;

	if (level[0])
		look_around(s, level);
	else
		check(false, "this kernel has no Landlock");
	boot(host, "confined");
	vm_host_close(host);
}

Test(vm_confine, nothing_but_what_a_machine_takes)
{
	struct scene s;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		cr_skip("this kernel has no Landlock");
	prepare(&s);
	play(&s, act);
}
