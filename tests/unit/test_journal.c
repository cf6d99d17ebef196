/* base/journal: what is named first can be undone by whoever survives. */
#include "scratch.h"

#include <base/journal.h>
#include <base/process.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static struct journal *open_in(const struct scratch *scratch)
{
	struct journal *journal = NULL;

	cr_assert_eq(journal_open(scratch_path(scratch, "w0.journal"), &journal, NULL), 0);
	return journal;
}

Test(journal, undoes_paths_below_its_own_folder_only)
{
	struct scratch scratch = scratch_make(), other = scratch_make();
	struct journal *journal = open_in(&scratch);
	struct error err = {0};

	cr_assert_eq(dir_make(scratch_path(&scratch, "tree/below"), 0755, NULL), 0);
	cr_assert_eq(journal_add(journal, JOURNAL_PATH, scratch_path(&scratch, "tree"), NULL), 0);
	cr_assert_eq(journal_add(journal, JOURNAL_PATH, scratch_path(&scratch, "never-made"), NULL), 0);
	cr_expect_eq(journal_leftovers(scratch_path(&scratch, "w0.journal"), NULL, NULL), 1);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, &err), 0, "%s", err.message);
	cr_expect_not(path_exists(scratch_path(&scratch, "tree")));
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, &err), 0, "undoing twice is fine");

	cr_assert_eq(journal_add(journal, JOURNAL_PATH, other.path, NULL), 0);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, &err), 1, "somebody else's folder is refused");
	cr_expect(path_exists(other.path));
	journal_close(journal);
	scratch_remove(&scratch);
	scratch_remove(&other);
}

static pid_t sleeper(const char *argument)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody */
		execlp("sh", "sh", "-c", "kill -STOP $$", argument, NULL);
		_exit(127);
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_assert(WIFSTOPPED(status));
	return pid;
}

Test(journal, kills_the_process_it_named_and_no_other)
{
	struct scratch scratch = scratch_make();
	struct journal *journal = open_in(&scratch);
	pid_t named = sleeper("x"), reused = sleeper("y");
	char argument[64];
	int status;

	snprintf(argument, sizeof(argument), "%d %lld", (int)named, (long long)process_start_ticks(named));
	cr_assert_eq(journal_add(journal, JOURNAL_PROCESS, argument, NULL), 0);
	/* The number is alive again, as another process: it started at another time. */
	snprintf(argument, sizeof(argument), "%d %lld", (int)reused, (long long)process_start_ticks(reused) - 1);
	cr_assert_eq(journal_add(journal, JOURNAL_PROCESS, argument, NULL), 0);
	cr_expect_eq(journal_leftovers(scratch_path(&scratch, "w0.journal"), NULL, NULL), 1);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, NULL), 0);
	cr_expect_eq(waitpid(named, &status, 0), named);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	cr_expect_eq(waitpid(reused, &status, WNOHANG), 0, "the other one lives");
	kill(reused, SIGKILL);
	waitpid(reused, &status, 0);
	journal_close(journal);
	scratch_remove(&scratch);
}

/* From here on this process has no kill(): a number may have passed to another process since it was looked at. */
static void give_up_kill(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(rules) / sizeof(rules[0]), .filter = rules};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void expect_killed(pid_t pid)
{
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", (unsigned)status);
}

Test(journal, kills_by_descriptor_never_by_number, .timeout = 30)
{
	struct scratch scratch = scratch_make();
	struct journal *journal = open_in(&scratch);
	char argument[128], below[128];
	int status;

	snprintf(below, sizeof(below), "%s/w0/socket", scratch.path);
	pid_t named = sleeper("x"), found = sleeper(below);
	snprintf(argument, sizeof(argument), "%d %lld", (int)named, (long long)process_start_ticks(named));
	cr_assert_eq(journal_add(journal, JOURNAL_PROCESS, argument, NULL), 0);
	snprintf(argument, sizeof(argument), "sh %s/w0", scratch.path);
	cr_assert_eq(journal_add(journal, JOURNAL_PROCESSES, argument, NULL), 0);
	pid_t undoer = fork();
	if (undoer == 0) {
		give_up_kill();
		_exit(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, NULL) == 0 ? 0 : 1);
	}
	cr_assert_gt(undoer, 0);
	expect_killed(found); /* at once: undoing waits until it is gone */
	expect_killed(named);
	cr_assert_eq(waitpid(undoer, &status, 0), undoer);
	cr_expect_eq(status, 0);
	journal_close(journal);
	scratch_remove(&scratch);
}

Test(journal, kills_programs_that_use_the_folder_and_nothing_else_there)
{
	struct scratch scratch = scratch_make();
	struct journal *journal = open_in(&scratch);
	char argument[128], longer[128];
	int status;

	snprintf(argument, sizeof(argument), "%s/w0/socket", scratch.path);
	snprintf(longer, sizeof(longer), "%s/w01/socket", scratch.path);
	pid_t ours = sleeper(argument), other_folder = sleeper(longer);

	snprintf(argument, sizeof(argument), "bash %s/w0", scratch.path);
	cr_assert_eq(journal_add(journal, JOURNAL_PROCESSES, argument, NULL), 0);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, NULL), 0);
	cr_expect_eq(waitpid(ours, &status, WNOHANG), 0, "another program is left alone");
	snprintf(argument, sizeof(argument), "sh %s/w0", scratch.path);
	cr_assert_eq(journal_add(journal, JOURNAL_PROCESSES, argument, NULL), 0);
	cr_expect_eq(journal_leftovers(scratch_path(&scratch, "w0.journal"), NULL, NULL), 1);
	/* Undoing waits until they are gone: reap them meanwhile, as the supervisor does. */
	signal(SIGCHLD, SIG_IGN);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, NULL), 0);
	cr_expect_eq(process_start_ticks(ours), -1);
	cr_expect_gt(process_start_ticks(other_folder), 0, "a folder whose name only begins alike is another");
	kill(other_folder, SIGKILL);
	journal_close(journal);
	scratch_remove(&scratch);
}

