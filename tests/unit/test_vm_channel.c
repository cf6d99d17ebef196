/* Streams of a guest: who connected, and what its console said last. */
#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <criterion/criterion.h>
#include <vmdriver/channel.h>
#include <vmdriver/connection.h>
#include <vmdriver/vm.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

Test(vm_channel, knows_who_connected)
{
	char dir[] = "/tmp/channel-test-XXXXXX", path[64];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	pid_t pid = 0;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);

	int listener = channel_listen(path, NULL);

	cr_assert_geq(listener, 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(channel_accept(listener, &pid, NULL), -EAGAIN);

	int client = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);

	int fd = channel_accept(listener, &pid, NULL);

	cr_assert_geq(fd, 0);
	cr_assert_eq(pid, getpid());
	close(fd);
	close(client);
	close(listener);
	unlink(path);
	rmdir(dir);
}

/* The number that a descriptor of a process stands for; -1: it has ended, 0: no such descriptor. */
static int number_of(int pidfd)
{
	char path[64], text[4096], value[32];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	return file_read("", path, text, sizeof(text), NULL) > 0 && text_field(text, "Pid", value, sizeof(value)) ? atoi(value) : 0;
}

/* Who connected may have ended, and its number may be another's. */
Test(vm_channel, holds_the_process_that_connected_and_no_other)
{
	enum { PEERPIDFD = 77 };
	int pair[2], held = -1;
	socklen_t length = sizeof(held);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	if (getsockopt(pair[0], SOL_SOCKET, PEERPIDFD, &held, &length) < 0)
		cr_skip_test("this kernel goes by the number: %s", strerror(errno));
	close(held);
	/* A number that means another process by now. */
	held = channel_peer(pair[0], getppid());
	cr_expect_eq(number_of(held), (int)getpid());
	close(held);
}

Test(vm_channel, a_path_that_is_too_long_is_said)
{
	char path[200];
	struct error err = {0};

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[199] = '\0';
	cr_assert_eq(channel_listen(path, &err), -ENAMETOOLONG);
	cr_assert(strstr(err.message, "longer than"));
}

/* Plays a text to a console and waits until it was drained. */
static void play(struct console *console, const char *const texts[], size_t n)
{
	int ends[2];

	console_init(console);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(console_start(console, ends[0], NULL), 0);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(write(ends[1], texts[i], strlen(texts[i])), (ssize_t)strlen(texts[i]));
	close(ends[1]); /* the thread ends when it has read all */
	pthread_join(console->thread, NULL);
	console->runs = false;
}

Test(vm_channel, quotes_the_panic)
{
	struct console console;
	char line[256] = "";

	play(&console,
	     (const char *const[]){"[    0.1] something\r\n[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n",
				   "[    1.3] CPU: 0\r\n[    1.4] Call Trace:\r\n"},
	     2);
	cr_assert(console_panic(&console, line, sizeof(line)));
	cr_assert_str_eq(line, "Kernel panic - not syncing: VFS: Unable to mount root fs");
	cr_assert(console_last_line(&console, line, sizeof(line)));
	cr_assert_str_eq(line, "Call Trace:");
	console_done(&console);
}

Test(vm_channel, the_reason_stands_before_the_farewell)
{
	struct console console;
	char line[64];

	play(&console, (const char *const[]){"bench-agent: it cannot be\n[    2.1] reboot: Power down\n"}, 1);
	cr_assert(console_last_line(&console, line, sizeof(line)));
	cr_assert_str_eq(line, "bench-agent: it cannot be");
	console_done(&console);
}

Test(vm_channel, silence_is_no_line)
{
	struct console console;
	char line[64];

	play(&console, (const char *const[]){"\r\n  \r\n\x1b\n"}, 1);
	cr_assert(!console_panic(&console, line, sizeof(line)));
	cr_assert(!console_last_line(&console, line, sizeof(line)));
	console_done(&console);
}

Test(vm_channel, keeps_the_newest)
{
	struct console console;
	char line[64], text[3000];
	const char *texts[22];

	memset(text, 'x', sizeof(text) - 2);
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 21; i++)
		texts[i] = text;
	texts[21] = "the end";
	play(&console, texts, 22);
	cr_assert_leq(console.used, CONSOLE_BYTES);
	cr_assert(console_last_line(&console, line, sizeof(line)));
	cr_assert_str_eq(line, "the end");
	console_done(&console);
}

Test(vm_connection, which_uris)
{
	static const struct {
		const char *uri;
		int rc;
	} cases[] = {
		{"qemu:///embed", 0},
		{"qemu:///system", 0},
		{"qemu:///session", 0},
		{"qemu+unix:///system?socket=/run/x", 0},
		{"test:///default", 0},
		{"qemu+ssh://user@host/system?no_tty=1", 0},
		{"qemu://host/system", 0},
		{"qemu+tls:///system", 0},
		{"qemu+ssh://host/session", -ENOTSUP},
		{"qemu+ssh://host/embed", -ENOTSUP},
		{"xen+ssh://host/system", -ENOTSUP},
		{"qemu:///embed?root=/tmp/x", -ENOTSUP},
		{"xen:///system", -ENOTSUP},
		{"qem:///system", -ENOTSUP},
		{"lxc:///", -ENOTSUP},
		{"", -EINVAL},
		{"nonsense", -EINVAL},
		{"://", -EINVAL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};

		cr_assert_eq(connection_check_uri(cases[i].uri, &err), cases[i].rc, "'%s': %s", cases[i].uri, err.message);
		cr_assert(cases[i].rc == 0 || (err.message[0] && err.hint[0]), "'%s'", cases[i].uri);
	}
}

/* libvirt's own pretence, which tests of ours look at, starts no guest. */
Test(vm_connection, a_pretence_is_no_machine)
{
	const struct vm_options options = {
		.uri = "test:///default", .run_dir = "/run/x", .cache_dir = "/nonexistent", .memory_bytes = 128 << 20, .vcpus = 1};
	struct vm_host *host = NULL;
	struct error err = {0};

	cr_expect_eq(vm_host_open(&options, &host, &err), -ENOTSUP);
	cr_expect(strstr(err.message, "test:///default") && strstr(err.hint, VM_URI_EMBED), "%s (%s)", err.message, err.hint);
}

Test(vm_connection, which_are_remote)
{
	static const struct {
		const char *uri;
		bool daemon, remote;
	} cases[] = {
		{"qemu:///embed", false, false},
		{"test:///default", false, false},
		{"qemu:///system", true, false},
		{"qemu:///session", true, false},
		{"qemu+unix:///system?socket=/run/x", true, false},
		{"qemu://host/system", true, true},
		{"qemu+ssh://host/system", true, true},
		{"qemu+tcp://127.0.0.1:1234/system", true, true},
		{"qemu+tls:///system", true, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(connection_uri_is_daemon(cases[i].uri), cases[i].daemon, "'%s'", cases[i].uri);
		cr_expect_eq(connection_uri_is_remote(cases[i].uri), cases[i].remote, "'%s'", cases[i].uri);
	}
}
