/* The agent itself, and the host's end of its protocol. */
#include <bench/agent.h>
#include <bench/workload_spin.h>
#include <drivers/spawn.h>
#include <measure/agent_client.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct instance start_agent(struct timeline *timeline)
{
	const char *const argv[] = {BENCH_AGENT, NULL};
	struct spawn spawn = {.argv = argv, .stderr_fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
	struct instance instance = INSTANCE_NONE;
	struct error err = {0};

	timeline_mark(timeline, MARK_REQUEST);
	cr_assert_eq(spawn_start(&spawn, &instance, timeline, &err), 0, "%s", err.message);
	close(spawn.stderr_fd);
	return instance;
}

static int64_t soon(void)
{
	return clock_now_ns() + INT64_C(10000000000);
}

Test(agent, greets_answers_works_and_ends)
{
	struct timeline timeline = {0};
	struct instance instance = start_agent(&timeline);
	struct agent_client client = {.instance = &instance};
	struct error err = {0};

	cr_assert_eq(agent_client_hello(&client, true, soon(), &timeline, &err), 0, "%s", err.message);
	cr_expect(timeline_has(&timeline, MARK_MAIN));
	cr_expect_not(timeline_has(&timeline, MARK_INIT), "it is not PID 1");
	cr_expect_geq(timeline.at_ns[MARK_MAIN], timeline.at_ns[MARK_LAUNCHED]);
	cr_expect_eq(agent_client_ping(&client, soon(), &err), 0, "%s", err.message);
	cr_expect_eq(agent_client_verify(&client, 100000, 12345, soon(), &err), 0, "%s", err.message);
	cr_expect_eq(write(instance.write_fd, "quit\n", 5), 5);
	cr_expect(spawn_wait(&instance, 10000));
	spawn_close_stream(&instance);
}

Test(agent, ends_with_its_stream)
{
	struct timeline timeline = {0};
	struct instance instance = start_agent(&timeline);

	spawn_close_stream(&instance);
	cr_expect(spawn_wait(&instance, 10000), "an agent whose host died must not stay");
}

Test(agent, bad_lines_are_answered_not_obeyed)
{
	struct timeline timeline = {0};
	struct instance instance = start_agent(&timeline);
	struct agent_client client = {.instance = &instance};
	char flood[3 * AGENT_LINE_MAX], reply[512] = "";
	size_t used = 0;

	cr_assert_eq(agent_client_hello(&client, true, soon(), &timeline, NULL), 0);
	memset(flood, 'x', sizeof(flood));
	flood[sizeof(flood) - 1] = '\n';
	cr_assert_eq(write(instance.write_fd, flood, sizeof(flood)), (ssize_t)sizeof(flood));
	const char *lines = "run nothing\nrun spin ops=-1\nrun spin ops=1x\nrun\nfrobnicate\nping\n";
	cr_assert_eq(write(instance.write_fd, lines, strlen(lines)), (ssize_t)strlen(lines));
	while (!strstr(reply, "pong\n")) {
		ssize_t got = read(instance.read_fd, reply + used, sizeof(reply) - used - 1);

		cr_assert_gt(got, 0);
		used += (size_t)got;
		reply[used] = '\0';
	}
	cr_expect_str_eq(
		reply, "error line too long\nerror no such workload\nerror expected ops=<number> or seed=<number>\n"
		       "error expected ops=<number> or seed=<number>\nerror unknown request; expected ping, run, memory, listen, connect, "
		       "touch, burn, disk, files, write, drop or quit\n"
		       "error unknown request; expected ping, run, memory, listen, connect, touch, burn, disk, files, write, drop or "
		       "quit\npong\n");
	spawn_close_stream(&instance);
	spawn_wait(&instance, 10000);
}

Test(spin, skipping_ahead_is_stepping)
{
	uint64_t state = 7;

	for (uint64_t step = 0; step <= 1000; step++) {
		cr_assert_eq(spin_skip(step, 7), state, "step %d", (int)step);
		state = state * SPIN_MULTIPLIER + SPIN_INCREMENT;
	}
}

/* A client whose agent says what we want. */
static struct instance scripted(int *ret_peer, const char *text)
{
	struct instance instance = INSTANCE_NONE;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(write(pair[1], text, strlen(text)), (ssize_t)strlen(text));
	instance.read_fd = instance.write_fd = pair[0];
	*ret_peer = pair[1];
	return instance;
}

Test(client, a_guest_is_stamped_on_arrival_and_may_be_preceded_by_noise)
{
	struct timeline timeline = {0};
	int peer;
	struct instance instance = scripted(&peer, "SeaBIOS\r\nnoisemark init\r\nhello bench-agent 1 pid=1 start_ns=5\n");
	struct agent_client client = {.instance = &instance};

	timeline_mark(&timeline, MARK_REQUEST);
	cr_expect_eq(agent_client_hello(&client, false, soon(), &timeline, NULL), 0);
	cr_expect_geq(timeline.at_ns[MARK_INIT], timeline.at_ns[MARK_REQUEST]);
	cr_expect_geq(timeline.at_ns[MARK_MAIN], timeline.at_ns[MARK_INIT], "never the guest's own clock");
}

Test(client, a_guest_tells_of_its_runtime_and_of_a_container_that_is_gone)
{
	struct timeline timeline = {0};
	struct error err = {0};
	int peer;
	struct instance instance = scripted(&peer, "mark init\nmark runtime\nhello bench-agent 1 pid=1 start_ns=5\ngone only: signal 9\n");
	struct agent_client client = {.instance = &instance};

	timeline_mark(&timeline, MARK_REQUEST);
	cr_assert_eq(agent_client_hello(&client, false, soon(), &timeline, &err), 0, "%s", err.message);
	cr_expect(client.runtime_ns >= timeline.at_ns[MARK_INIT] && client.runtime_ns <= timeline.at_ns[MARK_MAIN]);
	cr_expect_eq(agent_client_ping(&client, soon(), &err), -ECHILD);
	cr_expect(strstr(err.message, "signal 9"), "%s", err.message);
}

Test(client, a_stamp_outside_the_request_is_not_believed)
{
	struct timeline timeline = {0};
	int peer;
	struct instance instance = scripted(&peer, "hello bench-agent 1 pid=1 start_ns=5\n");
	struct agent_client client = {.instance = &instance};

	timeline_mark(&timeline, MARK_REQUEST);
	cr_expect_eq(agent_client_hello(&client, true, soon(), &timeline, NULL), 0);
	cr_expect_not(timeline_has(&timeline, MARK_MAIN));
}

Test(client, silence_end_and_lies_are_told_apart)
{
	struct error err = {0};
	struct timeline timeline = {0};
	int peer;
	struct instance instance = scripted(&peer, "hel");
	struct agent_client client = {.instance = &instance};

	cr_expect_eq(agent_client_hello(&client, true, clock_now_ns() + 20000000, &timeline, &err), -ETIMEDOUT);
	close(peer);
	cr_expect_eq(agent_client_hello(&client, true, soon(), &timeline, &err), -EPIPE);
	struct instance other = scripted(&peer, "hello bench-agent 99 pid=1\n");
	struct agent_client second = {.instance = &other};
	cr_expect_eq(agent_client_hello(&second, true, soon(), &timeline, &err), -EPROTO);
	struct instance liar = scripted(&peer, "begin\nend {\"ops\":10,\"checksum\":\"0000000000000000\"}\n");
	struct agent_client third = {.instance = &liar};
	cr_expect_eq(agent_client_verify(&third, 10, 1, soon(), &err), -EBADMSG);
	char flood[AGENT_LINE_MAX + 1];
	memset(flood, 'x', sizeof(flood) - 1);
	flood[sizeof(flood) - 1] = '\0';
	struct instance flooder = scripted(&peer, flood);
	struct agent_client fourth = {.instance = &flooder};
	cr_expect_eq(agent_client_hello(&fourth, true, soon(), &timeline, &err), -EBADMSG);
}
