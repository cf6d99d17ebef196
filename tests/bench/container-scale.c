/* Many idle containers at once: what does the last hundred cost beside the first, what does each take, how long until all are gone?
 *
 *   container-scale AGENT N [KEY=VALUE…]
 *
 * Run it last: memory cgroups get dearer with every one that ever was, until the next boot. Each hundred has a launcher of its own. Needs
 * pid_max above N. Memory is what MemAvailable lost. Gone is gone: no process, no cgroup, and the kernel's count of network namespaces (where
 * /proc/slabinfo tells it) is back, which it frees behind everybody's back. */
#include "starts.h"

#include <base/files.h>
#include <bench/timeline.h>

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HUNDRED = 100, GONE_LIMIT_S = 120, TEXT_BYTES = 256 * 1024, TOUCHED_BYTES = 1 << 20, NAMESPACES_SEEN = 1000, MEDIAN_OF_MAX = 1000 };

/* First number behind `name` in a file of /proc, or -1. */
static long long number_after(const char *path, const char *name)
{
	char *text = malloc(TEXT_BYTES), *at = NULL;
	long long ret = -1;

	if (text && file_read("", path, text, TEXT_BYTES, NULL) > 0)
		at = strstr(text, name);
	if (at)
		ret = strtoll(at + strlen(name), NULL, 10);
	free(text);
	return ret;
}

static long long network_namespaces(void)
{
	return number_after("/proc/slabinfo", "\nnet_namespace ");
}

static double median_us(const double *took_ns, unsigned n)
{
	double copy[MEDIAN_OF_MAX];

	memcpy(copy, took_ns, n * sizeof(*copy));
	return starts_quantile_us(copy, n, 0.5);
}

/* One that starts some of the containers and keeps them: a process that holds thousands of descriptors hands all of them to each child, which
 * has to close them, and that would be measured instead. */
struct launcher {
	pid_t pid;
	int channel; /* -1: none. It writes a byte when its containers run, and stops them when it reads one */
};

static bool start_some(struct starts *starts, struct one_start *ones, double *took_ns, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		if (starts_one(starts, i, &ones[i - first]) < 0)
			return false;
		took_ns[i] = (double)ones[i - first].took_ns;
	}
	return true;
}

static int stop_some(struct starts *starts, struct one_start *ones, unsigned n)
{
	int rc = 0;

	/* All at once: the kernel takes them apart on all CPUs while the first are reaped. */
	for (unsigned i = 0; i < n; i++)
		if (ones[i].container.pidfd >= 0)
			syscall(SYS_pidfd_send_signal, ones[i].container.pidfd, SIGKILL, NULL, 0);
	for (unsigned i = 0; i < n; i++)
		if (ones[i].container.pidfd >= 0)
			rc |= starts_stop(starts, &ones[i]);
	return rc;
}

static int launcher_main(int channel, char **argv, int argc, double *took_ns, unsigned first)
{
	struct one_start ones[HUNDRED];
	struct starts starts;
	char byte = 0;

	for (unsigned i = 0; i < HUNDRED; i++)
		ones[i] = (struct one_start){.container = CONTAINER_NONE};
	if (starts_open(argv[1], argv + 3, (size_t)(argc - 3), &starts) < 0)
		return 1;
	bool all = start_some(&starts, ones, took_ns, first, HUNDRED);
	if (all && write(channel, "+", 1) == 1)
		all = read(channel, &byte, 1) == 1;
	int rc = stop_some(&starts, ones, HUNDRED);
	starts_close(&starts);
	return rc < 0 || !all;
}

