/* The guest kernel's command line: the one place where its defaults stand. */
#include "host.h"

#include <bench/timeline.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

/* What every guest gets. ttyS0 belongs to the init program alone; the kernel speaks on ttyS1, and only when it panics; a panic
 * resets at once, which ends the machine; "quiet" also silences the code before the kernel, whose words some firmware puts on ttyS0.
 * Nothing here makes the guest faster or weaker than its distribution means it to be. */
#define COMMAND_LINE_COMMON "console=ttyS1 quiet loglevel=1 panic=-1 BENCH_CONTROL=/dev/ttyS0 BENCH_POWEROFF=poweroff"

/* The kernel waits for ten ticks of the timer within 40 ms of its counter, and panics ("IO-APIC + timer doesn't work") where the host gives an emulated
 * guest less time than that. Under KVM it leaves that check out by itself (kvm_guest_init() of arch/x86/kernel/kvm.c). */
#define NO_TIMER_CHECK " no_timer_check"

enum { TSC_ROUNDS = 5, TSC_ROUND_NS = 4000000 };

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Frequency of the host's time stamp counter, which an emulated processor's follows: median of a few short rounds against the clock. */
static uint64_t tsc_khz(void)
{
	uint64_t rounds[TSC_ROUNDS];

	for (int i = 0; i < TSC_ROUNDS; i++) {
		int64_t start_ns = clock_now_ns(), now_ns;
		uint64_t start = __rdtsc(), end;

		do {
			now_ns = clock_now_ns();
			end = __rdtsc();
		} while (now_ns - start_ns < TSC_ROUND_NS);
		rounds[i] = (end - start) * 1000000 / (uint64_t)(now_ns - start_ns);
	}
	qsort(rounds, TSC_ROUNDS, sizeof(rounds[0]), compare);
	return rounds[TSC_ROUNDS / 2];
}

/* What each word costs a start stands in docs/methodology.md. */
#define TUNE_SELFTESTS " cryptomgr.notests"
#define TUNE_ALL                                                                                                                           \
	TUNE_SELFTESTS " mitigations=off init_on_alloc=0 noreplace-smp rcupdate.rcu_expedited=1 "                                          \
		       "initcall_blacklist=init_kprobe_trace,load_system_certificate_list,crypto_kdf108_init"

static const char *const tunes[VM_TUNE_COUNT] = {"", TUNE_SELFTESTS, TUNE_ALL};

int host_command_line(const char *machine, bool tcg, enum vm_tune tune, const char *append, char *ret, size_t size, struct error *err)
{
	bool microvm = strcmp(machine, "microvm") == 0;
	char frequency[48] = "";

	/* microvm has no timer chip by which an emulated guest could measure its counter: beside a busy neighbour it would try for ever. */
	if (microvm && tcg)
		snprintf(frequency, sizeof(frequency), " tsc_early_khz=%llu", (unsigned long long)tsc_khz());

	int length = snprintf(ret, size, "%s%s%s%s%s%s%s", COMMAND_LINE_COMMON, microvm ? " reboot=t" : "", tcg ? NO_TIMER_CHECK : "",
			      frequency, tunes[tune], append && append[0] ? " " : "", append ? append : "");

	if (length < 0 || (size_t)length >= size)
		return error_set(err, E2BIG, "the guest's kernel command line is longer than %zu characters", size - 1);
	return 0;
}

int host_tell_channel(char *line, size_t size, struct error *err)
{
	size_t used = strlen(line);
	/* Of two the later one is heard. */
	int length = snprintf(line + used, size - used, " BENCH_CONTROL=%s", LAUNCH_DEVICE);

	return length < 0 || (size_t)length >= size - used ? error_set(err, E2BIG, "the guest's kernel command line is too long") : 0;
}
