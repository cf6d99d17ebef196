/* The aide of a process that will leave root: what it makes, and that all of it goes whoever dies. In a namespace in the place of the host's. */
#include "network_fixture.h"

#include <base/process.h>
#include <bench/timeline.h>
#include <vmdriver/aide.h>

#include <stdio.h>
#include <sys/prctl.h>

static const struct cgroup_limits limits = {.cpu_percent = 50, .memory_bytes = 64 << 20};

static struct aide_options both(const char *name)
{
	return (struct aide_options){.link = true, .uid = geteuid(), .cgroup_name = name, .limits = &limits};
}

static struct aide *open_aide(const struct aide_options *options)
{
	struct error err = {0};
	struct aide *aide = NULL;

	cr_assert_eq(aide_open(options, &aide, &err), 0, "%s", err.message);
	return aide;
}

static const char *group_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "bench-test-aide-%d", (int)getpid());
	return name;
}

/* Is there still a group of that name anywhere? */
static bool group_exists(const char *name)
{
	struct cgroup_layout layout;
	char path[PATH_MAX];
	bool there = false;

	cr_assert_eq(cgroup_detect("", &layout, NULL), 0);
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && !there; i++)
		there = layout.v1[i][0] && path_format(path, sizeof(path), NULL, "%s/%s", layout.v1[i], name) == 0 && path_exists(path);
	return there || (layout.v2[0] && path_format(path, sizeof(path), NULL, "%s/%s", layout.v2, name) == 0 && path_exists(path));
}

static bool in_group(pid_t pid, const char *name)
{
	char path[64], text[4096] = "";

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	return file_read("", path, text, sizeof(text), NULL) >= 0 && strstr(text, name);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		close_range(3, ~0u, 0); /* the caller's end of the aide's socket among them: QEMU has none of these either */
		pause();
		_exit(0);
	}
	return pid;
}

Test(vm_aide, makes_and_removes_what_one_machine_needs)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct aide_options options = both(group_name());
	struct aide *aide = open_aide(&options);
	struct network_link link = NETWORK_LINK_NONE;
	char dir[CGROUP_PATH_MAX] = "";
	struct error err = {0};
	pid_t pid = sleeper();

	cr_assert_eq(aide_prepare(aide, "one", &link, &err), 0, "%s", err.message);
	cr_assert(link_exists(link.host_name));
	cr_assert_eq(aide_prepare(aide, "one", &link, &err), -EEXIST);
	cr_assert_eq(aide_admit(aide, "one", pid, dir, &err), 0, "%s", err.message);
	if (aide_facts(aide)->groups) {
		cr_assert(in_group(pid, group_name()), "it is not in the group");
		cr_assert(strstr(dir, "one"), "folder of the memory: '%s'", dir);
		cr_assert(strstr(aide_facts(aide)->limits, "cpu=50%"), "%s", aide_facts(aide)->limits);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_assert_eq(aide_release(aide, "one", &err), 0, "%s", err.message);
	cr_assert_eq(aide_release(aide, "one", &err), 0, "twice: %s", err.message);
	cr_assert(!link_exists(link.host_name));
	cr_assert_eq(aide_admit(aide, "none", 1, dir, &err), -ENOENT);
	aide_close(aide);
	cr_assert(!group_exists(group_name()));
}

Test(vm_aide, undoes_all_when_its_caller_is_killed)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct aide_options options = both(group_name());
	struct network_link link = NETWORK_LINK_NONE;
	int64_t deadline_ns;
	int ends[2];

	group_name();
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t caller = fork();
	if (caller == 0) {
		struct aide *aide = NULL;
		char dir[CGROUP_PATH_MAX];
		bool fine = aide_open(&options, &aide, NULL) == 0 && aide_prepare(aide, "one", &link, NULL) == 0 &&
			    aide_admit(aide, "one", sleeper(), dir, NULL) == 0;

		_exit(fine && write(ends[1], &link, sizeof(link)) == sizeof(link) && pause() ? 0 : 1);
	}
	close(ends[1]);
	cr_assert_eq(read(ends[0], &link, sizeof(link)), sizeof(link), "the caller could not do its part");
	cr_assert(link_exists(link.host_name));
	kill(caller, SIGKILL);
	waitpid(caller, NULL, 0);
	deadline_ns = clock_now_ns() + INT64_C(10000000000);
	while ((link_exists(link.host_name) || group_exists(group_name())) && clock_now_ns() < deadline_ns)
		poll(NULL, 0, 5);
	cr_assert(!link_exists(link.host_name), "the tap is left");
	cr_assert(!group_exists(group_name()), "the group is left");
	close(ends[0]);
}

