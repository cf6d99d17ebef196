/* Further processes in real containers: where they are, what they may, how they end, and what the container sees of them on their way in. */
#include "runtime_fixture.h"

#include <runtime/capabilities.h>

#include <base/process.h>

#include <signal.h>
#include <sys/ioctl.h>

TestSuite(container_exec, .init = setup, .fini = teardown, .timeout = 120);

static struct container_exec_options entry_into(const struct run *run)
{
	struct container_exec_options options = {.pid = run->container.pid, .argv = shell, .envp = environment, .capabilities = UINT64_MAX};

	for (size_t i = 0; i < run->container.cgroup.n_dirs; i++)
		options.cgroup_dirs[i] = run->container.cgroup.dirs[i];
	return options;
}

static void stop_entered(struct container *entered)
{
	struct error err = {0};

	cr_expect_eq(container_stop(NULL, entered, &err), 0, "%s", err.message);
	cr_expect_eq(container_stop(NULL, entered, &err), 0, "a second stop is fine");
}

/* Runs a script in a further process to its end; returns its exit status. */
static int enter(const struct container_exec_options *options, const char *script, char *ret, size_t size)
{
	struct run run = {.container = CONTAINER_NONE};
	struct error err = {0};
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	const int stdio[3] = {pair[1], pair[1], pair[1]};
	int rc = container_exec(options, stdio, &run.container, &err);
	close(pair[1]);
	cr_assert_eq(rc, 0, "%s (%s)", err.message, err.hint);
	run.stream = pair[0];
	talk(&run, script, ret, size);
	cr_expect_eq(poll(&(struct pollfd){.fd = run.container.pidfd, .events = POLLIN}, 1, 5000), 1);
	stop_entered(&run.container);
	close(run.stream);
	return run.container.status;
}

/* -errno of an entry that fails, with its error; nothing is left of it. */
static int refused(const struct container_exec_options *options, struct error *err)
{
	struct container entered = CONTAINER_NONE;
	int rc = container_exec(options, (const int[3]){-1, -1, -1}, &entered, err);

	cr_expect_lt(rc, 0, "it went in");
	cr_expect(entered.pid == 0 && entered.pidfd == -1, "untouched on failure");
	if (rc == 0)
		stop_entered(&entered);
	return rc;
}

static void link_of(pid_t pid, const char *name, char ret[64])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	ssize_t length = readlink(path, ret, 63);
	ret[length > 0 ? length : 0] = '\0';
}

static void expect_same_surroundings(const struct run *run, pid_t entered)
{
	static const char *const names[] = {"user", "mnt", "pid", "pid_for_children", "net", "uts", "ipc", "cgroup", "time"};
	char theirs[64], its[64], path[64], groups[4096], its_groups[4096];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		link_of(run->container.pid, names[i], theirs);
		link_of(entered, names[i], its);
		cr_expect(theirs[0] && strcmp(theirs, its) == 0, "%s: '%s' and '%s'", names[i], theirs, its);
	}
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)run->container.pid);
	cr_assert_gt(file_read("", path, groups, sizeof(groups), NULL), 0);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)entered);
	cr_assert_gt(file_read("", path, its_groups, sizeof(its_groups), NULL), 0);
	cr_expect_str_eq(its_groups, groups);
}

/* A process that stays, seen from outside. */
static void check_surroundings(const struct container_options *options)
{
	struct run run = start(options);
	struct container_exec_options entry = entry_into(&run);
	struct container entered = CONTAINER_NONE;
	struct error err = {0};

	entry.argv = (const char *const[]){"/busybox", "sleep", "100", NULL};
	cr_assert_eq(container_exec(&entry, (const int[3]){-1, -1, -1}, &entered, &err), 0, "%s (%s)", err.message, err.hint);
	expect_same_surroundings(&run, entered.pid);
	stop_entered(&entered);
	cr_expect_eq(entered.status, 128 + SIGKILL);
	end(&run);
}

