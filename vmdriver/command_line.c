/* The guest kernel's command line: the one place where its defaults stand. */
#include "host.h"
#include "initramfs.h"

#include <bench/timeline.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

/* What every guest gets, with its ports (arch.h). The control port belongs to the init program alone; the kernel speaks on the other one, and only
 * when it panics; a panic resets at once, which ends the machine; "quiet" also silences the code before the kernel, whose words some firmware puts on
 * ttyS0. Nothing here makes the guest weaker than its distribution means it to be. */
#define COMMAND_LINE_COMMON "console=%s quiet loglevel=1 panic=-1 BENCH_CONTROL=%s BENCH_POWEROFF=poweroff"

/* The kernel waits for ten ticks of the timer within 40 ms of its counter, and panics ("IO-APIC + timer doesn't work") where the host gives an emulated
 * guest less time than that. Under KVM it leaves that check out by itself (kvm_guest_init() of arch/x86/kernel/kvm.c). */
#define NO_TIMER_CHECK " no_timer_check"

#if defined(__x86_64__)
enum { TSC_ROUNDS = 5, TSC_ROUND_NS = 4000000 };

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Frequency of the host's time stamp counter, which an emulated processor's follows: median of a few short rounds against the clock. */
uint64_t host_tsc_khz(void)
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
#else
/* What an emulated counter follows on such a host is QEMU's affair: the guest has to find out. */
uint64_t host_tsc_khz(void)
{
	return 0;
}
#endif

/* What each word costs a start stands in docs/methodology.md. */
static const struct {
	const char *all, *x86; /* for every architecture, and for x86 alone */
} tunes[VM_TUNE_COUNT] = {
	[VM_TUNE_OFF] = {"", ""},
	[VM_TUNE_START] = {" cryptomgr.notests", " noreplace-smp"},
	[VM_TUNE_ALL] = {" cryptomgr.notests mitigations=off init_on_alloc=0 rcupdate.rcu_expedited=1",
			 " noreplace-smp initcall_blacklist=init_kprobe_trace,load_system_certificate_list,crypto_kdf108_init"},
};

int host_command_line(const struct arch *arch, const char *machine, bool tcg, uint64_t khz, enum vm_tune tune, const char *append,
		      char *ret, size_t size, struct error *err)
{
	bool microvm = strcmp(machine, "microvm") == 0, x86 = strcmp(arch->name, "x86_64") == 0;
	char counter[64] = "";

	/* An emulated guest measures its counter against an emulated timer, and takes long for it, or a wrong answer, beside a busy neighbour; microvm has
	 * no such timer and would try for ever. Later it compares the two, on microvm with the number of its ticks; of these a busy host loses some, the guest
	 * blames its counter, and from then on has a clock of 4 ms and 250 ticks a second. The counter is the host's own: nothing needs a comparison. Under KVM
	 * the host tells it (kvm_get_tsc_khz() of arch/x86/kernel/kvmclock.c). */
	if (khz > 0 && x86 && tcg)
		snprintf(counter, sizeof(counter), " tsc_early_khz=%llu tsc=reliable", (unsigned long long)khz);

	int length = snprintf(ret, size, COMMAND_LINE_COMMON "%s%s%s%s%s%s%s", arch->console, arch->control, microvm ? " reboot=t" : "",
			      tcg && x86 ? NO_TIMER_CHECK : "", counter, tunes[tune].all, x86 ? tunes[tune].x86 : "",
			      append && append[0] ? " " : "", append ? append : "");

	if (length < 0 || (size_t)length >= size)
		return error_set(err, E2BIG, "the guest's kernel command line is longer than %zu characters", size - 1);
	return 0;
}

int host_tell_runtime(const struct vm_options *o, char *line, size_t size, struct error *err)
{
	size_t used = strlen(line);
	int length = snprintf(line + used, size - used, " BENCH_RUNTIME=/" INITRAMFS_RUNTIME " BENCH_CONTAINER=%s", o->runtime_words);

	return length < 0 || (size_t)length >= size - used
		       ? error_set(err, E2BIG, "the guest's kernel command line is longer than %zu characters", size - 1)
		       : 0;
}

int host_tell_channel(char *line, size_t size, struct error *err)
{
	size_t used = strlen(line);
	/* Of two the later one is heard. */
	int length = snprintf(line + used, size - used, " BENCH_CONTROL=%s", LAUNCH_DEVICE);

	return length < 0 || (size_t)length >= size - used ? error_set(err, E2BIG, "the guest's kernel command line is too long") : 0;
}
