/* base/process: tools that we run to their end. */
#include <base/files.h>
#include <base/process.h>
#include <bench/timeline.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A zombie is dead; who reaps it is not our business. */
static bool is_alive(pid_t pid)
{
	char path[64], text[1024] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return file_read("", path, text, sizeof(text), NULL) > 0 && !strstr(text, ") Z ");
}

Test(process, status_and_output)
{
	const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
	char output[64];

	cr_expect_eq(process_run(argv, NULL, 10000, false, output, sizeof(output), NULL), 3);
	cr_expect_str_eq(output, "out\n");
	cr_expect_eq(process_run(argv, NULL, 10000, true, output, sizeof(output), NULL), 3);
	cr_expect_str_eq(output, "out\nerr\n");
	cr_expect_eq(process_run(argv, "/proc", 10000, true, NULL, 0, NULL), 3);
}

Test(process, signals_and_missing_programs)
{
	const char *const killed[] = {"sh", "-c", "kill -9 $$", NULL}, *const missing[] = {"no-such-program-here", NULL};
	struct error err = {0};

	cr_expect_eq(process_run(killed, NULL, 10000, false, NULL, 0, NULL), 128 + 9);
	cr_expect_eq(process_run(missing, NULL, 10000, false, NULL, 0, &err), -ENOENT);
	cr_expect(strstr(err.message, "no-such-program-here"));
}

Test(process, ends_what_takes_too_long)
{
	const char *const argv[] = {"sleep", "1000", NULL};
	int64_t start_ns = clock_now_ns();
	struct error err = {0};

	cr_expect_eq(process_run(argv, NULL, 50, false, NULL, 0, &err), -ETIMEDOUT);
	cr_expect_geq(clock_now_ns() - start_ns, 50000000);
	cr_expect(strstr(err.message, "sleep"));
}

/* As a tool's helper would live on, which holds what the tool had. */
Test(process, ends_what_the_tool_has_started)
{
	const char *const argv[] = {"sh", "-c", "sleep 1000 & echo $!; wait", NULL};
	int64_t deadline_ns = clock_now_ns() + INT64_C(5000000000);
	char output[64];

	cr_expect_eq(process_run(argv, NULL, 500, false, output, sizeof(output), NULL), -ETIMEDOUT);
	pid_t helper = (pid_t)strtol(output, NULL, 10);
	cr_assert_gt(helper, 1, "'%s'", output);
	while (is_alive(helper) && clock_now_ns() < deadline_ns)
		poll(NULL, 0, 1);
	cr_expect_not(is_alive(helper), "the helper lives");
	if (is_alive(helper))
		kill(helper, SIGKILL);
}

/* Whoever runs one is killed: nobody would wait for the tool. */
Test(process, ends_with_whoever_waits_for_it)
{
	int64_t deadline_ns = clock_now_ns() + INT64_C(5000000000);
	char path[] = "/tmp/bench-unit.XXXXXX", text[32] = "";
	int fd = mkstemp(path);
	char command[128];

	cr_assert_geq(fd, 0);
	snprintf(command, sizeof(command), "echo $$ >%s; exec sleep 1000", path);
	const char *const tool[] = {"sh", "-c", command, NULL};
	pid_t runner = fork();
	if (runner == 0)
		_exit(process_run(tool, NULL, 100000, false, NULL, 0, NULL) != 0);
	while (pread(fd, text, sizeof(text) - 1, 0) <= 0 && clock_now_ns() < deadline_ns)
		poll(NULL, 0, 1);
	pid_t pid = (pid_t)strtol(text, NULL, 10);
	cr_assert_gt(pid, 1);
	kill(runner, SIGKILL);
	waitpid(runner, NULL, 0);
	while (is_alive(pid) && clock_now_ns() < deadline_ns)
		poll(NULL, 0, 1);
	cr_expect_not(is_alive(pid), "the tool lives");
	if (is_alive(pid))
		kill(pid, SIGKILL);
	close(fd);
	unlink(path);
}

Test(process, more_output_than_room_does_not_block)
{
	const char *const argv[] = {"sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x", NULL};
	char output[10];

	cr_expect_eq(process_run(argv, NULL, 20000, false, output, sizeof(output), NULL), 0);
	cr_expect_str_eq(output, "xxxxxxxxx");
}

Test(process, tools_speak_a_neutral_language)
{
	const char *const argv[] = {"sh", "-c", "echo $LC_ALL $KEPT", NULL};
	char output[64];

	setenv("LC_ALL", "de_DE.UTF-8", 1);
	setenv("KEPT", "yes", 1);
	cr_expect_eq(process_run(argv, NULL, 10000, false, output, sizeof(output), NULL), 0);
	cr_expect_str_eq(output, "C yes\n");
	cr_expect_str_eq(getenv("LC_ALL"), "de_DE.UTF-8", "ours is left alone");
}

Test(process, start_ticks_name_a_process)
{
	char path[4096];

	cr_expect_gt(process_start_ticks(getpid()), 0);
	cr_expect_eq(process_start_ticks(getpid()), process_start_ticks(getpid()));
	cr_expect_eq(process_start_ticks(0x3fffffff), -1);
	cr_expect(process_find("sh", path, sizeof(path)));
	cr_expect_not(process_find("no-such-program-here", path, sizeof(path)));
}

Test(process, no_descriptor_of_ours_reaches_a_tool)
{
	static const char *const argv[] = {"ls", "/proc/self/fd", NULL};
	char output[256];
	int fd = fcntl(0, F_DUPFD, 40);

	cr_assert_geq(fd, 40);
	cr_assert_eq(process_run(argv, NULL, 10000, true, output, sizeof(output), NULL), 0, "%s", output);
	cr_expect_str_eq(output, "0\n1\n2\n3\n"); /* the last is the folder itself */
	close(fd);
}
