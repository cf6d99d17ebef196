/* From samples to figures: which samples count, what stands for what, and the edges: one sample, one driver, none ready, no baseline. */
#include "result_fixture.h"

#include <results/summary.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

static const char *const both[] = {"process", "container"};

static struct summary summarise(const struct result *result)
{
	struct error err = {0};
	struct summary summary;

	cr_assert_eq(summary_make(result, &summary, &err), 0, "%s", err.message);
	return summary;
}

/* Totals of the process 1000, 1100, … ns, of the container ten times that. */
static struct result two_drivers(uint32_t n)
{
	struct result result = fixture_result(both, 2, n);

	for (uint32_t block = 0; block < n; block++) {
		fixture_sample(&result, 0, block, 1000 + 100 * (int64_t)block);
		fixture_sample(&result, 1, block, 10000 + 1000 * (int64_t)block);
	}
	return result;
}

/* n = 11: 1000 … 2000, median 1500; p90 at place 9: 1900; deviations 0 100 100 200 200 300 …, MAD 300. */
Test(summary, figures_by_hand)
{
	struct result result = two_drivers(11);
	struct summary summary = summarise(&result);
	const struct driver_summary *process = &summary.drivers[0], *container = &summary.drivers[1];

	cr_assert_eq(summary.n_drivers, 2);
	cr_assert_eq(summary.baseline, 0);
	cr_assert_eq(process->total.n, 11);
	cr_assert_float_eq(process->total.median.value, 1500, 0);
	cr_assert(process->total.median.low < 1500 && process->total.median.high > 1500);
	cr_assert_float_eq(process->total.p90, 1900, 1e-9);
	cr_assert(isnan(process->total.p99));
	cr_assert_float_eq(process->total.mad, 300, 0);
	cr_assert_float_eq(process->total.min, 1000, 0);
	cr_assert_float_eq(process->total.max, 2000, 0);
	cr_assert_float_eq(process->ratio.value, 1, 0);
	cr_assert_float_eq(container->ratio.value, 10, 1e-9);
	cr_assert_float_eq(container->ratio.low, 10, 1e-9);
	cr_assert_float_eq(container->stop.median.value, 1000, 0);
	cr_assert_float_eq(process->drift_rho, 1, 1e-12);
	cr_assert_float_eq(process->first_half, 1200, 0);
	cr_assert_float_eq(process->second_half, 1800, 0);
	cr_assert_float_eq(process->first_ns, 1000, 0);
	cr_assert(isnan(process->pss_bytes));
	summary_free(&summary);
	result_free(&result);
}

Test(summary, phases_are_between_present_marks)
{
	struct result result = two_drivers(11);
	struct summary summary = summarise(&result);
	const struct distribution *phases = summary.drivers[1].phases;

	cr_assert_eq(phases[MARK_REQUEST].n, 0);
	cr_assert_float_eq(phases[MARK_LAUNCHED].median.value, 1500, 0);
	cr_assert_eq(phases[MARK_SANDBOX].n, 0);
	cr_assert_eq(phases[MARK_KERNEL].n, 0);
	cr_assert_float_eq(phases[MARK_READY].median.value, 13500, 0);
	cr_assert_eq(phases[MARK_STOP].n, 0, "what lies between ready and stop belongs to nobody");
	cr_assert_float_eq(phases[MARK_GONE].median.value, 1000, 0);
	summary_free(&summary);
	result_free(&result);
}

/* The same samples in another order give the same bits. */
Test(summary, order_of_samples_is_no_matter)
{
	struct result result = two_drivers(40);
	struct summary before, after;

	fixture_censor(&result.samples[7]);
	fixture_censor(&result.samples[20]);
	before = summarise(&result);
	for (size_t i = 0, state = 1; i < result.n_samples; i++) {
		size_t j;
		struct sample swap = result.samples[i];

		state = state * 1103515245 + 12345;
		j = (state >> 16) % result.n_samples;
		result.samples[i] = result.samples[j];
		result.samples[j] = swap;
	}
	after = summarise(&result);
	cr_assert_eq(memcmp(before.drivers, after.drivers, 2 * sizeof(*before.drivers)), 0);
	summary_free(&before);
	summary_free(&after);
	result_free(&result);
}

/* A driver's own figures do not depend on who else ran. */
Test(summary, other_drivers_are_no_matter)
{
	struct result result = two_drivers(20), alone = fixture_result(both, 1, 20);
	struct summary with, without;

	for (uint32_t block = 0; block < 20; block++)
		fixture_sample(&alone, 0, block, 1000 + 100 * (int64_t)block);
	with = summarise(&result);
	without = summarise(&alone);
	cr_assert_eq(memcmp(&with.drivers[0], &without.drivers[0], sizeof(with.drivers[0])), 0);
	summary_free(&with);
	summary_free(&without);
	result_free(&result);
	result_free(&alone);
}

