/* containers/relay and deliver: bytes and signals on their way into a container and out of it. */
#include <containers/deliver.h>
#include <containers/relay.h>

#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_pipe(int pair[2])
{
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
}

/* Until nothing is left to do, or `rounds` waits are over. */
static void work(struct relay *relay, int rounds)
{
	struct pollfd fds[RELAY_CHANNELS_MAX];

	while (rounds-- > 0 && !relay_is_done(relay)) {
		int timeout_ms = relay_wish(relay, fds);

		if (poll(fds, relay->n, timeout_ms < 0 ? 50 : timeout_ms) > 0 || timeout_ms == 0)
			relay_work(relay, fds);
	}
}

Test(relay, carries_all_bytes_to_the_end, .timeout = 30)
{
	struct relay relay = {0};
	int in[2], out[2];
	char text[16] = "";

	make_pipe(in);
	make_pipe(out);
	fcntl(in[0], F_SETFL, O_NONBLOCK);
	cr_assert_eq(relay_add(&relay, in[0], out[1], true, false, NULL), 0);
	cr_assert_eq(write(in[1], "hello", 5), 5);
	work(&relay, 1);
	cr_expect_eq(read(out[0], text, sizeof(text)), 5);
	cr_expect_str_eq(text, "hello");
	close(in[1]);
	work(&relay, 100);
	cr_expect(relay_is_done(&relay));
	cr_expect_eq(fcntl(out[1], F_GETFL) & O_NONBLOCK, 0, "a descriptor of somebody else stays as it was");
	relay_done(&relay);
}