static void check_inside(void)
{
	static const char script[] =
		"A=/busybox; echo cwd=$(pwd) uid=$($A id -u):$($A id -g):$($A id -G) umask=$(umask) nofile=$(ulimit -n) core=$(ulimit -c)\n"
		"echo fds=; $A ls /proc/$$/fd; echo end; echo env=$GREETING\n"
		"$A grep -E '^(Cap|NoNew|Seccomp|SigIgn|SigBlk)' /proc/self/status; echo session=$($A cut -d' ' -f5,6 /proc/$$/stat) "
		"me=$$\n"
		"$A unshare -n $A true 2>&1; $A mount -t tmpfs x /tmp 2>&1; echo tty=$($A cut -d' ' -f7 /proc/$$/stat)\n"
		"$A readlink /proc/self/exe; $A readlink /proc/self/root; exit 7\n";
	struct container_options options = options_here();
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	char text[8192], session[64];
	int own = 0;

	entry.working_dir = "/tmp";
	cr_expect_eq(enter(&entry, script, text, sizeof(text)), 7);
	EXPECT_LINE(text, "cwd=/tmp uid=0:0:0");
	EXPECT_LINE(text, "umask=0022 nofile=1024 core=0\n");
	EXPECT_LINE(text, "fds=\n0\n1\n2\nend\n");
	EXPECT_LINE(text, "env=hello\n");
	EXPECT_LINE(text, "CapInh:\t0000000000000000");
	EXPECT_LINE(text, "CapPrm:\t00000000000004fb");
	EXPECT_LINE(text, "CapEff:\t00000000000004fb");
	EXPECT_LINE(text, "CapBnd:\t00000000000004fb");
	EXPECT_LINE(text, "CapAmb:\t0000000000000000");
	EXPECT_LINE(text, "NoNewPrivs:\t1");
	EXPECT_LINE(text, "Seccomp:\t2");
	EXPECT_LINE(text, "Seccomp_filters:\t2");
	EXPECT_LINE(text, "SigBlk:\t0000000000000000");
	EXPECT_LINE(text, "SigIgn:\t0000000000000000");
	EXPECT_LINE(text, "unshare(0x40000000): Operation not permitted");
	EXPECT_LINE(text, "mount: ");
	EXPECT_LINE(text, "tty=0\n");
	EXPECT_LINE(text, "\n/busybox\n/\n");
	const char *me = strstr(text, "me=");
	cr_assert_not_null(me);
	own = (int)strtol(me + 3, NULL, 10);
	cr_expect_gt(own, 1);
	snprintf(session, sizeof(session), "session=%d %d ", own, own);
	EXPECT_LINE(text, session);
	end(&run);
}

Test(container_exec, is_where_the_container_is)
{
	struct container_options options = options_here();

	check_surroundings(&options);
	if (geteuid() != 0)
		return;
	options.userns = CONTAINER_OFF;
	check_surroundings(&options);
}

Test(container_exec, is_where_the_container_is_without_root)
{
	struct container_options options;
	struct error err = {0};

	become_ordinary();
	options = options_here();
	if (container_support(&options, &err) == CONTAINER_UNSUPPORTED)
		cannot_run(err.message);
	check_surroundings(&options);
	check_inside();
}

Test(container_exec, has_the_restrictions_of_the_container)
{
	signal(SIGUSR1, SIG_IGN);                   /* must not be inherited */
	int leaked = open("/etc/passwd", O_RDONLY); /* without O_CLOEXEC on purpose */

	check_inside();
	close(leaked);
}

Test(container_exec, joins_whatever_namespaces_there_are)
{
	for (unsigned flag = 1; flag < CONTAINER_NS_ALL; flag <<= 1) {
		struct container_options options = options_here();

		options.namespaces = CONTAINER_NS_ALL & ~flag;
		check_surroundings(&options);
	}
}

/* Where the mounts are the host's, the root is not. */
Test(container_exec, stays_in_the_root_of_a_container_with_our_mounts)
{
	struct container_options options = options_here();
	char text[256];

	if (geteuid() != 0)
		skip("needs root");
	options.namespaces = CONTAINER_NS_ALL & ~(unsigned)CONTAINER_NS_MOUNT;
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	enter(&entry, "/busybox ls -d /busybox /etc/passwd; pwd\n", text, sizeof(text));
	EXPECT_LINE(text, "/busybox\n/");
	EXPECT_LINE(text, "/etc/passwd: No such file");
	end(&run);
}