Test(summary, warmup_failed_and_replaced_take_no_part)
{
	struct result result = two_drivers(12);
	struct summary summary;

	result.blocks[0].warmup = true;
	result.samples[0].warmup = result.samples[1].warmup = true;
	result.blocks[5].tainted = result.blocks[5].replaced = true;
	result.blocks[6].tainted = true;
	result.samples[2 * 7].status = SAMPLE_FAILED;
	summary = summarise(&result);
	cr_assert_eq(summary.drivers[0].total.n, 9);
	cr_assert_eq(summary.drivers[1].total.n, 10);
	cr_assert_eq(summary.drivers[0].failed, 1);
	cr_assert_eq(summary.drivers[1].failed, 0);
	cr_assert_eq(summary.drivers[0].warmups, 1);
	cr_assert_float_eq(summary.drivers[0].first_ns, 1000, 0, "the first start is the warm-up");
	cr_assert_eq(summary.tainted_blocks, 2);
	cr_assert_eq(summary.replaced_blocks, 1);
	summary_free(&summary);
	result_free(&result);
}

/* 3 of 11 containers were never ready: they rank last; the median stays, the maximum is not known. */
Test(summary, censored_count_by_rank)
{
	struct result result = two_drivers(11);
	struct summary summary;
	const struct driver_summary *container;

	for (size_t i = 0; i < 3; i++)
		fixture_censor(&result.samples[2 * i + 1]);
	summary = summarise(&result);
	container = &summary.drivers[1];
	cr_assert_eq(container->total.n, 11);
	cr_assert_eq(container->total.censored, 3);
	cr_assert_float_eq(container->total.median.value, 18000, 0); /* 13 … 20 thousand and three infinite: the sixth */
	cr_assert(isnan(container->total.max) && isnan(container->total.p90));
	cr_assert_float_eq(container->total.min, 13000, 0);
	cr_assert_eq(container->outliers, 0);
	cr_assert_eq(container->stop.n, 8, "ending a half-made instance is another thing");
	cr_assert_eq(container->phases[MARK_LAUNCHED].censored, 0);
	cr_assert_eq(container->phases[MARK_LAUNCHED].n, 11);
	cr_assert_eq(container->phases[MARK_READY].censored, 3, "the time limit struck between launch and ready");
	cr_assert_float_eq(container->ratio.value, 10, 1e-9);
	summary_free(&summary);
	result_free(&result);
}

Test(summary, none_was_ready)
{
	struct result result = two_drivers(10);
	struct summary summary;

	for (size_t i = 1; i < result.n_samples; i += 2)
		fixture_censor(&result.samples[i]);
	summary = summarise(&result);
	cr_assert_eq(summary.drivers[1].total.censored, 10);
	cr_assert(isnan(summary.drivers[1].total.median.value) && isnan(summary.drivers[1].total.min));
	cr_assert(isnan(summary.drivers[1].ratio.value) && isnan(summary.drivers[1].lag1) && isnan(summary.drivers[1].first_ns));
	cr_assert(isfinite(summary.drivers[0].total.median.value));
	summary_free(&summary);
	result_free(&result);
}

Test(summary, one_sample)
{
	struct result result = fixture_result(both, 1, 1);
	struct summary summary;

	fixture_sample(&result, 0, 0, 777);
	summary = summarise(&result);
	cr_assert_float_eq(summary.drivers[0].total.median.value, 777, 0);
	cr_assert(isnan(summary.drivers[0].total.median.low) && isnan(summary.drivers[0].total.p90));
	cr_assert_float_eq(summary.drivers[0].total.mad, 0, 0);
	cr_assert(isnan(summary.drivers[0].drift_rho) && isnan(summary.drivers[0].first_half));
	summary_free(&summary);
	result_free(&result);
}

Test(summary, no_baseline_no_ratio)
{
	static const char *const only[] = {"container", "vm"};
	struct result result = fixture_result(only, 2, 8);
	struct summary summary;

	for (uint32_t block = 0; block < 8; block++)
		fixture_sample(&result, 0, block, 1000);
	summary = summarise(&result);
	cr_assert_eq(summary.baseline, -1);
	cr_assert(isnan(summary.drivers[0].ratio.value));
	cr_assert_eq(summary.drivers[1].total.n, 0);
	cr_assert(isnan(summary.drivers[1].total.median.value));
	summary_free(&summary);
	result_free(&result);
}

