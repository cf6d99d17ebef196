/* Machines that fail: each in one clear line, soon, and with nothing left. */
#include "vm_scene.h"

/* Starts, waits for the end of the stream, and returns how long that took; `ret_why` is the diagnosis. */
static int64_t boot_to_death(struct vm_host *host, bool kill_it, char *ret_why, size_t size)
{
	struct error err = {0};
	struct vm *vm;
	char line[512];

	if (vm_start(host, "dies", in_ms(READY_MS), &vm, &err) < 0) {
		snprintf(ret_why, size, "start: %s", err.message);
		return -1;
	}
	if (kill_it)
		kill(vm_view(vm)->pid, SIGKILL);

	int64_t start_ns = clock_now_ns(), deadline_ns = in_ms(READY_MS);

	while (line_read(vm_view(vm)->control_fd, deadline_ns, line, sizeof(line)))
		;
	vm_diagnose(vm, ret_why, size);

	int64_t took_ns = clock_now_ns() - start_ns;

	check(vm_stop(vm, &err) == 0, "stop: %s", err.message);
	return took_ns;
}

static void act_panic(struct scene *s)
{
	s->options.append = "rdinit=/nope root=/dev/nope";

	struct vm_host *host = open_host(s);
	char why[400] = "";

	if (!host)
		return;
	check(boot_to_death(host, false, why, sizeof(why)) < in_ms(READY_MS) - clock_now_ns(), "a panic is noticed only by the time limit");
	check(strstr(why, "Kernel panic - not syncing: VFS: Unable to mount root fs"), "diagnosis: %s", why);
	check(!strchr(why, '\n'), "more than one line");
	vm_host_close(host);
}

Test(vm_boot, a_panic_is_quoted)
{
	struct scene s;

	prepare(&s);
	play(&s, act_panic);
}

static void act_killed(struct scene *s)
{
	struct vm_host *host = open_host(s);
	char why[400] = "";

	if (!host)
		return;

	int64_t took_ns = boot_to_death(host, true, why, sizeof(why));

	check(took_ns >= 0 && took_ns < INT64_C(2000000000), "noticed after %lld ms", (long long)took_ns / 1000000);
	check(strstr(why, "died or was killed"), "diagnosis: %s", why);
	boot(host, "after");
	vm_host_close(host);
}

Test(vm_boot, a_killed_qemu_is_noticed_at_once)
{
	struct scene s;

	prepare(&s);
	play(&s, act_killed);
}

static void act_bad_kernels(struct scene *s)
{
	struct vm_host *host;
	struct error err = {0};

	s->options.kernel = "/etc/passwd";
	check(vm_host_open(&s->options, &host, &err) == -ENOEXEC && strstr(err.message, "/etc/passwd is a text file"), "text: %s",
	      err.message);
	s->options.kernel = NULL;
	s->options.memory_bytes = 16 << 20;
	check(vm_host_open(&s->options, &host, &err) == -ENOMEM && strstr(err.hint, "80M"), "memory: %s (%s)", err.message, err.hint);
	s->options.memory_bytes = 128 << 20;
	s->options.uri = "qemu+ssh://host/session";
	check(vm_host_open(&s->options, &host, &err) == -ENOTSUP, "remote session: %s", err.message);
	s->options.uri = "qemu+unix:///system?socket=/nowhere";
	check(vm_host_open(&s->options, &host, &err) < 0 && strstr(err.message, "/nowhere") && strstr(err.hint, "qemu:///embed"),
	      "no daemon: %s (%s)", err.message, err.hint);

	char reason[400], remedy[300];

	check(vm_host_probe(&s->options, reason, sizeof(reason), remedy, sizeof(remedy)) == VM_NO && strstr(reason, "/nowhere") &&
		      remedy[0],
	      "a look at no daemon: %s (%s)", reason, remedy);
}

Test(vm_boot, what_cannot_boot_is_refused_before)
{
	struct scene s;

	prepare(&s);
	play(&s, act_bad_kernels);
}

static void act_little_memory(struct scene *s)
{
	s->options.memory_bytes = 60 << 20;

	struct vm_host *host = open_host(s);
	char why[400] = "";

	if (!host)
		return;
	boot_to_death(host, false, why, sizeof(why));
	check(strstr(why, "80 MiB are known to be enough"), "diagnosis: %s", why);
	vm_host_close(host);
}

Test(vm_boot, little_memory_is_suspected)
{
	struct scene s;
	struct kernel_choice kernel;

	prepare(&s);
	cr_assert_eq(kernel_choose(arch_host(), NULL, s.cache_dir, NULL, NULL, &kernel, NULL), 0);
	if (kernel.image.needs_bytes > 60 << 20 || strncmp(kernel.image.version, "6.1.", 4) != 0) {
		rmdir(s.run_dir);
		cr_skip_test("not known how kernel %.40s behaves with little memory", kernel.image.version);
	}
	play(&s, act_little_memory);
}

static void act_dies(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct error err = {0};
	struct vm *vm;

	if (host && vm_start(host, "orphan", in_ms(READY_MS), &vm, &err) == 0)
		kill(getpid(), SIGKILL);
	fail("not started: %s", err.message);
}

Test(vm_boot, after_a_sigkill_the_journal_finds_the_machine)
{
	struct scene s;
	char path[128], programs[128], vm[80];
	struct journal *journal;

	prepare(&s);
	cr_assert_str_eq(run(&s, act_dies), "");
	snprintf(path, sizeof(path), "%s/journal", s.run_dir);
	cr_assert_eq(journal_open(path, &journal, NULL), 0);
	snprintf(programs, sizeof(programs), "qemu %s", s.run_dir);
	cr_assert_eq(journal_add(journal, JOURNAL_PROCESSES, programs, NULL), 0);
	journal_close(journal);
	cr_assert_eq(journal_leftovers(path, NULL, NULL), 1, "the orphaned QEMU is not seen");
	cr_assert_eq(journal_undo(path, NULL, NULL, NULL), 0);
	cr_assert_gt(waitpid(-1, NULL, 0), 0, "its QEMU was not inherited");
	unlink(path);
	snprintf(vm, sizeof(vm), "%s/vm", s.run_dir);
	cr_assert_eq(dir_remove(vm, NULL), 0);
	nothing_left(&s);
}
