/* How long does the end of a machine take, and how long until an error of libvirt's is told?
 *
 *   vm-ends AGENT CACHE [N]
 *
 * Of each type of machine N (default 10) are booted, asked, and stopped: from the request until QEMU is gone, and until libvirt has forgotten it too. Then each
 * way in which libvirt fails is played N times: from the call until its error is there. Median and most, in milliseconds. */
#include "machines.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/timeline.h>
#include <drivers/vm_ready.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { N_MOST = 200, READY_S = 60 };

struct setting {
	const char *agent, *cache;
	int64_t n;
};

struct times {
	double ms[N_MOST];
	int n;
};

static int64_t deadline(void)
{
	return clock_now_ns() + READY_S * INT64_C(1000000000);
}

static void add(struct times *times, int64_t from_ns, int64_t to_ns)
{
	times->ms[times->n++] = (double)(to_ns - from_ns) / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *machine, const char *what, struct times *times, const char *words)
{
	if (times->n == 0)
		return;
	qsort(times->ms, (size_t)times->n, sizeof(times->ms[0]), compare);
	printf("%-9s %-34s %8.1f %8.1f  %3d  %.110s\n", machine, what, times->ms[times->n / 2], times->ms[times->n - 1], times->n, words);
}

static struct vm_host *open_host(const struct machines *m, const struct setting *s, const char *machine, bool restore)
{
	const struct vm_options options = {.init_path = s->agent,
					   .cache_dir = s->cache,
					   .machine = machine,
					   .run_dir = m->run_dir,
					   .journal = m->journal,
					   .memory_bytes = INT64_C(128) << 20,
					   .vcpus = 1,
					   .restore = restore,
					   .ready = vm_ready};
	struct vm_host *host = NULL;
	struct error err = {0};

	if (vm_host_open(&options, &host, &err) < 0)
		printf("%s: %s\n", machine, err.message);
	return host;
}

/* ---- stops ---- */

struct watch {
	int pidfd;
	int64_t gone_ns;
};

static void *watch_main(void *arg)
{
	struct watch *watch = arg;
	struct pollfd ended = {.fd = watch->pidfd, .events = POLLIN};

	if (poll(&ended, 1, READY_S * 1000) == 1)
		watch->gone_ns = clock_now_ns();
	return NULL;
}

static bool stop_one(struct vm *vm, struct times *gone, struct times *whole)
{
	struct watch watch = {.pidfd = pidfd_open(vm_view(vm)->pid, 0)};
	struct error err = {0};
	pthread_t thread;

	if (watch.pidfd < 0 || pthread_create(&thread, NULL, watch_main, &watch) != 0)
		return false;
	int64_t start_ns = clock_now_ns();
	int rc = vm_stop(vm, &err);
	int64_t end_ns = clock_now_ns();

	pthread_join(thread, NULL);
	close(watch.pidfd);
	if (rc < 0 || watch.gone_ns == 0) {
		printf("stop: %s\n", rc < 0 ? err.message : "QEMU's end was not seen");
		return false;
	}
	add(gone, start_ns, watch.gone_ns);
	add(whole, start_ns, end_ns);
	return true;
}

static bool stops(struct vm_host *host, const char *name, bool restored, int64_t n)
{
	struct times gone = {0}, whole = {0};

	for (int64_t i = 0; i < n; i++) {
		struct error err = {0};
		struct vm *vm;
		char id[24];

		snprintf(id, sizeof(id), "stop-%lld", (long long)i);
		if (vm_start(host, id, deadline(), &vm, &err) < 0) {
			printf("%s: %s\n", name, err.message);
			return false;
		}
		if ((!restored && !machines_greets(vm, deadline())) || !machines_answers(vm, deadline()) || !stop_one(vm, &gone, &whole))
			return false;
	}
	print(name, "stop, until QEMU is gone", &gone, "");
	print(name, "stop, until libvirt has forgotten it", &whole, "");
	return true;
}

/* ---- errors ---- */

/* The start must fail; `prepare` has seen to that. */
static bool fails(struct vm_host *host, const char *machine, const char *what, int64_t n,
		  bool (*prepare)(const struct vm_host *host, void *arg), void *arg)
{
	struct times times = {0};
	struct error err = {0};

	for (int64_t i = 0; i < n; i++) {
		struct vm *vm = NULL;
		char id[24];

		snprintf(id, sizeof(id), "fails-%lld", (long long)i);
		if (prepare && !prepare(host, arg))
			return false;
		int64_t start_ns = clock_now_ns();
		int rc = vm_start(host, id, deadline(), &vm, &err);

		if (rc == 0) {
			printf("%s: %s: it started\n", machine, what);
			vm_stop(vm, NULL);
			return false;
		}
		add(&times, start_ns, clock_now_ns());
	}
	print(machine, what, &times, err.message);
	return true;
}

