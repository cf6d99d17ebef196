/* Machines that work: boots, several at once, deadlines, and the look before. */
#include "vm_scene.h"

static void check_facts(const struct vm_facts *f, const char *machine_start)
{
	bool tcg = strcmp(f->accelerator, "tcg") == 0;

	check(strncmp(f->machine_full, machine_start, strlen(machine_start)) == 0, "QEMU's machine is '%s'", f->machine_full);
	check(strcmp(f->cpu_model, tcg ? "qemu64,arat=on" : "host-passthrough") == 0, "CPU model '%s'", f->cpu_model);
	check(f->accelerator_reason[0] && (f->accelerator_remedy[0] || !tcg), "no reason or remedy for %s", f->accelerator);
	check(f->kernel_version[0] && f->command_line[0] && f->qemu_version[0] && f->libvirt_version[0], "a version is missing");
	check(!!strstr(f->command_line, " tsc=reliable") == tcg, "command line: %s", f->command_line);
}

static void act_five(struct scene *s)
{
	struct vm_host *host = open_host(s);
	char id[16];

	if (host)
		check_facts(vm_host_facts(host), "pc-q35-");

	for (int i = 0; host && i < 5; i++) {
		snprintf(id, sizeof(id), "five-%d", i);
		boot(host, id);
	}
	vm_host_close(host);
}

Test(vm_boot, five_in_a_row)
{
	struct scene s;

	prepare(&s);
	play(&s, act_five);
}

static void act_microvm(struct scene *s)
{
	s->options.machine = "microvm";

	struct vm_host *host = open_host(s);

	if (host) {
		check_facts(vm_host_facts(host), "microvm");
		boot(host, "micro");
	}
	vm_host_close(host);
}

Test(vm_boot, microvm)
{
	struct scene s;

	prepare(&s);
	play(&s, act_microvm);
}

static void act_pair(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct error err = {0};
	struct vm *a = NULL, *b = NULL;

	if (!host)
		return;
	check(vm_start(host, "a", in_ms(READY_MS), &a, &err) == 0, "a: %s", err.message);
	check(vm_start(host, "b", in_ms(READY_MS), &b, &err) == 0, "b: %s", err.message);
	check(a && reaches_pong(vm_view(a)), "a: no pong");
	check(b && reaches_pong(vm_view(b)), "b: no pong");
	check(vm_stop(a, &err) == 0, "stop a: %s", err.message);
	/* b is left to vm_host_close(). */
	vm_host_close(host);
}

Test(vm_boot, two_at_once_and_close_ends_what_runs)
{
	struct scene s;

	prepare(&s);
	play(&s, act_pair);
}

static void act_deadline(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct error err = {0};
	struct vm *vm = NULL;

	if (!host)
		return;
	for (int ms = 0; ms < 60; ms += 12) {
		int rc = vm_start(host, "late", in_ms(ms), &vm, &err);

		if (rc == 0)
			vm_stop(vm, NULL);
		check(rc == 0 || rc == -ETIMEDOUT, "after %d ms: %s", ms, err.message);
		check(ms > 0 || rc < 0, "a machine was made in no time");
	}
	boot(host, "after");
	vm_host_close(host);
}

Test(vm_boot, the_deadline_is_kept_and_the_next_start_works)
{
	struct scene s;

	prepare(&s);
	play(&s, act_deadline);
}

static void act_probe(struct scene *s)
{
	char reason[400], remedy[300];
	int64_t start_ns = clock_now_ns();

	vm_host_probe(&s->options, reason, sizeof(reason), remedy, sizeof(remedy));
	check(clock_now_ns() - start_ns < INT64_C(1000000000), "a probe of %lld ms", (long long)(clock_now_ns() - start_ns) / 1000000);
	check(reason[0] != '\0', "no reason");
	setenv("PATH", "/nope", 1);
	if (access("/usr/libexec/qemu-kvm", X_OK) == 0)
		return;
	check(vm_host_probe(&s->options, reason, sizeof(reason), remedy, sizeof(remedy)) == VM_NO, "works without QEMU: %s", reason);
	check(strstr(reason, "QEMU is not installed") && strstr(remedy, "install qemu"), "%s (%s)", reason, remedy);
}

Test(vm_boot, a_probe_is_quick_and_leaves_nothing)
{
	struct scene s;

	prepare(&s);
	play(&s, act_probe);
}

/* Seen are 18 a second. A tick that never stops comes 100 to 1,000 times. */
enum { SECONDS = 6, WAKES_MAX = 60, AWAY_MS = 300 };

/* How often the thread of the machine's processor went to sleep; -1: no such thread. */
static long sleeps_of_processor(pid_t qemu)
{
	char path[64], text[64];
	long sleeps = -1;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)qemu);

	DIR *threads = opendir(path);

	for (struct dirent *entry; threads && (entry = readdir(threads));) {
		char file[400], line[256];

		snprintf(file, sizeof(file), "%s/%s/comm", path, entry->d_name);

		FILE *comm = fopen(file, "re");
		bool processor = comm && fgets(text, sizeof(text), comm) && strncmp(text, "CPU 0/", 6) == 0;

		if (comm)
			fclose(comm);
		snprintf(file, sizeof(file), "%s/%s/status", path, entry->d_name);

		FILE *status = processor ? fopen(file, "re") : NULL;

		while (status && fgets(line, sizeof(line), status))
			sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps);
		if (status)
			fclose(status);
	}
	if (threads)
		closedir(threads);
	return sleeps;
}

static void pass_ms(int64_t ms)
{
	int64_t until_ns = in_ms(ms);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
			&(struct timespec){.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000}, NULL);
}

/* A guest whose kernel lost its faith in its counter, or has no timer for single shots, wakes at every tick for ever. What a busy host does to it comes here
 * at once: while its kernel still makes up its mind it gets no time, and loses ticks, but not enough of them to call its own comparison void. */
static void act_idle(struct scene *s)
{
	s->options.machine = "microvm";

	struct vm_host *host = open_host(s);
	struct error err = {0};
	struct vm *vm = NULL;

	if (!host)
		return;
	check(vm_start(host, "idle", in_ms(READY_MS), &vm, &err) == 0, "start: %s", err.message);
	check(vm && reaches_pong(vm_view(vm)), "no pong");
	if (vm) {
		kill(vm_view(vm)->pid, SIGSTOP);
		pass_ms(AWAY_MS);
		kill(vm_view(vm)->pid, SIGCONT);
	}
	for (int i = 0; vm && i < SECONDS; i++) {
		long before = sleeps_of_processor(vm_view(vm)->pid);

		pass_ms(1000);

		long slept = sleeps_of_processor(vm_view(vm)->pid) - before;

		/* Its first seconds have work of the kernel's own in them. */
		check(before >= 0 && (i < SECONDS / 2 || slept < WAKES_MAX), "an idle guest woke %ld times in a second", slept);
	}
	check(!vm || vm_stop(vm, &err) == 0, "stop: %s", err.message);
	vm_host_close(host);
}

Test(vm_boot, an_idle_guest_sleeps_though_it_lost_ticks)
{
	struct scene s;

	prepare(&s);
	play(&s, act_idle);
}
