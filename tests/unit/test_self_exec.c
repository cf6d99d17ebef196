/* A program that runs from where nobody can write to it. The program of the tests is this one: main's part is played by a constructor, which
 * runs when a variable asks for it. */
#include <runtime/container.h>

#include <bench/cleanup.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ASKED "BENCH_TEST_SELF_EXEC"

/* Says what it is, then waits for the end of its input. */
static void play(char **argv)
{
	struct error err = {0};
	char comm[32] = "", byte;
	int rc = container_protect_self(argv, &err);
	_cleanup_close_ int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);

	if (read(fd, comm, sizeof(comm) - 1) > 0)
		comm[strcspn(comm, "\n")] = '\0';
	dprintf(STDOUT_FILENO, "rc=%d protected=%d path=%s comm=%s left=%d argv=%s %s\n", rc, container_self_protected(),
		container_self_path(), comm, getenv("BENCH_SELF_PATH") != NULL, argv[1] ? argv[1] : "", err.message);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	_exit(0);
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	if (getenv(ASKED))
		play(argv);
}

struct life {
	pid_t pid;
	int in, out;
	char text[1024];
};

static struct life begin(const char *path, uid_t uid, const char *claim)
{
	struct life life = {.pid = -1};
	int to[2], from[2];
	size_t used = 0;
	ssize_t got;

	cr_assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
	life.pid = fork();
	if (life.pid == 0) {
		char *const argv[] = {(char *)path, (char *)"word", NULL};

		if (dup2(to[0], STDIN_FILENO) < 0 || dup2(from[1], STDOUT_FILENO) < 0 || setenv(ASKED, "1", 1) < 0)
			_exit(1);
		if (claim)
			setenv("BENCH_SELF_PATH", claim, 1);
		if (uid && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
			_exit(1);
		execv(path, argv);
		_exit(1);
	}
	close(to[0]);
	close(from[1]);
	life.in = to[1];
	life.out = from[0];
	while (used < sizeof(life.text) - 1 && (got = read(life.out, life.text + used, sizeof(life.text) - 1 - used)) > 0) {
		used += (size_t)got;
		if (life.text[used - 1] == '\n')
			break;
	}
	life.text[used] = '\0';
	return life;
}

static void end(struct life *life)
{
	close(life->in);
	close(life->out);
	cr_expect_eq(waitpid(life->pid, NULL, 0), life->pid);
}

/* A copy that no other test runs, so that nothing but its protection keeps it from being written. */
static void make_program(char dir[64], char path[80])
{
	char own[PATH_MAX], command[2 * PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	cr_assert_gt(length, 0);
	own[length] = '\0';
	strcpy(dir, "/tmp/bench-self-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chmod(dir, 0755), 0);
	snprintf(path, 80, "%s/program", dir);
	snprintf(command, sizeof(command), "cp '%s' '%s'", own, path);
	cr_assert_eq(system(command), 0); // NOLINT: both are ours
}

static void remove_program(const char *dir, const char *path)
{
	unlink(path);
	rmdir(dir);
}

static void expect_safe(const struct life *life, const char *path)
{
	char want[256], exe[64];

	snprintf(want, sizeof(want), "rc=0 protected=1 path=%s comm=program left=0 argv=word \n", path);
	cr_expect_str_eq(life->text, want);
	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)life->pid);
	_cleanup_close_ int fd = open(exe, O_WRONLY | O_CLOEXEC);
	cr_expect(fd < 0 && errno != ENOENT, "%s could be opened for writing", exe);
	/* Whoever holds it open waits for the end of the process: not "text file busy" but for good. */
	_cleanup_close_ int held = open(exe, O_PATH | O_CLOEXEC);
	snprintf(exe, sizeof(exe), "/proc/self/fd/%d", held);
	struct life copy = *life;
	end(&copy);
	_cleanup_close_ int later = open(exe, O_WRONLY | O_CLOEXEC);
	/* A sealed file can be opened, and that is all. */
	cr_expect(later < 0 || (write(later, "x", 1) < 0 && ftruncate(later, 0) < 0), "it could be written to once it had ended");
}

Test(self_exec, root_runs_from_a_read_only_clone)
{
	char dir[64], path[80];

	if (geteuid() != 0)
		cr_skip_test("needs root");
	make_program(dir, path);
	struct life life = begin(path, 0, NULL);
	expect_safe(&life, path);
	remove_program(dir, path);
}

Test(self_exec, a_user_runs_from_a_sealed_copy)
{
	char dir[64], path[80];
	uid_t uid = geteuid() == 0 ? 65534 : 0;

	make_program(dir, path);
	if (uid)
		cr_assert_eq(chown(path, uid, uid), 0);
	struct life life = begin(path, uid, NULL);
	expect_safe(&life, path);
	remove_program(dir, path);
}

Test(self_exec, a_program_of_somebody_else_is_out_of_reach)
{
	char dir[64], path[80];

	if (geteuid() != 0)
		cr_skip_test("needs root");
	make_program(dir, path);
	struct life life = begin(path, 65534, NULL);
	cr_expect_not_null(strstr(life.text, "rc=0 protected=1 path=/tmp/bench-self-"), "%s", life.text);
	end(&life);
	remove_program(dir, path);
}

/* The variable is ours where it names this very process; it protects nothing by itself. */
Test(self_exec, a_claim_is_not_believed)
{
	char dir[64], path[80];

	make_program(dir, path);
	struct life life = begin(path, 0, "1:/bin/sh");
	expect_safe(&life, path);
	life = begin(path, 0, "/bin/sh");
	expect_safe(&life, path);
	remove_program(dir, path);
}
