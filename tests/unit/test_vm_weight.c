/* Weight of a machine's group: beside a process that spins on the same CPU in a group of thrice the weight, QEMU gets a quarter of what both have. */
#include "vm_talk.h"

#include <cgroup/cgroup.h>

#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

enum { WEIGHT = 50, RIVAL = 150, WANTED = 25, MEASURE_MS = 4000, EMPTY_MS = 2000 };

/* Made before the scene's child, which gives up root. */
static int rival_fd, cpu;
static double *found;

static bool write_into(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	struct error err = {0};

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (file_write_kernel(path, text, &err) == 0)
		return true;
	fprintf(stderr, "rival: %s\n", err.message);
	return false;
}

/* Of both versions; the first has 1,024 where the second has 100. */
static bool set_weight(const char *dir)
{
	char path[PATH_MAX], text[16];

	snprintf(path, sizeof(path), "%s/cpu.shares", dir);
	bool shares = path_exists(path);
	snprintf(text, sizeof(text), "%d", shares ? (RIVAL * 1024 + 50) / 100 : RIVAL);
	return write_into(dir, shares ? "cpu.shares" : "cpu.weight", text);
}

static int bind_to_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

/* Says its number when it is in its group. */
static pid_t spin_in(const char *dir, int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		pid_t self = getpid();

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!write_into(dir, "cgroup.procs", "0") || bind_to_cpu() < 0 ||
		    send(fd, &self, sizeof(self), MSG_NOSIGNAL) != sizeof(self))
			_exit(1);
		close(fd);
		for (volatile int spin = 1; spin;)
			;
	}
	return pid;
}

/* Beside the machine's group. It makes nothing before it is told that a machine runs, and leaves nothing when the other end is closed. */
static _Noreturn void rival_main(const char *parent, int fd)
{
	char dir[CGROUP_PATH_MAX + 16], word;
	pid_t pid = -1;

	if (read(fd, &word, 1) != 1)
		_exit(0);
	snprintf(dir, sizeof(dir), "%s/rival", parent);
	if (mkdir(dir, 0755) == 0 && set_weight(dir))
		pid = spin_in(dir, fd);
	else
		shutdown(fd, SHUT_WR);
	if (read(fd, &word, 1) < 0)
		perror("rival");
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	for (int64_t end_ns = in_ms(EMPTY_MS); rmdir(dir) < 0 && errno == EBUSY && clock_now_ns() < end_ns;)
		poll(NULL, 0, 5);
	rmdir(parent); /* of a library that died: its aide could not, while this group was in it */
	_exit(0);
}

static int64_t cpu_ns(pid_t pid)
{
	clockid_t clock;
	struct timespec now;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) < 0)
		return -1;
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* What `a` had of the time that both had, in percent. */
static double part_of(pid_t a, pid_t b)
{
	int64_t a_ns = cpu_ns(a), b_ns = cpu_ns(b);

	poll(NULL, 0, MEASURE_MS);
	int64_t a_had = cpu_ns(a) - a_ns, b_had = cpu_ns(b) - b_ns;
	check(a_ns >= 0 && b_ns >= 0 && a_had + b_had > 0, "no time of the processes");
	return 100.0 * (double)a_had / (double)(a_had + b_had);
}

static void act_weight(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "weighed");
	pid_t rival = 0;
	char word;

	if (vm) {
		expect(vm, "burn 2", "burning");
		if (send(rival_fd, "g", 1, MSG_NOSIGNAL) == 1 && read(rival_fd, &rival, sizeof(rival)) == sizeof(rival))
			*found = part_of(vm_view(vm)->pid, rival);
		else
			fail("nobody spins beside it");
		end(vm);
	}
	shutdown(rival_fd, SHUT_WR);
	while (read(rival_fd, &word, 1) > 0)
		;
	vm_host_close(host);
}

static int first_cpu(void)
{
	cpu_set_t ours;

	cr_assert_eq(sched_getaffinity(0, sizeof(ours), &ours), 0);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &ours))
			return i;
	return 0;
}

/* As the aide will plan it: with what it counts (aide.c). */
static void plan(const char *group, struct cgroup_tree *ret)
{
	const unsigned counted = CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS) | CGROUP_BIT(CGROUP_CPUACCT);
	const struct cgroup_limits limits = {.cpu_weight = WEIGHT};
	struct cgroup_layout layout;
	struct error err = {0};

	cr_assert_eq(cgroup_detect("", &layout, &err), 0, "%s", err.message);
	cr_assert_eq(cgroup_tree_plan_limits("", &layout, group, &limits, counted, ret, &err), 0, "%s", err.message);
	if (ret->dir_of[CGROUP_CPU] < 0 || ret->note[0]) {
		cr_assert(!must_run(), "weights must work here, but: %s", ret->note);
		cr_skip_test("%s", ret->note);
	}
}

Test(vm_weight, a_machine_gets_what_its_weight_says)
{
	struct scene s;
	struct cgroup_tree tree;
	int ends[2];
	char group[64], cpus[16];

	need_root_for("a control group");
	snprintf(group, sizeof(group), "bench-test-weight-%d", (int)getpid());
	plan(group, &tree);
	prepare(&s);
	cpu = first_cpu();
	snprintf(cpus, sizeof(cpus), "%d", cpu);
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(found, MAP_FAILED);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	if (fork() == 0) {
		close(ends[0]);
		rival_main(tree.dirs[tree.dir_of[CGROUP_CPU]], ends[1]);
	}
	close(ends[1]);
	rival_fd = ends[0];
	s.options.cgroup_name = group;
	s.options.cgroup_required = true;
	s.options.cpu_weight = WEIGHT;
	s.options.cpuset = cpus;
	play(&s, act_weight);
	for (size_t i = 0; i < tree.n_dirs; i++)
		cr_assert_not(path_exists(tree.dirs[i]), "%s is left", tree.dirs[i]);
	printf("MEASURED cpu-weight=%d beside %d on one CPU: %.1f %%\n", WEIGHT, RIVAL, *found);
	cr_assert(*found > WANTED - 3 && *found < WANTED + 3, "%.1f %% instead of %d", *found, WANTED);
}