Test(summary, baseline_is_the_plain_process)
{
	static const char *const names[] = {"container"};
	struct result result = fixture_result(names, 1, 1);
	struct summary summary;

	fixture_driver(&result, "process", "pinned");
	summary = summarise(&result);
	cr_assert_eq(summary.baseline, 1);
	summary_free(&summary);
	fixture_driver(&result, "process", "process");
	summary = summarise(&result);
	cr_assert_eq(summary.baseline, 2);
	summary_free(&summary);
	result_free(&result);
}

Test(summary, zero_durations)
{
	struct result result = fixture_result(both, 2, 8);
	struct summary summary;

	for (uint32_t block = 0; block < 8; block++) {
		fixture_sample(&result, 0, block, 0);
		fixture_sample(&result, 1, block, 50);
	}
	summary = summarise(&result);
	cr_assert_float_eq(summary.drivers[0].total.median.value, 0, 0);
	cr_assert_float_eq(summary.drivers[0].ratio.value, 1, 0);
	cr_assert_float_eq(summary.drivers[1].ratio.value, 50, 1e-9);
	cr_assert_eq(summary.drivers[0].outliers, 0);
	summary_free(&summary);
	result_free(&result);
}

Test(summary, footprints_are_medians_of_what_is_known)
{
	struct result result = two_drivers(4);
	struct summary summary;

	result.samples[0].footprint.pss_bytes = 100;
	result.samples[2].footprint.pss_bytes = 300;
	result.samples[4].footprint.pss_bytes = 200;
	summary = summarise(&result);
	cr_assert_float_eq(summary.drivers[0].pss_bytes, 200, 0);
	cr_assert(isnan(summary.drivers[0].uss_bytes));
	summary_free(&summary);
	result_free(&result);
}

Test(summary, memory_of_guests_stands_beside_that_of_their_monitor)
{
	struct result result = two_drivers(4);
	struct summary summary;

	for (size_t i = 1; i < 6; i += 2) {
		result.samples[i].footprint.guest.ram_bytes = 1000 + (int64_t)i;
		result.samples[i].footprint.guest.vmm_pss_bytes = 50;
		result.samples[i].footprint.guest.used_bytes = 400 - (int64_t)i;
	}
	summary = summarise(&result);
	cr_assert(isnan(summary.drivers[0].guest_ram_bytes) && isnan(summary.drivers[0].vmm_pss_bytes));
	cr_assert_float_eq(summary.drivers[1].guest_ram_bytes, 1003, 0);
	cr_assert_float_eq(summary.drivers[1].vmm_pss_bytes, 50, 0);
	cr_assert_float_eq(summary.drivers[1].guest_used_bytes, 397, 0);
	summary_free(&summary);
	result_free(&result);
}

Test(summary, empty_result_and_bad_index)
{
	struct result result = {0};
	struct summary summary = summarise(&result);
	struct error err = {0};

	cr_assert_eq(summary.n_drivers, 0);
	summary_free(&summary);
	result = fixture_result(both, 2, 3);
	fixture_sample(&result, 5, 0, 100);
	cr_assert_eq(summary_make(&result, &summary, &err), -EINVAL);
	cr_assert_str_eq(err.message, "summary: samples[0] belongs to no driver or block of the result");
	result_free(&result);
}

Test(summary, outlier_labels_meet_their_samples)
{
	struct result result = two_drivers(20);
	struct sample *far = &result.samples[2 * 13 + 1];
	bool flags[40];

	far->timeline.at_ns[MARK_READY] += 10000000;
	fixture_censor(&result.samples[2 * 3 + 1]);
	result.samples[2 * 4 + 1].timeline.present &= ~(1u << MARK_READY);
	summary_label_outliers(&result, flags);
	for (size_t i = 0; i < result.n_samples; i++)
		cr_assert_eq(flags[i], &result.samples[i] == far, "sample %zu", i);
	result_free(&result);
}

/* 100,000 starts of each of five drivers are summarised in seconds, not in minutes. */
Test(summary, large_runs_are_quick, .timeout = 60)
{
	static const char *const five[] = {"process", "container", "vm", "mock", "null"};
	struct result result = fixture_result(five, 5, 100000);
	struct summary summary;
	uint64_t state = 1;

	for (uint32_t block = 0; block < 100000; block++) {
		for (uint32_t driver = 0; driver < 5; driver++) {
			state = state * UINT64_C(6364136223846793005) + 1;
			fixture_sample(&result, driver, block, 1000 + (int64_t)(state >> 44));
		}
	}
	summary = summarise(&result);
	cr_assert_eq(summary.drivers[4].total.n, 100000);
	summary_free(&summary);
	result_free(&result);
}
