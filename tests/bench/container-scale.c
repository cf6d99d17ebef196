/* Many idle containers at once: what does the last hundred cost beside the first, what does each take, how long until all are gone?
 *
 *   container-scale AGENT N [KEY=VALUE…]
 *
 * Run it last: memory cgroups get dearer with every one that ever was, until the next boot. Needs two descriptors a container (ulimit -n) and
 * pid_max above N. Memory is what MemAvailable lost. Gone is gone: no process, no cgroup, and the kernel's count of network namespaces (where
 * /proc/slabinfo tells it) is back, which it frees behind everybody's back. */
#include "starts.h"

#include <base/files.h>
#include <bench/timeline.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HUNDRED = 100, GONE_LIMIT_S = 120, TEXT_BYTES = 256 * 1024 };

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

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static double median_us(const double *took_ns, unsigned n)
{
	double copy[HUNDRED];

	memcpy(copy, took_ns, n * sizeof(*copy));
	return starts_quantile_us(copy, n, 0.5);
}

/* How many were started. */
static unsigned start_all(struct starts *starts, struct one_start *ones, double *took_ns, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (starts_one(starts, i, &ones[i]) < 0)
			return i;
		took_ns[i] = (double)ones[i].took_ns;
		if ((i + 1) % HUNDRED == 0) {
			printf("%6u  median of the last hundred %8.1f us\n", i + 1, median_us(took_ns + i + 1 - HUNDRED, HUNDRED));
			fflush(stdout);
		}
	}
	return n;
}

static int stop_all(struct starts *starts, struct one_start *ones, unsigned n)
{
	int rc = 0;

	/* All at once: the kernel takes them apart on all CPUs while the first are reaped. */
	for (unsigned i = 0; i < n; i++)
		syscall(SYS_pidfd_send_signal, ones[i].container.pidfd, SIGKILL, NULL, 0);
	for (unsigned i = 0; i < n; i++)
		rc |= starts_stop(starts, &ones[i]);
	return rc;
}

static bool wait_namespaces(long long before, unsigned n, int64_t begin_ns)
{
	/* Some that were there before may go, others come: a few in a thousand do not count. */
	while (network_namespaces() > before + n / 200 + 8) {
		if (clock_now_ns() - begin_ns > GONE_LIMIT_S * INT64_C(1000000000))
			return false;
		poll(NULL, 0, 20);
	}
	return true;
}

static int run(struct starts *starts, unsigned n, struct one_start *ones, double *took_ns)
{
	long long namespaces = network_namespaces(), available = number_after("/proc/meminfo", "MemAvailable:");
	int64_t begin_ns = clock_now_ns();
	unsigned started = start_all(starts, ones, took_ns, n);
	double seconds = (double)(clock_now_ns() - begin_ns) / 1e9;

	if (started > 0)
		printf("%u of %u started in %.2f s, %.0f KiB of memory each\n", started, n, seconds,
		       (double)(available - number_after("/proc/meminfo", "MemAvailable:")) / started);
	if (started >= 2 * HUNDRED)
		printf("last hundred / first hundred  %.2f\n",
		       median_us(took_ns + started - HUNDRED, HUNDRED) / median_us(took_ns, HUNDRED));
	begin_ns = clock_now_ns();
	int rc = stop_all(starts, ones, started);
	printf("processes and cgroups gone after %.2f s\n", (double)(clock_now_ns() - begin_ns) / 1e9);
	if (n >= HUNDRED && namespaces >= 0 && wait_namespaces(namespaces, n, begin_ns))
		printf("network namespaces gone after %.2f s\n", (double)(clock_now_ns() - begin_ns) / 1e9);
	return rc < 0 || started < n ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct starts starts;

	if (argc < 3) {
		fprintf(stderr, "usage: %s AGENT N [KEY=VALUE...]\n", argv[0]);
		return 2;
	}
	unsigned n = starts_argument("N", argv[2]);
	struct one_start *ones = calloc(n, sizeof(*ones));
	double *took_ns = calloc(n, sizeof(*took_ns));
	raise_descriptors();
	int rc = ones && took_ns ? starts_open(argv[1], argv + 3, (size_t)(argc - 3), &starts) : -1;
	if (rc == 0) {
		rc = run(&starts, n, ones, took_ns);
		starts_close(&starts);
	}
	free(ones);
	free(took_ns);
	return rc < 0;
}