Test(relay, a_slow_reader_stops_nothing, .timeout = 30)
{
	struct relay relay = {0};
	int in[2], out[2];
	static char block[65536], sink[65536];
	size_t put = 0, got = 0;

	make_pipe(in);
	make_pipe(out);
	fcntl(in[0], F_SETFL, O_NONBLOCK);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	cr_assert_eq(relay_add(&relay, in[0], out[1], true, false, NULL), 0);
	for (int round = 0; round < 8; round++) {
		ssize_t n = write(in[1], block, sizeof(block));

		put += n > 0 ? (size_t)n : 0;
		work(&relay, 3); /* must come back although nobody reads */
	}
	close(in[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	for (ssize_t n; got < put;) {
		work(&relay, 1);
		n = read(out[0], sink, sizeof(sink));
		got += n > 0 ? (size_t)n : 0;
	}
	cr_expect_eq(got, put);
	work(&relay, 10);
	cr_expect(relay_is_done(&relay));
}

Test(relay, a_reader_that_went_ends_the_writer, .timeout = 30)
{
	struct relay relay = {0};
	int in[2], out[2];

	signal(SIGPIPE, SIG_IGN);
	make_pipe(in);
	make_pipe(out);
	fcntl(in[0], F_SETFL, O_NONBLOCK);
	cr_assert_eq(relay_add(&relay, in[0], out[1], true, false, NULL), 0);
	close(out[0]);
	cr_assert_eq(write(in[1], "x", 1), 1);
	work(&relay, 10);
	cr_expect(relay_is_done(&relay));
	cr_expect_eq(write(in[1], "y", 1), -1);
	cr_expect_eq(errno, EPIPE);
}

Test(relay, draining_does_not_wait_for_those_who_hold_the_other_end, .timeout = 30)
{
	struct relay relay = {0};
	int in[2], out[2];
	char text[16] = "";

	make_pipe(in);
	make_pipe(out);
	fcntl(in[0], F_SETFL, O_NONBLOCK);
	cr_assert_eq(relay_add(&relay, in[0], out[1], true, false, NULL), 0);
	cr_assert_eq(write(in[1], "last", 4), 4);
	relay.draining = true; /* in[1] stays open */
	work(&relay, 1000);
	cr_expect(relay_is_done(&relay));
	cr_expect_eq(read(out[0], text, sizeof(text)), 4);
	cr_expect_str_eq(text, "last");
}

Test(relay, the_log_takes_all)
{
	struct scratch scratch = scratch_make();
	struct log_file log = LOG_FILE_NONE;
	struct relay relay = {0};
	int in[2];

	make_pipe(in);
	fcntl(in[0], F_SETFL, O_NONBLOCK);
	cr_assert_eq(log_file_open(scratch.path, 0, &log, NULL), 0);
	cr_assert_eq(relay_add_log(&relay, in[0], &log, NULL), 0);
	cr_assert_eq(write(in[1], "line\n", 5), 5);
	close(in[1]);
	work(&relay, 10);
	cr_expect(relay_is_done(&relay));
	cr_expect_eq(log.size, 5);
	log_file_close(&log);
	scratch_remove(&scratch);
}

/* The file may not grow beyond `bytes`: as on a full disk, a write finds no room. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void say(struct relay *relay, int fd, const char *text)
{
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	work(relay, 1);
}

Test(relay, a_log_without_room_stops_nobody_and_is_told, .timeout = 30)
{
	struct scratch scratch = scratch_make();
	struct log_file log = LOG_FILE_NONE;
	struct relay relay = {0};
	char text[256];
	int in[2];

	signal(SIGXFSZ, SIG_IGN);
	make_pipe(in);
	fcntl(in[0], F_SETFL, O_NONBLOCK);
	cr_assert_eq(log_file_open(scratch.path, 0, &log, NULL), 0);
	cr_assert_eq(relay_add_log(&relay, in[0], &log, NULL), 0);
	limit_files(24);
	say(&relay, in[1], "one line that fits in\n");
	say(&relay, in[1], "lost line\n");
	say(&relay, in[1], "another\n");
	cr_assert_not(relay_is_done(&relay), "the log has ended");
	cr_expect_eq(log_file_lost(scratch.path), 16, "%lld", (long long)log_file_lost(scratch.path));
	limit_files(RLIM_INFINITY);
	say(&relay, in[1], "there is room\n");
	close(in[1]);
	work(&relay, 10);
	log_file_close(&log);
	cr_assert_gt(file_read("", scratch_path(&scratch, "log"), text, sizeof(text), NULL), 0);
	cr_expect_str_eq(text, "one line that fits in\nlo\n[bench: 16 bytes of output are missing here: File too large]\nthere is room");
	scratch_remove(&scratch);
}

Test(deliver, knows_signals_by_name_and_number)
{
	static const struct {
		const char *text;
		int number;
	} good[] = {{"TERM", SIGTERM}, {"SIGKILL", SIGKILL}, {"usr1", SIGUSR1}, {"9", 9}, {"64", 64}};
	static const char *const bad[] = {"", "SIG", "0", "-9", "65", "TERMINATE", "9x"};
	struct error err = {0};
	int number = 0;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect_eq(deliver_parse(good[i].text, &number, &err), 0, "%s", good[i].text);
		cr_expect_eq(number, good[i].number, "%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(deliver_parse(bad[i], &number, &err), -EINVAL, "%s", bad[i]);
}

/* Forks a child with a handler for one signal; how it ended is its wait status. */
static int status_after(int handled, bool own_pids, int sent, int *ret_rc)
{
	int ready[2], status = 0;
	char byte;

	cr_assert_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t set;

		sigemptyset(&set);
		if (handled)
			sigaddset(&set, handled);
		sigprocmask(SIG_SETMASK, &set, NULL); /* blocked: it waits for it */
		if (write(ready[1], "r", 1) < 0 || (handled && sigwait(&set, &sent) != 0))
			_exit(2);
		if (!handled)
			pause();
		_exit(7);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	*ret_rc = deliver_signal(pid, pidfd, own_pids, sent, NULL);
	if (sent == SIGWINCH)
		kill(pid, SIGKILL);
	cr_expect_eq(waitpid(pid, &status, 0), pid);
	close(pidfd);
	close(ready[0]);
	close(ready[1]);
	return status;
}

Test(deliver, carries_out_the_default_that_process_1_is_spared, .timeout = 30)
{
	int rc, status = status_after(0, true, SIGTERM, &rc);

	cr_expect_eq(rc, 1, "SIGKILL in its place");
	cr_expect_eq(WTERMSIG(status), SIGKILL);
	status = status_after(0, false, SIGTERM, &rc);
	cr_expect_eq(rc, 0);
	cr_expect_eq(WTERMSIG(status), SIGTERM);
	status = status_after(SIGTERM, true, SIGTERM, &rc);
	cr_expect_eq(rc, 0, "it waits for that signal");
	cr_expect_eq(WEXITSTATUS(status), 7);
	status_after(0, true, SIGWINCH, &rc);
	cr_expect_eq(rc, 0, "whose default is to do nothing");
}