static bool damage(const struct vm_host *host, void *path)
{
	return truncate(path, 4096) == 0;
}

static bool take_away(const struct vm_host *host, void *path)
{
	return unlink(path) == 0 || !path_exists(path);
}

/* Kills the QEMU of this process's run as soon as it is there. */
struct killer {
	const char *run_dir;
	pthread_t thread;
	bool started;
};

static void *kill_main(void *arg)
{
	const struct killer *killer = arg;
	char command[160];

	snprintf(command, sizeof(command), "exec pkill -KILL -f '^[^ ]*qemu-system.*guest=bench-fails.*%s/'", killer->run_dir);
	for (int64_t until_ns = deadline(); clock_now_ns() < until_ns && system(command) != 0;)
		;
	return NULL;
}

static bool send_killer(const struct vm_host *host, void *arg)
{
	struct killer *killer = arg;

	if (killer->started)
		pthread_join(killer->thread, NULL);
	killer->started = pthread_create(&killer->thread, NULL, kill_main, killer) == 0;
	return killer->started;
}

static bool taken(struct vm_host *host, const char *machine, int64_t n)
{
	struct times times = {0};
	struct error err = {0};
	struct vm *first = NULL, *second = NULL;

	if (vm_start(host, "taken", deadline(), &first, &err) < 0)
		return false;
	for (int64_t i = 0; i < n; i++) {
		int64_t start_ns = clock_now_ns();

		if (vm_start(host, "taken", deadline(), &second, &err) == 0)
			return false;
		add(&times, start_ns, clock_now_ns());
	}
	print(machine, "its name is taken", &times, err.message);
	return vm_stop(first, NULL) == 0;
}

static bool errors(const struct machines *m, struct vm_host *host, const char *machine, int64_t n)
{
	struct killer killer = {.run_dir = m->run_dir};
	char kernel[96];

	snprintf(kernel, sizeof(kernel), "%s/vm/kernel", m->run_dir);
	bool fine = taken(host, machine, n) && fails(host, machine, "QEMU is killed while it starts", n, send_killer, &killer);

	if (killer.started)
		pthread_join(killer.thread, NULL);
	return fine && fails(host, machine, "the kernel is damaged", n, damage, kernel) &&
	       fails(host, machine, "the kernel is gone", n, take_away, kernel);
}

static bool no_state(const struct machines *m, struct vm_host *host, const char *machine, int64_t n)
{
	char saved[96];

	snprintf(saved, sizeof(saved), "%s/vm/saved", m->run_dir);
	return fails(host, machine, "the saved state is damaged", n, damage, saved);
}

/* ---- all of it ---- */

static bool play(const struct machines *m, const struct setting *s, const char *machine)
{
	char name[24];
	struct vm_host *host = open_host(m, s, machine, false);
	bool fine = host && stops(host, machine, false, s->n) && errors(m, host, machine, s->n);

	vm_host_close(host);
	if (!fine)
		return false;
	host = open_host(m, s, machine, true);
	snprintf(name, sizeof(name), "%s-r", machine);
	fine = host && stops(host, name, true, s->n) && no_state(m, host, name, s->n);
	vm_host_close(host);
	return fine;
}

static bool work(const struct machines *m, void *arg)
{
	printf("%-9s %-34s %8s %8s  %3s  %s\n", "", "milliseconds", "median", "most", "n", "what is told");
	return play(m, arg, "microvm") && play(m, arg, "q35");
}

int main(int argc, char **argv)
{
	struct machines machines = {.program = "vm-ends"};
	struct setting setting = {.n = 10};
	struct error err = {0};

	if (argc < 3 || argc > 4 || (argc == 4 && parse_integer("N", argv[3], 1, N_MOST, &setting.n, &err) < 0)) {
		fprintf(stderr, "usage: %s AGENT CACHE [N]\n", argv[0]);
		return 2;
	}
	setting.agent = argv[1];
	setting.cache = argv[2];
	return machines_apart(&machines, work, &setting);
}
