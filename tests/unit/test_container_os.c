/* The agent of a system container is taken from a socket that others can reach, too. */
#include "scratch.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <drivers/container_os.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un address_in(const struct scratch *scratch)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", scratch->path);
	return address;
}

static struct container_os listen_in(const struct scratch *scratch)
{
	struct sockaddr_un address = address_in(scratch);
	struct container_os os = {.used = true};

	os.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	os.words_fd = memfd_create("words", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(os.words_fd, 4096), 0);
	cr_assert_eq(bind(os.listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(os.listen_fd, 1), 0);
	return os;
}

static bool say(const struct scratch *scratch, const char *words)
{
	struct sockaddr_un address = address_in(scratch);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	/* The stream stays open as long as its process lives. */
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       send(fd, words, strlen(words), MSG_NOSIGNAL) == (ssize_t)strlen(words);
}

/* Process 1 of a pid namespace of its own; says something to the socket, or nothing. */
static struct container container_make(const struct scratch *scratch, const char *words)
{
	_cleanup_close_ int home = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	struct container container = CONTAINER_NONE;

	if (unshare(CLONE_NEWPID) < 0)
		cr_skip_test("pid namespaces cannot be made: %s", strerror(errno));
	container.pid = fork();
	if (container.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (words && !say(scratch, words))
			_exit(1);
		for (;;)
			pause();
	}
	cr_assert_eq(setns(home, CLONE_NEWPID), 0);
	container.pidfd = (int)syscall(SYS_pidfd_open, container.pid, 0);
	return container;
}

static void container_end(struct container *container)
{
	kill(container->pid, SIGKILL);
	waitpid(container->pid, NULL, 0);
	close(container->pidfd);
}

static const char *heard(int fd)
{
	static char words[64];
	ssize_t n = read(fd, words, sizeof(words) - 1);

	words[n > 0 ? n : 0] = '\0';
	close(fd);
	return words;
}

Test(container_os, what_an_earlier_container_said_is_forgotten)
{
	_cleanup_(scratch_remove) struct scratch scratch = scratch_make();
	struct container_os os = listen_in(&scratch);
	struct error err = {0};

	cr_assert(say(&scratch, "late"));
	container_os_forget(&os);
	struct container container = container_make(&scratch, "own");
	int fd = container_os_accept(&os, &container, clock_now_ns() + INT64_C(5000000000), &err);
	cr_assert_geq(fd, 0, "%s", err.message);
	cr_expect_str_eq(heard(fd), "own");
	container_end(&container);
	container_os_close(&os);
}

Test(container_os, a_stranger_is_hung_up_on)
{
	_cleanup_(scratch_remove) struct scratch scratch = scratch_make();
	struct container_os os = listen_in(&scratch);
	struct error err = {0};

	cr_assert(say(&scratch, "forged"));
	struct container container = container_make(&scratch, "own");
	int fd = container_os_accept(&os, &container, clock_now_ns() + INT64_C(5000000000), &err);
	cr_assert_geq(fd, 0, "%s", err.message);
	cr_expect_str_eq(heard(fd), "own");
	container_end(&container);
	container_os_close(&os);
}

Test(container_os, a_stranger_alone_is_a_start_that_takes_too_long)
{
	_cleanup_(scratch_remove) struct scratch scratch = scratch_make();
	struct container_os os = listen_in(&scratch);
	struct error err = {0};
	struct container container = container_make(&scratch, NULL);

	cr_assert(say(&scratch, "forged"));
	cr_expect_eq(container_os_accept(&os, &container, clock_now_ns() + INT64_C(200000000), &err), -ETIMEDOUT);
	container_end(&container);
	container_os_close(&os);
}
