/* Many machines at once: how many run on this host, what do they take, how long until all answer, and until all are gone?
 *
 *   vm-many AGENT CACHE N [MACHINE [MEMORY]]
 *
 * They are started one after the other, four boot beside each other; each is ready when its agent answers a ping, and all are asked twice when all are there.
 * MACHINE: microvm (default) or q35; MEMORY: of each guest, default 96M. Where one does not start, the reason is printed and the others are asked all
 * the same: that is this host's limit. SIGINT and SIGTERM end all of them. Status 0: all N answered, and nothing of them is left. */
#include "machines.h"

#include <base/units.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READY_S = 1800, N_MAX = 5000, AT_ONCE = 4 };

struct setting {
	struct vm_options options;
	int64_t n;
};

static double seconds_since(int64_t start_ns)
{
	return (double)(clock_now_ns() - start_ns) / 1e9;
}

/* For whoever waits: the last line of a terminal. */
static void tell_progress(const char *what, int64_t done, int64_t n)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%lld of %lld %s%s", (long long)done, (long long)n, what, done == n ? "\n" : "");
}

/* Boots overlap by AT_ONCE: with a hundredth of a processor each, emulated guests get no further than serving the ticks of their timers. */
static int64_t start_all(struct vm_host *host, struct vm **vms, int64_t n, int64_t deadline_ns)
{
	int64_t greeted = 0, started = 0;

	while (started < n) {
		struct error err = {0};
		char id[24];

		snprintf(id, sizeof(id), "many-%lld", (long long)started);
		if (vm_start(host, id, deadline_ns, &vms[started], &err) < 0) {
			printf("the limit: machine %lld: %s\n", (long long)started + 1, err.message);
			break;
		}
		started++;
		for (; started - greeted >= AT_ONCE && machines_greets(vms[greeted], deadline_ns); greeted++)
			;
		tell_progress("started", started, n);
	}
	while (greeted < started && machines_greets(vms[greeted], deadline_ns))
		greeted++;
	return started;
}

static int64_t count_ready(struct vm **vms, int64_t n, int64_t deadline_ns)
{
	int64_t ready = 0;

	for (int64_t i = 0; i < n; i++) {
		if (machines_answers(vms[i], deadline_ns)) {
			ready++;
			tell_progress("answered", ready, n);
		} else {
			char why[400];

			vm_diagnose(vms[i], why, sizeof(why));
			printf("machine %lld does not answer: %s\n", (long long)i + 1, why);
		}
	}
	return ready;
}

static void print_memory(struct vm **vms, int64_t n)
{
	int64_t guests = 0, overhead = 0;
	char text[2][32];

	for (int64_t i = 0; i < n; i++) {
		struct vm_memory memory;

		vm_memory(vms[i], &memory);
		guests += memory.ram_bytes > 0 ? memory.ram_bytes : 0;
		overhead += memory.vmm_pss_bytes > 0 ? memory.vmm_pss_bytes : 0;
	}
	printf("memory of each: %s of the guest's, %s of QEMU's (PSS)\n", format_bytes(guests / n, text[0], sizeof(text[0])),
	       format_bytes(overhead / n, text[1], sizeof(text[1])));
}

static bool stop_all(struct vm **vms, int64_t n)
{
	int64_t start_ns = clock_now_ns();
	bool fine = true;

	for (int64_t i = 0; i < n; i++) {
		struct error err = {0};

		if (vm_stop(vms[i], &err) < 0) {
			printf("stop of machine %lld: %s\n", (long long)i + 1, err.message);
			fine = false;
		}
	}
	printf("all stopped in %.2f s, %.1f ms each\n", seconds_since(start_ns), 1e3 * seconds_since(start_ns) / (double)n);
	return fine;
}

static bool run(const struct machines *machines, void *arg)
{
	struct setting *s = arg;
	_cleanup_free_ struct vm **vms = calloc((size_t)s->n, sizeof(*vms));
	struct vm_host *host = NULL;
	struct error err = {0};

	s->options.run_dir = machines->run_dir;
	s->options.journal = machines->journal;
	if (!vms || vm_host_open(&s->options, &host, &err) < 0) {
		fprintf(stderr, "vm-many: %s\n", err.message);
		return false;
	}
	printf("%s, %s\n", vm_host_facts(host)->machine, strcmp(vm_host_facts(host)->accelerator, "tcg") == 0 ? "TCG (emulated)" : "KVM");
	int64_t start_ns = clock_now_ns(), deadline_ns = start_ns + READY_S * INT64_C(1000000000);
	int64_t started = start_all(host, vms, s->n, deadline_ns);

	printf("%lld of %lld started in %.1f s\n", (long long)started, (long long)s->n, seconds_since(start_ns));
	int64_t ready = count_ready(vms, started, deadline_ns);
	double all_s = seconds_since(start_ns);
	int64_t again = count_ready(vms, started, deadline_ns);

	printf("%lld answered, the last after %.1f s; once more, with all there: %lld\n", (long long)ready, all_s, (long long)again);
	if (started > 0)
		print_memory(vms, started);
	bool fine = started == 0 || stop_all(vms, started);
	vm_host_close(host);
	return fine && ready == s->n && again == s->n;
}

static bool read_words(int argc, char **argv, struct setting *s)
{
	struct error err = {0};

	if (argc < 4 || argc > 6) {
		fprintf(stderr, "usage: %s AGENT CACHE N [MACHINE [MEMORY]]\n", argv[0]);
		return false;
	}
	*s = (struct setting){.options = {.init_path = argv[1],
					  .cache_dir = argv[2],
					  .machine = argc > 4 ? argv[4] : "microvm",
					  .memory_bytes = INT64_C(96) << 20,
					  .vcpus = 1}};
	if (parse_integer("N", argv[3], 1, N_MAX, &s->n, &err) < 0 ||
	    (argc > 5 && parse_bytes(argv[5], &s->options.memory_bytes, &err) < 0)) {
		fprintf(stderr, "vm-many: %s\n", err.message);
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct machines machines = {.program = "vm-many"};
	struct setting s;

	return read_words(argc, argv, &s) ? machines_apart(&machines, run, &s) : 2;
}