static bool launch_hundred(struct launcher *ret, char **argv, int argc, double *took_ns, unsigned first)
{
	int pair[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	fflush(stdout);
	ret->pid = fork();
	if (ret->pid == 0) {
		close(pair[0]);
		_exit(launcher_main(pair[1], argv, argc, took_ns, first));
	}
	close(pair[1]);
	ret->channel = pair[0];
	return ret->pid > 0 && read(pair[0], &byte, 1) == 1;
}

/* How many were started. */
static unsigned start_all(struct launcher *launchers, unsigned n, char **argv, int argc, double *took_ns)
{
	for (unsigned i = 0; i < n; i += HUNDRED) {
		if (!launch_hundred(&launchers[i / HUNDRED], argv, argc, took_ns, i))
			return i;
		printf("%6u  median of the last hundred %8.1f us\n", i + HUNDRED, median_us(took_ns + i, HUNDRED));
		fflush(stdout);
	}
	return n;
}

static int stop_all(struct launcher *launchers, unsigned n)
{
	int rc = 0, status;

	for (unsigned i = 0; i < n; i++)
		if (launchers[i].pid > 0)
			rc |= write(launchers[i].channel, "-", 1) == 1 ? 0 : -1;
	for (unsigned i = 0; i < n; i++) {
		if (launchers[i].pid <= 0)
			continue;
		rc |= waitpid(launchers[i].pid, &status, 0) == launchers[i].pid && status == 0 ? 0 : -1;
		close(launchers[i].channel);
	}
	return rc;
}

/* The kernel frees the memory of the namespaces that it took apart last when it takes apart the next one. */
static void make_and_drop_network_namespace(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static bool wait_namespaces(long long before, unsigned n, int64_t begin_ns)
{
	/* Some that were there before may go, others come: a few in a thousand do not count. */
	while (network_namespaces() > before + n / 200 + 8) {
		if (clock_now_ns() - begin_ns > GONE_LIMIT_S * INT64_C(1000000000))
			return false;
		make_and_drop_network_namespace();
		poll(NULL, 0, 20);
	}
	return true;
}

/* What n containers will need. Where the host is a virtual machine, its own host provides memory at the first touch, which costs several times
 * what the container does, and would be measured instead. */
static void touch_memory(unsigned n)
{
	size_t size = (size_t)n * TOUCHED_BYTES;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory != MAP_FAILED)
		munmap(memory, size);
}

static int run(unsigned n, char **argv, int argc, struct launcher *launchers, double *took_ns)
{
	touch_memory(n);
	long long namespaces = network_namespaces(), available = number_after("/proc/meminfo", "MemAvailable:");
	int64_t begin_ns = clock_now_ns();
	unsigned started = start_all(launchers, n, argv, argc, took_ns);
	double seconds = (double)(clock_now_ns() - begin_ns) / 1e9;

	if (started > 0)
		printf("%u of %u started in %.2f s, %.0f KiB of memory each\n", started, n, seconds,
		       (double)(available - number_after("/proc/meminfo", "MemAvailable:")) / started);
	if (started >= 2 * HUNDRED)
		printf("last hundred / first hundred  %.2f\n",
		       median_us(took_ns + started - HUNDRED, HUNDRED) / median_us(took_ns, HUNDRED));
	if (started >= 2 * MEDIAN_OF_MAX)
		printf("last thousand / first thousand  %.2f\n",
		       median_us(took_ns + started - MEDIAN_OF_MAX, MEDIAN_OF_MAX) / median_us(took_ns, MEDIAN_OF_MAX));
	begin_ns = clock_now_ns();
	int rc = stop_all(launchers, n / HUNDRED);
	printf("processes and cgroups gone after %.2f s\n", (double)(clock_now_ns() - begin_ns) / 1e9);
	if (n >= NAMESPACES_SEEN && namespaces >= 0 && wait_namespaces(namespaces, n, begin_ns))
		printf("network namespaces gone after %.2f s\n", (double)(clock_now_ns() - begin_ns) / 1e9);
	return rc < 0 || started < n ? -1 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: %s AGENT N [KEY=VALUE...]\n", argv[0]);
		return 2;
	}
	unsigned n = (starts_argument("N", argv[2]) + HUNDRED - 1) / HUNDRED * HUNDRED;
	struct launcher *launchers = calloc(n / HUNDRED, sizeof(*launchers));
	double *took_ns = mmap(NULL, n * sizeof(*took_ns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int rc = launchers && took_ns != MAP_FAILED ? run(n, argv, argc, launchers, took_ns) : -1;

	free(launchers);
	return rc < 0;
}