Test(journal, a_torn_line_and_rubbish_are_passed_over)
{
	struct scratch scratch = scratch_make();

	cr_assert_eq(dir_make(scratch_path(&scratch, "tree"), 0755, NULL), 0);
	char text[256];
	snprintf(text, sizeof(text), "rubbish\nunknown thing\npath %s/tree\npath %s/tr", scratch.path, scratch.path);
	scratch_write(&scratch, "w0.journal", text);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, NULL), 0);
	cr_expect_not(path_exists(scratch_path(&scratch, "tree")));
	cr_expect_eq(journal_undo(scratch_path(&scratch, "none.journal"), NULL, NULL, NULL), 0, "no journal: nothing to undo");
	scratch_remove(&scratch);
}

Test(journal, refuses_what_is_no_cgroup_and_names_with_line_breaks)
{
	struct scratch scratch = scratch_make();
	struct journal *journal = open_in(&scratch);

	cr_assert_eq(dir_make(scratch_path(&scratch, "tree"), 0755, NULL), 0);
	cr_expect_eq(journal_add(journal, JOURNAL_CGROUP, "a\npath /", NULL), -EINVAL);
	cr_assert_eq(journal_add(journal, JOURNAL_CGROUP, scratch_path(&scratch, "tree"), NULL), 0);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, NULL), 1);
	cr_expect(path_exists(scratch_path(&scratch, "tree")));
	journal_close(journal);
	scratch_remove(&scratch);
}

enum { DEEP = 2100, LONG_NAMES = 20 };

/* A group for the test in the version 2 hierarchy, which it may fill. */
static void group_make(char *ret, size_t size)
{
	static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	const char *must = getenv("BENCH_MUST_RUN");
	struct statfs fs;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(ret, size, "%s/bench-unit-%d", places[i], (int)getpid());
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC && mkdir(ret, 0755) == 0)
			return;
	}
	cr_assert(!must || !strstr(must, "container"), "groups must be made here");
	cr_skip_test("no version 2 group can be made here");
}

/* A chain of groups below one another; returns the descriptor of the last. */
static int chain_make(const char *group, const char *name, int depth)
{
	int fd = open(group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < depth; i++) {
		cr_assert_eq(mkdirat(fd, name, 0755), 0, "%d: %s", i, strerror(errno));
		int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = below;
	}
	cr_assert_geq(fd, 0);
	return fd;
}

static void move_into(int group_fd, pid_t pid)
{
	_cleanup_close_ int fd = openat(group_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	cr_assert_gt(dprintf(fd, "%d", (int)pid), 0, "%s", strerror(errno));
}

/* What the root of a system container could have made of its part: deeper than a stack, longer than a path, hidden, and with somebody in each. */
Test(journal, a_group_goes_whatever_was_made_below_it)
{
	char group[128], name[NAME_MAX + 1] = "";
	struct error err = {0};

	group_make(group, sizeof(group));
	struct scratch scratch = scratch_make();
	struct journal *journal = open_in(&scratch);
	cr_assert_eq(journal_add(journal, JOURNAL_CGROUP, group, NULL), 0);
	memset(name, 'n', NAME_MAX);
	int fds[] = {chain_make(group, "d", DEEP), chain_make(group, name, LONG_NAMES), chain_make(group, ".hidden", 1)};
	pid_t members[] = {sleeper("x"), sleeper("y"), sleeper("z")};
	for (size_t i = 0; i < 3; i++) {
		move_into(fds[i], members[i]);
		close(fds[i]);
	}
	signal(SIGCHLD, SIG_IGN); /* they are reaped at once, as by the supervisor */
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, &err), 0, "%s", err.message);
	cr_expect_not(path_exists(group));
	for (size_t i = 0; i < 3; i++)
		cr_expect_eq(process_start_ticks(members[i]), -1, "member %zu lives", i);
	journal_close(journal);
	scratch_remove(&scratch);
}

static int count_handled(enum journal_kind kind, const char *argument, void *arg, struct error *err)
{
	cr_expect_eq(kind, JOURNAL_DOMAIN);
	cr_expect_str_eq(argument, "bench-0123abcd-1 default qemu:///system");
	++*(int *)arg;
	return 0;
}

Test(journal, what_base_cannot_undo_goes_to_the_handler)
{
	struct scratch scratch = scratch_make();
	struct journal *journal = open_in(&scratch);
	int handled = 0;

	cr_assert_eq(journal_add(journal, JOURNAL_DOMAIN, "bench-0123abcd-1 default qemu:///system", NULL), 0);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), count_handled, &handled, NULL), 0);
	cr_expect_eq(handled, 1);
	cr_expect_eq(journal_undo(scratch_path(&scratch, "w0.journal"), NULL, NULL, NULL), 1, "without one it has not been undone");
	journal_close(journal);
	scratch_remove(&scratch);
}