/* A process of the host that has nothing to do with QEMU. */
static pid_t stranger(bool other_user)
{
	int ends[2], made;

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		made = other_user ? setresgid(54321, 54321, 54321) == 0 && setresuid(54321, 54321, 54321) == 0
				  : unshare(CLONE_NEWUSER) == 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody */
		if (write(ends[1], &made, sizeof(made)) != sizeof(made))
			_exit(1);
		close_range(3, ~0u, 0);
		pause();
		_exit(0);
	}
	cr_assert_eq(read(ends[0], &made, sizeof(made)), sizeof(made));
	cr_assert(made, "no process to play with");
	close(ends[0]);
	close(ends[1]);
	return pid;
}

/* Its caller may have been taken over by the very guest that it was made to keep in check. */
Test(vm_aide, does_nothing_to_processes_that_are_not_qemus)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct aide_options options = both(group_name());
	struct aide *aide = open_aide(&options);
	struct network_link link = NETWORK_LINK_NONE;
	char dir[CGROUP_PATH_MAX] = "";
	struct error err = {0};

	if (!aide_facts(aide)->groups) {
		aide_close(aide);
		scratch_remove(&scratch);
		cr_skip_test("no groups here");
	}
	pid_t pids[] = {stranger(true), stranger(false)}, ended = fork();
	if (ended == 0)
		_exit(0);
	waitpid(ended, NULL, 0);
	cr_assert_eq(aide_prepare(aide, "one", &link, &err), 0, "%s", err.message);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(aide_admit(aide, "one", pids[i], dir, &err), -EPERM, "process %zu", i);
		cr_expect_not(in_group(pids[i], group_name()), "process %zu is in the group", i);
	}
	cr_expect_eq(aide_admit(aide, "one", ended, dir, &err), -ESRCH);
	cr_expect_eq(aide_release(aide, "one", &err), 0, "%s", err.message);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(waitpid(pids[i], NULL, WNOHANG), 0, "process %zu was killed", i);
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	aide_close(aide);
}

Test(vm_aide, takes_no_name_that_leads_elsewhere)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	static const char *const bad[] = {"", ".", "..", "../bench-elsewhere", "a/b", "/a", ".hidden"};
	struct aide_options options = both(group_name());
	struct aide *aide = open_aide(&options);
	struct network_link link = NETWORK_LINK_NONE;
	struct error err = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(aide_prepare(aide, bad[i], &link, &err), -EINVAL, "'%s' is taken", bad[i]);
		cr_expect_eq(aide_release(aide, bad[i], &err), -EINVAL, "'%s' is taken", bad[i]);
	}
	cr_expect_not(group_exists("bench-elsewhere"));
	aide_close(aide);
}

Test(vm_aide, has_a_bound)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct aide *aide = open_aide(&(struct aide_options){0});
	struct network_link link = NETWORK_LINK_NONE;
	struct error err = {0};
	char id[16];

	for (int i = 0; i < 4096; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		cr_assert_eq(aide_prepare(aide, id, &link, &err), 0, "%d: %s", i, err.message);
	}
	cr_expect_eq(aide_prepare(aide, "one-more", &link, &err), -E2BIG);
	cr_expect_eq(aide_release(aide, "m7", &err), 0, "%s", err.message);
	cr_expect_eq(aide_prepare(aide, "one-more", &link, &err), 0, "%s", err.message);
	aide_close(aide);
}

Test(vm_aide, says_why_it_cannot)
{
	_cleanup_(scratch_remove) struct scratch scratch = host_make();
	struct aide_options options = {.link = true, .bridge = "a/b"};
	struct error err = {0};
	struct aide *aide = NULL;

	cr_assert_eq(aide_open(&options, &aide, &err), -EINVAL);
	cr_assert(strstr(err.message, "a/b"), "%s", err.message);
}
