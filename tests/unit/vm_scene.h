/* The frame of tests with real machines, through the public interface. Each test has three roles: the test itself collects orphans, as a
 * supervisor does; its child uses the library and reports in words; the guests run the agent. Afterwards nothing may be left. */
#pragma once

#include "../line.h"

#include <base/files.h>
#include <base/journal.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <criterion/criterion.h>
#include <vmdriver/kernel.h>
#include <vmdriver/vm.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 60000 };

/* ---- in the child: no assertion of Criterion's, a word on the pipe instead ---- */

static int report_fd;

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vdprintf(report_fd, format, ap);
	va_end(ap);
	dprintf(report_fd, "\n");
}

#define check(condition, ...)                                                                                                              \
	do {                                                                                                                               \
		if (!(condition))                                                                                                          \
			fail(__VA_ARGS__);                                                                                                 \
	} while (0)

static int64_t in_ms(int64_t ms)
{
	return clock_now_ns() + ms * 1000000;
}

static bool reaches_pong(const struct vm_view *view)
{
	int64_t deadline_ns = in_ms(READY_MS);
	char line[512];

	while (line_read(view->control_fd, deadline_ns, line, sizeof(line))) {
		if (strncmp(line, "hello bench-agent", 17) == 0 && write(view->control_fd, "ping\n", 5) != 5)
			return false;
		if (strncmp(line, "pong", 4) == 0)
			return true;
	}
	return false;
}

static __attribute__((unused)) void boot(struct vm_host *host, const char *id)
{
	struct error err = {0};
	struct vm *vm;
	int64_t start_ns = clock_now_ns();
	char why[400];

	if (vm_start(host, id, in_ms(READY_MS), &vm, &err) < 0) {
		fail("start: %s", err.message);
		return;
	}

	const struct vm_view *view = vm_view(vm);
	pid_t pid = view->pid;

	check(start_ns < view->launched_ns && view->launched_ns < view->resumed_ns, "stamps are out of order");
	check(kill(pid, 0) == 0, "QEMU's process is not %d", (int)pid);
	if (!reaches_pong(view)) {
		vm_diagnose(vm, why, sizeof(why));
		fail("%s: no pong: %s", id, why);
	}
	check(vm_stop(vm, &err) == 0, "stop: %s", err.message);
	check(kill(pid, 0) < 0 && errno == ESRCH, "QEMU is still there");
}

/* ---- the frame ---- */

struct scene {
	char run_dir[64], cache_dir[512];
	struct vm_options options;
};

static __attribute__((unused)) struct vm_host *open_host(struct scene *s)
{
	struct error err = {0};
	struct vm_host *host = NULL;

	if (vm_host_open(&s->options, &host, &err) < 0)
		fail("open: %s (%s)", err.message, err.hint);
	else
		check(err.code == 0, "open works and yet leaves an error: %s", err.message);
	return host;
}

static __attribute__((unused)) bool must_run(void)
{
	const char *list = getenv("BENCH_MUST_RUN");

	return list && strstr(list, "vm");
}

/* A path's owner and mode; libvirt must change none. */
static __attribute__((unused)) struct stat look(const char *path)
{
	struct stat st = {0};

	stat(path, &st);
	return st;
}

static void unchanged(const char *path, struct stat before)
{
	struct stat now = look(path);

	cr_assert(now.st_uid == before.st_uid && now.st_gid == before.st_gid && now.st_mode == before.st_mode,
		  "owner or mode of %s changed", path);
}

static __attribute__((unused)) void prepare(struct scene *s)
{
	struct kernel_choice kernel;
	struct error err = {0};
	char reason[400], remedy[300];

	strcpy(s->run_dir, "/tmp/vm-boot-XXXXXX");
	cr_assert(mkdtemp(s->run_dir));
	/* Beside the build, so that a kernel is downloaded once. */
	snprintf(s->cache_dir, sizeof(s->cache_dir), "%.*s/test-cache", (int)(strstr(BENCH_AGENT, "/bin/") - BENCH_AGENT), BENCH_AGENT);
	cr_assert_eq(dir_make(s->cache_dir, 0755, &err), 0, "%s", err.message);
	s->options = (struct vm_options){
		.init_path = BENCH_AGENT,
		.run_dir = s->run_dir,
		.cache_dir = s->cache_dir,
		.memory_bytes = 128 << 20,
		.vcpus = 1,
		.accel = VM_ACCEL_AUTO,
	};

	bool can = vm_host_probe(&s->options, reason, sizeof(reason), remedy, sizeof(remedy)) != VM_NO;

	if (can && kernel_choose(arch_host(), NULL, s->cache_dir, NULL, NULL, &kernel, &err) < 0) {
		snprintf(reason, sizeof(reason), "%.399s", err.message);
		can = false;
	}
	if (!can) {
		rmdir(s->run_dir);
		cr_assert(!must_run(), "virtual machines must run here, but: %s", reason);
		cr_skip_test("%s", reason);
	}
}

/* Runs `act` in a child as described above. Returns its report, which is empty when all is well. */
static __attribute__((unused)) const char *run(struct scene *s, void (*act)(struct scene *))
{
	static char report[8192];
	int ends[2];
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);

	pid_t child = fork();

	if (child == 0) {
		report_fd = ends[1];
		/* Whatever the library or libvirt prints is a failure, too. */
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		act(s);
		_exit(0);
	}
	close(ends[1]);
	/* Orphans are collected at once: libvirt waits for that. The report is short enough for the pipe; a machine that outlives the child may hold its end. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while ((pid = waitpid(-1, NULL, 0)) > 0 && pid != child)
		;
	while (used + 1 < sizeof(report) && (n = read(ends[0], report + used, sizeof(report) - 1 - used)) > 0)
		used += (size_t)n;
	report[used] = '\0';
	close(ends[0]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return report;
}

static bool is_empty(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	int entries = 0;

	while (dir && readdir(dir))
		entries++;
	return entries == 2;
}

static __attribute__((unused)) void nothing_left(struct scene *s)
{
	char path[128], programs[128];
	struct journal *journal;

	cr_assert(is_empty(s->run_dir), "files are left in %s", s->run_dir);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "a child is left");
	snprintf(path, sizeof(path), "%s.journal", s->run_dir);
	cr_assert_eq(journal_open(path, &journal, NULL), 0);
	snprintf(programs, sizeof(programs), "qemu %s", s->run_dir);
	journal_add(journal, JOURNAL_PROCESSES, programs, NULL);
	journal_close(journal);

	int left = journal_leftovers(path, NULL, NULL);

	unlink(path);
	rmdir(s->run_dir);
	cr_assert_eq(left, 0, "a process is left");
}

static __attribute__((unused)) void play(struct scene *s, void (*act)(struct scene *))
{
	struct stat null = look("/dev/null"), kvm = look("/dev/kvm"), agent = look(BENCH_AGENT);
	const char *report = run(s, act);

	if (report[0])
		rmdir(s->run_dir); /* where nothing is in it: nothing_left() is not reached */
	cr_assert_str_eq(report, "");
	unchanged("/dev/null", null);
	unchanged("/dev/kvm", kvm);
	unchanged(BENCH_AGENT, agent);
	nothing_left(s);
}