static void check_user(enum container_choice userns)
{
	struct container_options options = options_here();
	char text[1024];

	options.userns = userns;
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	entry.run_uid = 1000;
	entry.run_gid = 1001;
	enter(&entry, "/busybox id -u; /busybox id -G; /busybox grep -E 'Cap(Prm|Eff|Bnd)|Groups' /proc/self/status\n", text, sizeof(text));
	cr_expect_str_eq(text, "1000\n1001\nGroups:\t \nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000000004fb\n");
	end(&run);
}

Test(container_exec, is_the_user_that_was_asked_for)
{
	if (geteuid() != 0)
		skip("needs root");
	check_user(CONTAINER_AUTO);
	check_user(CONTAINER_OFF);
}

Test(container_exec, has_the_capabilities_that_both_agree_on)
{
	struct container_options options = options_here();
	char text[1024];

	options.capabilities_drop = capabilities_default() & ~(UINT64_C(1) << 0 | UINT64_C(1) << 5);
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	entry.capabilities = UINT64_C(1) << 5 | UINT64_C(1) << 21; /* KILL, which it has, and SYS_ADMIN */
	enter(&entry, "/busybox grep -E 'Cap(Prm|Bnd)' /proc/self/status\n", text, sizeof(text));
	cr_expect_str_eq(text, "CapPrm:\t0000000000000020\nCapBnd:\t0000000000000020\n");
	end(&run);
}

Test(container_exec, goes_without_a_filter_where_told_so)
{
	struct container_options options = options_here();
	char text[1024];

	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	entry.seccomp_off = true;
	enter(&entry, "/busybox grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status\n", text, sizeof(text));
	cr_expect_str_eq(text, "NoNewPrivs:\t1\nSeccomp:\t0\n");
	end(&run);
}

Test(container_exec, has_a_terminal)
{
	struct container_options options = options_here();
	struct error err = {0};
	char text[1024] = "", *end_of = text;

	options.terminal = true;
	struct run run = {.plan = plan_for(&options), .container = CONTAINER_NONE};
	cr_assert_eq(container_start(run.plan, "c-1", (const int[3]){-1, -1, -1}, 0, &run.container, &err), 0, "%s", err.message);
	run.stream = run.container.terminal_fd;
	struct container_exec_options entry = entry_into(&run);
	struct container entered = CONTAINER_NONE;
	entry.terminal = true;
	entry.argv = (const char *const[]){"/busybox", "sh", "-c",
					   "/busybox tty; for i in 0 1 2; do test -t $i && echo is$i; done; echo opened > /dev/tty; "
					   "/busybox stat -c 'owner %u' $(/busybox tty); read line; echo got $line",
					   NULL};
	cr_assert_eq(container_exec(&entry, (const int[3]){-1, -1, -1}, &entered, &err), 0, "%s (%s)", err.message, err.hint);
	cr_assert_geq(entered.terminal_fd, 0);
	cr_expect_eq(write(entered.terminal_fd, "hello\n", 6), 6);
	for (ssize_t got; (got = read(entered.terminal_fd, end_of, (size_t)(text + sizeof(text) - 1 - end_of))) > 0; *end_of = '\0')
		end_of += got;
	EXPECT_LINE(text, "/dev/pts/1\r\n");
	EXPECT_LINE(text, "is0\r\nis1\r\nis2\r\nopened\r\nowner 0\r\n");
	EXPECT_LINE(text, "got hello\r\n");
	close(entered.terminal_fd);
	stop_entered(&entered);
	end(&run);
}

Test(container_exec, says_when_there_are_no_terminals)
{
	struct container_options options = options_here();
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	struct error err = {0};

	entry.terminal = true;
	cr_expect_eq(refused(&entry, &err), -ENOTTY, "%s", err.message);
	cr_expect_not_null(strstr(err.hint, "--tty"), "%s", err.hint);
	end(&run);
}

