/* Limits of machines bite: CPU time of QEMU by its own clock, memory seen from inside and from outside, pinning of every thread. */
#include "vm_talk.h"

#include <cgroup/cgroup.h>

#include <ctype.h>
#include <sys/mman.h>
#include <time.h>

enum { MEASURE_MS = 4000 };

/* What the child found, for the test to judge and print. */
struct found {
	double percent;
	int64_t limit_bytes, used_bytes;
	int threads, vcpu_threads;
	bool ended, named_group;
};

static struct found *found;

static void share_found(void)
{
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(found, MAP_FAILED);
}

static void prepare_limited(struct scene *s, const char *name)
{
	static char group[64];

	need_root_for("a control group");
	prepare(s);
	share_found();
	snprintf(group, sizeof(group), "bench-test-%s-%d", name, (int)getpid());
	s->options.cgroup_name = group;
	s->options.cgroup_required = true;
}

/* CPU time of all threads of QEMU over a while, in percent of one CPU: asked of the process, not of the group that limits it. */
static double percent_of(pid_t pid, int ms)
{
	clockid_t clock;
	struct timespec before, after, pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &before) < 0) {
		fail("no clock of process %d", (int)pid);
		return -1;
	}
	int64_t start_ns = clock_now_ns();
	nanosleep(&pause, NULL);
	clock_gettime(clock, &after);
	int64_t wall_ns = clock_now_ns() - start_ns;
	return 100.0 * (double)((after.tv_sec - before.tv_sec) * INT64_C(1000000000) + after.tv_nsec - before.tv_nsec) / (double)wall_ns;
}

static void act_burn(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "burn");

	if (vm) {
		found->named_group = vm_view(vm)->memory_dir[0] != '\0';
		expect(vm, "burn 2", "burning");
		found->percent = percent_of(vm_view(vm)->pid, MEASURE_MS);
		end(vm);
	}
	vm_host_close(host);
}

Test(vm_limits, a_quota_holds_for_all_of_qemu)
{
	struct scene s;

	prepare_limited(&s, "quota");
	s.options.cpu_percent = 20;
	s.options.vcpus = 2;
	play(&s, act_burn);
	printf("MEASURED cpu=20%%, two processors, two burn: %.1f %%\n", found->percent);
	cr_assert(found->named_group);
	cr_assert(found->percent > 17 && found->percent < 23, "%.1f %% instead of 20", found->percent);
}

Test(vm_limits, one_processor_is_one_however_many_burn)
{
	struct scene s;

	prepare(&s);
	share_found();
	play(&s, act_burn);
	printf("MEASURED vcpus=1, two burn: %.1f %%\n", found->percent);
	cr_assert(found->percent > 5 && found->percent < 110, "%.1f %%", found->percent);
}

static void act_memory(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "memory");

	if (vm) {
		expect(vm, "touch 16", "touched");
		expect(vm, "touch 200", "error the process was ended");
		expect(vm, "ping", "pong");
		end(vm);
	}
	vm_host_close(host);
}

Test(vm_limits, a_guest_cannot_use_more_memory_than_it_has)
{
	struct scene s;

	prepare(&s);
	play(&s, act_memory);
}

static bool touches(const struct vm *vm, const char *request)
{
	char line[512];

	return ask(vm, request, line, sizeof(line)) && strcmp(line, "touched") == 0;
}

/* The guest's driver takes its time. */
static bool until_touches(const struct vm *vm, const char *request, bool wanted)
{
	int64_t deadline_ns = in_ms(20000);

	while (touches(vm, request) != wanted)
		if (clock_now_ns() > deadline_ns)
			return false;
		else
			poll(NULL, 0, 50);
	return true;
}

static void act_balloon(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "balloon");
	struct error err = {0};

	if (vm) {
		check(until_touches(vm, "touch 100", false), "the balloon takes nothing");
		check(vm_set_memory(vm, s->options.memory_bytes, &err) == 0, "%s", err.message);
		check(until_touches(vm, "touch 100", true), "the balloon gives nothing back");
		check(vm_set_memory(vm, INT64_C(1) << 40, &err) == -EINVAL, "more than there is");
		end(vm);
	}
	vm_host_close(host);
}

static void play_balloon(const char *machine)
{
	struct scene s;

	prepare(&s);
	s.options.machine = machine;
	s.options.memory_bytes = 192 << 20;
	s.options.balloon_bytes = 96 << 20;
	play(&s, act_balloon);
}

