/* What does a start cost that nothing ran before? Pairs of starts: one after an idle pause, one right after the first has ended.
 *
 *   container-isolated AGENT N [PAUSE_MS [KEY=VALUE…]]
 *
 * A tight loop hides what the kernel does only after a pause (an RCU grace period at the first write to cgroup.procs, cold caches, sleeping
 * CPUs). Pairs share their moment, so that what disturbs the host disturbs both. */
#include "starts.h"

#include <stats/ratio.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RESAMPLES = 2000 };

static void pause_ms(unsigned ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};

	while (nanosleep(&left, &left) < 0)
		;
}

static int run_one(struct starts *starts, unsigned number, double *ret_ns)
{
	struct one_start one;

	if (starts_one(starts, number, &one) < 0)
		return -1;
	*ret_ns = (double)one.took_ns;
	return starts_stop(starts, &one);
}

static int run_pairs(struct starts *starts, unsigned n, unsigned idle_ms, double *isolated, double *tight)
{
	double warm_up;

	if (run_one(starts, 0, &warm_up) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		container_plan_refill(starts->plan, NULL);
		pause_ms(idle_ms);
		if (run_one(starts, 2 * i + 1, &isolated[i]) < 0 || run_one(starts, 2 * i + 2, &tight[i]) < 0)
			return -1;
	}
	return 0;
}

static void tell(unsigned n, unsigned idle_ms, double *isolated, double *tight, uint32_t *blocks)
{
	struct interval interval = {NAN, NAN};
	double ratio = NAN;

	for (unsigned i = 0; i < n; i++)
		blocks[i] = i;
	const struct pair_side a = {.values = isolated, .blocks = blocks, .n = n}, b = {.values = tight, .blocks = blocks, .n = n};
	ratio_by_block(&a, &b, 1, RESAMPLES, &ratio, &interval);
	printf("ratio by pair  %.3f [%.3f-%.3f]\n", ratio, interval.low, interval.high);
	printf("%-14s median %.1f us, p99 %.1f us\n", "tight loop", starts_quantile_us(tight, n, 0.5), starts_quantile_us(tight, n, 0.99));
	printf("after %u ms    median %.1f us, p99 %.1f us\n", idle_ms, starts_quantile_us(isolated, n, 0.5),
	       starts_quantile_us(isolated, n, 0.99));
}

int main(int argc, char **argv)
{
	struct starts starts;

	if (argc < 3) {
		fprintf(stderr, "usage: %s AGENT N [PAUSE_MS [KEY=VALUE...]]\n", argv[0]);
		return 2;
	}
	unsigned n = starts_argument("N", argv[2]), idle_ms = argc > 3 ? starts_argument("PAUSE_MS", argv[3]) : 100;
	double *isolated = calloc(n, sizeof(*isolated)), *tight = calloc(n, sizeof(*tight));
	uint32_t *blocks = calloc(n, sizeof(*blocks));
	int rc = isolated && tight && blocks ? starts_open(argv[1], argv + 4, argc > 4 ? (size_t)(argc - 4) : 0, &starts) : -1;

	if (rc == 0) {
		rc = run_pairs(&starts, n, idle_ms, isolated, tight);
		if (rc == 0)
			tell(n, idle_ms, isolated, tight, blocks);
		starts_close(&starts);
	}
	free(isolated);
	free(tight);
	free(blocks);
	return rc < 0;
}
