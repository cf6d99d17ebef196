/* network/user: pasta and slirp4netns for an ordinary user. Rights are given up by the test itself; both programs are tried where they are installed. */
#include "network_fixture.h"
#include "tun_fixture.h"

#include <network/user.h>

#include <base/journal.h>
#include <bench/timeline.h>

#include <dirent.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/types.h>

enum { NOBODY = 65534, GATEWAY_TEXT = 20 };

static void give_up_rights(void)
{
	if (geteuid() != 0)
		return;
	cr_assert_eq(setgroups(0, NULL), 0);
	cr_assert_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
	cr_assert_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
	cr_assert_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* else /proc/PID of our children belongs to root */
}

static bool write_to(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* What is asked of the member: connect to an address inside, or end. Answer: errno of the connection, 0 when there is one. */
struct question {
	char address[20];
	uint16_t port;
};

static int try_connect(const struct question *question)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(question->port)};
	struct timeval timeout = {.tv_sec = 3};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, question->address, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : errno;
}

static void be_member(int fd, uid_t uid, gid_t gid)
{
	struct question question;
	char map[32];
	int answer = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		_exit(1);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	if (!write_to("/proc/self/uid_map", map) || !write_to("/proc/self/setgroups", "deny"))
		_exit(2);
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	if (!write_to("/proc/self/gid_map", map) || write(fd, &answer, sizeof(answer)) != sizeof(answer))
		_exit(3);
	while (read(fd, &question, sizeof(question)) == sizeof(question)) {
		answer = try_connect(&question);
		if (write(fd, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

struct member {
	pid_t pid;
	int fd;
};

static struct member member_start(void)
{
	struct member member;
	int ends[2], answer, status;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	member.pid = fork();
	if (member.pid == 0) {
		close(ends[0]);
		be_member(ends[1], geteuid(), getegid());
	}
	close(ends[1]);
	member.fd = ends[0];
	if (read(member.fd, &answer, sizeof(answer)) != sizeof(answer)) {
		waitpid(member.pid, &status, 0);
		cr_skip_test("no user namespaces for ordinary users here");
	}
	return member;
}

static int ask(const struct member *member, const char *address, uint16_t port)
{
	struct question question = {.port = port};
	int answer = -1;

	snprintf(question.address, sizeof(question.address), "%s", address);
	cr_assert_eq(write(member->fd, &question, sizeof(question)), (ssize_t)sizeof(question));
	cr_assert_eq(read(member->fd, &answer, sizeof(answer)), (ssize_t)sizeof(answer));
	return answer;
}

static void member_end(struct member *member)
{
	close(member->fd);
	cr_assert_eq(waitpid(member->pid, NULL, 0), member->pid);
}

/* Gateway of the default route that goes by tap0, and whether an address other than loopback is there. */
static void look_inside(pid_t pid, char ret_gateway[GATEWAY_TEXT], bool *ret_has_address)
{
	char path[64], text[8192];
	unsigned gateway = 0;

	snprintf(path, sizeof(path), "/proc/%d/net/route", (int)pid);
	cr_assert_gt(file_read("", path, text, sizeof(text), NULL), 0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "tap0\t00000000\t", 14) == 0)
			gateway = (unsigned)strtoul(line + 14, NULL, 16);
	inet_ntop(AF_INET, &gateway, ret_gateway, GATEWAY_TEXT);
	snprintf(path, sizeof(path), "/proc/%d/net/fib_trie", (int)pid);
	cr_assert_gt(file_read("", path, text, sizeof(text), NULL), 0);
	*ret_has_address = strstr(text, "host LOCAL");
}

static void check_program(const char *program)
{
	char path[256], gateway[GATEWAY_TEXT];
	struct network_user *user = NULL;
	struct error err = {0};
	bool has_address;

	tun_for_all();
	if (network_user_support(program, path, sizeof(path), &err) < 0)
		cr_skip_test("%s", err.message);
	/* Something listens on the host's loopback that must not be reached. */
	_cleanup_close_ int listener = listen_in(-1, 0);
	struct sockaddr_in bound;
	socklen_t length = sizeof(bound);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&bound, &length), 0);
	give_up_rights();
	struct scratch scratch = scratch_make();
	struct journal *journal = NULL;
	cr_assert_eq(journal_open(scratch_path(&scratch, "w0.journal"), &journal, NULL), 0);
	struct member member = member_start();
	int64_t start_ns = clock_now_ns();
	int rc = network_user_start(&(struct network_user_options){.pid = member.pid, .program = program, .journal = journal}, &user, &err);
	cr_assert_eq(rc, 0, "%s", err.message);
	fprintf(stderr, "%s: ready after %.1f ms\n", network_user_program(user), (double)(clock_now_ns() - start_ns) / 1e6);
	look_inside(member.pid, gateway, &has_address);
	cr_expect(has_address, "tap0 has no address");
	cr_expect_str_neq(gateway, "0.0.0.0", "there is no default route by tap0");
	cr_expect_neq(ask(&member, gateway, ntohs(bound.sin_port)), 0, "the host's loopback is reached by the gateway %s", gateway);
	cr_expect_neq(ask(&member, "127.0.0.1", ntohs(bound.sin_port)), 0, "the host's loopback is reached");
	pid_t pid = network_user_pid(user);
	struct pollfd pfd = {.fd = network_user_fd(user), .events = POLLIN};
	cr_expect_eq(poll(&pfd, 1, 0), 0, "it has ended");
	cr_expect_eq(journal_leftovers(scratch_path(&scratch, "w0.journal"), NULL, NULL), 1);
	network_user_stop(user);
	cr_expect_eq(kill(pid, 0), -1, "it is still there");
	cr_expect_eq(journal_leftovers(scratch_path(&scratch, "w0.journal"), NULL, NULL), 0);
	member_end(&member);
	journal_close(journal);
	scratch_remove(&scratch);
}

Test(network_user, pasta_gives_a_link_and_not_the_host_s_loopback)
{
	check_program("pasta");
}

Test(network_user, slirp4netns_gives_a_link_and_not_the_host_s_loopback)
{
	check_program("slirp4netns");
}

static int open_descriptors(void)
{
	_cleanup_closedir_ DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	return count;
}

Test(network_user, failures_are_told_and_leave_nothing)
{
	char path[256];
	struct network_user *user = NULL;
	struct error err = {0};

	cr_expect_eq(network_user_support("netcat", path, sizeof(path), &err), -ENOENT);
	cr_expect_neq(err.hint[0], '\0');
	cr_assert_eq(setenv("PATH", "/nowhere", 1), 0);
	cr_expect_eq(network_user_start(&(struct network_user_options){.pid = getpid()}, &user, &err), -ENOENT);
	cr_assert_eq(setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1), 0);
	if (network_user_support(NULL, path, sizeof(path), &err) < 0)
		cr_skip_test("%s", err.message);
	int before = open_descriptors();
	pid_t gone = fork();
	if (gone == 0)
		_exit(0);
	cr_assert_eq(waitpid(gone, NULL, 0), gone);
	cr_expect_lt(network_user_start(&(struct network_user_options){.pid = gone, .timeout_ms = 2000}, &user, &err), 0);
	cr_expect(strstr(err.message, "pasta") || strstr(err.message, "slirp4netns"), "%s", err.message);
	fprintf(stderr, "%s\n", err.message);
	cr_expect_null(user);
	cr_expect_eq(open_descriptors(), before);
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a child is left");
}