Test(vm_limits, a_balloon_takes_memory_and_gives_it_back)
{
	play_balloon("q35");
}

Test(vm_limits, a_balloon_without_pci)
{
	play_balloon("microvm");
}

static int64_t number_in(const char *dir, const char *file)
{
	char path[PATH_MAX], text[64] = "";

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return file_read("", path, text, sizeof(text), NULL) < 0 ? -1 : strtoll(text, NULL, 10);
}

static void act_overhead(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "overhead");

	if (vm) {
		const char *dir = vm_view(vm)->memory_dir;
		int64_t old = number_in(dir, "memory.limit_in_bytes");

		expect(vm, "touch 40", "touched");
		found->limit_bytes = old >= 0 ? old : number_in(dir, "memory.max");
		found->used_bytes = number_in(dir, old >= 0 ? "memory.usage_in_bytes" : "memory.current");
		end(vm);
	}
	vm_host_close(host);
}

Test(vm_limits, qemu_may_use_the_guests_memory_and_the_overhead)
{
	struct scene s;

	prepare_limited(&s, "overhead");
	s.options.overhead_bytes = 256 << 20;
	play(&s, act_overhead);
	printf("MEASURED memory=128M, overhead=256M: limit %.0f MiB, used %.0f MiB\n", (double)found->limit_bytes / (1 << 20),
	       (double)found->used_bytes / (1 << 20));
	cr_assert_eq(found->limit_bytes, INT64_C(384) << 20);
	cr_assert(found->used_bytes > 40 << 20, "the counter does not see the guest");
}

/* Takes all of the guest's memory: the guest's kernel refuses what is more than it has, and ends the process that takes nearly all; the host's ends QEMU. */
static bool survives_its_guest(const struct vm *vm)
{
	int64_t deadline_ns = in_ms(20000);
	char request[32], line[512];
	int mib = 128;

	do {
		snprintf(request, sizeof(request), "touch %d", mib);
		if (!ask(vm, request, line, sizeof(line)))
			return false;
		mib = mib > 64 ? mib - 2 : 128;
	} while (clock_now_ns() < deadline_ns);
	return true;
}

static void act_too_little(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct error err = {0};
	struct vm *vm = NULL;
	char why[400] = "";

	if (!host)
		return;
	if (vm_start(host, "little", in_ms(READY_MS), &vm, &err) == 0) {
		bool alive = reaches_pong(vm_view(vm)) && survives_its_guest(vm);

		vm_diagnose(vm, why, sizeof(why));
		check(!alive && why[0], "it lives with less memory than its guest has");
		check(strstr(why, "QEMU") && strstr(why, "killed"), "why: %s", why);
		end(vm);
	}
	found->ended = true;
	vm_host_close(host);
}

Test(vm_limits, beyond_that_qemu_is_killed_and_said_to_be)
{
	struct scene s;

	prepare_limited(&s, "little");
	s.options.overhead_bytes = 4096;
	play(&s, act_too_little);
	cr_assert(found->ended);
}

/* Every thread of QEMU: vCPUs, main loop, helpers. */
static void act_pinned(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "pinned");
	char path[128], text[4096];

	if (vm) {
		snprintf(path, sizeof(path), "/proc/%d/task", (int)vm_view(vm)->pid);
		_cleanup_closedir_ DIR *tasks = opendir(path);
		struct dirent *entry;

		while (tasks && (entry = readdir(tasks))) {
			if (!isdigit((unsigned char)entry->d_name[0]))
				continue;
			snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)vm_view(vm)->pid, entry->d_name);
			if (file_read("", path, text, sizeof(text), NULL) < 0)
				continue;
			found->threads++;
			found->vcpu_threads += !!strstr(text, "Name:\tCPU ");
			check(strstr(text, "Cpus_allowed_list:\t1\n"), "thread %s is not bound: %s", entry->d_name,
			      strstr(text, "Cpus_allowed_list"));
		}
		end(vm);
	}
	vm_host_close(host);
}

Test(vm_limits, every_thread_of_qemu_is_bound_to_its_processors)
{
	struct scene s;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		cr_skip_test("one CPU alone");
	prepare(&s);
	share_found();
	s.options.cpuset = "1";
	s.options.vcpus = 2;
	play(&s, act_pinned);
	printf("MEASURED %d threads on CPU 1, of them %d vCPUs\n", found->threads, found->vcpu_threads);
	cr_assert_eq(found->vcpu_threads, 2);
}