Test(container_exec, ends_with_the_container)
{
	struct container_options options = options_here();
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	struct container entered = CONTAINER_NONE;
	struct error err = {0};

	entry.argv = (const char *const[]){"/busybox", "sleep", "100", NULL};
	entry.start_ticks = process_start_ticks(entry.pid) + 1;
	cr_expect_eq(refused(&entry, &err), -ESRCH, "its number has passed to another: %s", err.message);
	entry.start_ticks--;
	cr_assert_eq(container_exec(&entry, (const int[3]){-1, -1, -1}, &entered, &err), 0, "%s (%s)", err.message, err.hint);
	cr_assert_eq(syscall(SYS_pidfd_send_signal, run.container.pidfd, SIGKILL, NULL, 0), 0);
	cr_expect_eq(poll(&(struct pollfd){.fd = entered.pidfd, .events = POLLIN}, 1, 5000), 1, "it lives on");
	stop_entered(&entered);
	cr_expect_eq(entered.status, 128 + SIGKILL);
	cr_expect_eq(refused(&entry, &err), -ESRCH, "%s", err.message);
	end(&run);
	cr_expect_eq(refused(&entry, &err), -ESRCH, "%s", err.message);
}

/* A parent that is killed takes it along. The parent is a process of ours; what it entered is told by a pipe. */
Test(container_exec, ends_with_who_entered)
{
	struct container_options options = options_here();
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	struct container entered = CONTAINER_NONE;
	int pipe_fds[2];

	entry.argv = (const char *const[]){"/busybox", "sleep", "100", NULL};
	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t parent = fork();
	if (parent == 0) {
		int rc = container_exec(&entry, (const int[3]){-1, -1, -1}, &entered, NULL);
		ssize_t put = write(pipe_fds[1], rc == 0 ? &entered.pid : &rc, sizeof(rc));

		_exit(put != sizeof(rc)); /* without a stop */
	}
	pid_t pid = -1;
	cr_assert_eq(read(pipe_fds[0], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
	cr_assert_gt(pid, 0, "%s", strerror(-pid));
	cr_expect_eq(waitpid(parent, NULL, 0), parent);
	int status = 0;
	cr_expect_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %d", status);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	end(&run);
}

Test(container_exec, counts_as_a_process_of_the_container)
{
	struct container_options options = options_here();
	struct error err = {0};
	char text[64];

	options.limits.pids_max = 4;
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	if (run.plan->tree.dir_of[CGROUP_PIDS] < 0) {
		end(&run);
		skip("no limit of processes");
	}
	/* The shell and three others: full. */
	static const char script[] = "for i in 1 2 3; do /busybox sleep 100 & done; echo full\n";
	cr_assert_eq(write(run.stream, script, strlen(script)), (ssize_t)strlen(script));
	cr_assert_eq(read(run.stream, text, sizeof(text)), 5);
	cr_expect_eq(refused(&entry, &err), -EAGAIN, "%s", err.message);
	cr_expect_not_null(strstr(err.message, "limit of processes"), "%s", err.message);
	cr_expect_not_null(strstr(err.hint, "room for two"), "%s", err.hint);
	end(&run);
}

Test(container_exec, does_not_enter_what_is_frozen)
{
	struct container_options options = options_here();
	struct error err = {0};

	options.accounting = CGROUP_BIT(CGROUP_FREEZER);
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	if (run.plan->tree.dir_of[CGROUP_FREEZER] < 0) {
		end(&run);
		skip("no freezer");
	}
	cr_assert_eq(cgroup_freeze(&run.plan->tree, &run.container.cgroup, true, &err), 0, "%s", err.message);
	cr_expect_eq(refused(&entry, &err), -EBUSY, "%s", err.message);
	cr_expect_not_null(strstr(err.hint, "resume"), "%s", err.hint);
	cr_assert_eq(cgroup_freeze(&run.plan->tree, &run.container.cgroup, false, &err), 0, "%s", err.message);
	end(&run);
}

Test(container_exec, says_what_failed)
{
	struct container_options options = options_here();
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	struct error err = {0};

	entry.argv = (const char *const[]){"nonsense", NULL};
	cr_expect_eq(refused(&entry, &err), -ENOENT);
	cr_expect_str_eq(err.message, "enter it: step exec nonsense: No such file or directory");
	cr_expect_not_null(strstr(err.hint, "no such program"), "%s", err.hint);
	entry.argv = (const char *const[]){"/proc/self/fd/3", NULL};
	cr_expect_eq(refused(&entry, &err), -EACCES, "%s", err.message);
	entry.argv = shell;
	entry.working_dir = "/nowhere";
	cr_expect_eq(refused(&entry, &err), -ENOENT);
	cr_expect_str_eq(err.message, "enter it: step working-folder /nowhere: No such file or directory");
	entry.working_dir = "/proc/self/fd/3";
	cr_expect_eq(refused(&entry, &err), -ENOENT, "%s", err.message);
	entry.working_dir = "tmp";
	cr_expect_eq(refused(&entry, &err), -EINVAL, "%s", err.message);
	entry.working_dir = NULL;
	entry.run_uid = 70000;
	if (run.plan->clone_flags & CLONE_NEWUSER) {
		cr_expect_eq(refused(&entry, &err), -EINVAL, "%s", err.message);
		cr_expect_not_null(strstr(err.hint, "no such user"), "%s", err.hint);
	}
	entry.run_uid = 0;
	entry.argv = (const char *const[]){"busybox", "sh", NULL}; /* found in PATH, after all that */
	char text[16];
	cr_expect_eq(enter(&entry, "exit 5\n", text, sizeof(text)), 5);
	end(&run);
}

/* Somebody else's container: an ordinary user gets no further than the look at it. */
Test(container_exec, is_not_for_others)
{
	struct container_options options = options_here();
	struct error err = {0};

	if (geteuid() != 0)
		skip("needs root");
	struct run run = start(&options);
	struct container_exec_options entry = {.pid = run.container.pid, .argv = shell};
	int pipe_fds[2], rc = 0;
	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid_t other = fork();
	if (other == 0) {
		struct container entered = CONTAINER_NONE;

		if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		rc = container_exec(&entry, (const int[3]){-1, -1, -1}, &entered, &err);
		_exit(write(pipe_fds[1], &rc, sizeof(rc)) != sizeof(rc));
	}
	cr_assert_eq(read(pipe_fds[0], &rc, sizeof(rc)), (ssize_t)sizeof(rc));
	cr_expect_eq(waitpid(other, NULL, 0), other);
	cr_expect(rc == -EACCES || rc == -EPERM, "%d", rc);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	end(&run);
}

/* ---- from inside ---- */

/* What others look at while processes enter: the link of the program, memory, descriptors. A shell that sees a program which is not the
 * image's, or opens what belongs to it, has won. */
static void check_watched(enum container_choice userns)
{
	static const char watch[] =
		"while test ! -e /tmp/over; do for p in /proc/[0-9]*; do\n"
		"test $p = /proc/1 && continue; e=$(/busybox readlink $p/exe) && test \"$e\" != /busybox && echo ESCAPED exe $p $e\n"
		"test \"$e\" = /busybox && continue\n"
		"/busybox true 2>/tmp/no < $p/mem && test \"$(/busybox cat $p/comm 2>/tmp/no)\" = test_runtime_ex && echo ESCAPED mem $p\n"
		"done; done; echo over\n";
	struct container_options options = options_here();
	char text[4096];

	options.userns = userns;
	struct run run = start(&options);
	struct container_exec_options entry = entry_into(&run);
	cr_assert_eq(write(run.stream, watch, strlen(watch)), (ssize_t)strlen(watch));
	for (int i = 0; i < 30; i++)
		cr_expect_eq(enter(&entry, "exit 3\n", text, sizeof(text)), 3);
	enter(&entry, "echo > /tmp/over\n", text, sizeof(text));
	talk(&run, "exit\n", text, sizeof(text));
	cr_expect_null(strstr(text, "ESCAPED"), "%s", text);
	EXPECT_LINE(text, "over\n");
	end(&run);
}

Test(container_exec, is_not_seen_through_on_its_way)
{
	check_watched(CONTAINER_AUTO);
	if (geteuid() == 0)
		check_watched(CONTAINER_OFF);
}
