/* From samples to steps and costs: by hand, to the bit. */
#include "result_fixture.h"

#include <results/summary.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>

static const char *const labels[] = {"whole", "again", "without", "with", "floor"};

static struct summary summarise(const struct result *result)
{
	struct error err = {0};
	struct summary summary;

	cr_assert_eq(summary_make(result, &summary, &err), 0, "%s", err.message);
	return summary;
}

static void declare(struct result *result, uint32_t driver, const char *name, enum step_lane lane)
{
	struct step_list *steps = &result->drivers[driver].info.steps;

	snprintf(steps->at[steps->n].name, STEP_NAME_MAX, "%s", name);
	steps->at[steps->n++].lane = lane;
}

/* A start of 10,000 ns whose steps are, after T0: a 1000 … 2000 + block, b (helper) 1500 … 4000, gap, c 5000 … 9000. */
static void add_start(struct result *result, uint32_t block, enum sample_status status)
{
	struct sample *sample = fixture_sample(result, 0, block, 10000);
	int64_t base = sample->timeline.at_ns[MARK_REQUEST];
	struct step_times times = {0};

	step_times_set(&times, 0, base + 1000, base + 2000 + block);
	step_times_set(&times, 1, base + 1500, base + 4000);
	if (block % 2 == 0)
		step_times_set(&times, 2, base + 5000, base + 9000);
	sample->status = status;
	cr_assert_eq(result_add_steps(result, &times, &sample->steps, NULL), 0);
}

Test(summary_steps, figures_by_hand)
{
	struct result result = fixture_result(labels, 1, 11);

	declare(&result, 0, "a", STEP_CHILD);
	declare(&result, 0, "b", STEP_HELPER);
	declare(&result, 0, "c", STEP_CHILD);
	declare(&result, 0, "never", STEP_PARENT);
	for (uint32_t block = 0; block < 11; block++)
		add_start(&result, block, SAMPLE_OK);
	struct summary summary = summarise(&result);
	const struct driver_summary *own = &summary.drivers[0];

	cr_assert_eq(own->n_steps, 4);
	cr_expect_eq(own->steps[0].duration.n, 11);
	cr_expect_float_eq(own->steps[0].duration.median.value, 1005, 0); /* 1000 … 1010 */
	cr_expect_float_eq(own->steps[0].begin_ns, 1000, 0);
	cr_expect_float_eq(own->steps[0].end_ns, 2005, 0);
	cr_expect_float_eq(own->steps[0].share, 0.1005, 1e-12);
	cr_expect_eq(own->steps[2].duration.n, 6, "absent in every other start");
	cr_expect_float_eq(own->steps[2].duration.median.value, 4000, 0);
	cr_expect_eq(own->steps[3].duration.n, 0);
	cr_expect(isnan(own->steps[3].begin_ns) && isnan(own->steps[3].duration.median.value));
	/* a and b overlap, so between is the gap before c alone: 1000 in six of eleven starts. */
	cr_expect_float_eq(own->before_steps.median.value, 1000, 0);
	cr_expect_float_eq(own->between_steps.median.value, 1000, 0);
	cr_expect_float_eq(own->after_steps.median.value, 1000, 0);
	cr_expect_float_eq(own->after_steps.max, 6000, 0);
	cr_expect_float_eq(own->mark_ns[MARK_READY], 10000, 0);
	cr_expect_float_eq(own->mark_ns[MARK_LAUNCHED], 1000, 0);
	cr_expect(isnan(own->mark_ns[MARK_SANDBOX]));
	cr_expect_eq(summary.whole, -1);
	cr_expect_eq(summary.n_costs, 0);
	summary_free(&summary);
	result_free(&result);
}

/* A start that failed half-way, and one of the warm-up, say nothing. */
Test(summary_steps, only_starts_that_were_ready_and_count)
{
	struct result result = fixture_result(labels, 1, 8);

	declare(&result, 0, "a", STEP_CHILD);
	declare(&result, 0, "b", STEP_CHILD);
	declare(&result, 0, "c", STEP_CHILD);
	for (uint32_t block = 0; block < 8; block++)
		add_start(&result, block, block == 3 ? SAMPLE_FAILED : block == 4 ? SAMPLE_CENSORED : SAMPLE_OK);
	result.blocks[0].warmup = result.samples[0].warmup = true;
	struct summary summary = summarise(&result);

	cr_expect_eq(summary.drivers[0].steps[0].duration.n, 5);
	summary_free(&summary);
	result.samples[0].steps = 99;
	struct error err = {0};
	cr_expect_eq(summary_make(&result, &summary, &err), -EINVAL);
	cr_expect_not_null(strstr(err.message, "samples[0]"));
	result_free(&result);
}

/* Blocks drift by far more than any feature costs: pairing takes it out. Stops take 1000 ns, of "without" 800. */
static struct result five_variants(uint32_t n, int64_t again_ns)
{
	static const enum variant_role roles[] = {VARIANT_WHOLE, VARIANT_AGAIN, VARIANT_WITHOUT, VARIANT_WITH, VARIANT_FLOOR};
	struct result result = fixture_result(labels, 5, n);
	const int64_t total[] = {100000, 100000 + again_ns, 90000, 130000, 20000};

	for (uint32_t d = 0; d < 5; d++)
		result.drivers[d].variant.role = roles[d];
	for (uint32_t block = 0; block < n; block++)
		for (uint32_t d = 0; d < 5; d++) {
			struct sample *sample = fixture_sample(&result, d, block, total[d] + 50000 * (int64_t)block);

			if (d == 2)
				sample->timeline.at_ns[MARK_GONE] -= 200;
		}
	return result;
}

Test(summary_steps, costs_have_the_sign_of_their_role)
{
	struct result result = five_variants(12, 300);
	struct summary summary = summarise(&result);
	const double start[] = {-300, 10000, 30000, 80000};
	const enum cost_verdict verdicts[] = {COST_UNDECIDED, COST_COSTS, COST_COSTS, COST_COSTS};

	cr_assert_eq(summary.whole, 0);
	cr_assert_eq(summary.n_costs, 4);
	for (size_t i = 0; i < 4; i++) {
		cr_expect_eq(summary.costs[i].driver, i + 1);
		cr_expect_float_eq(summary.costs[i].start.ns.value, start[i], 0);
		cr_expect_float_eq(summary.costs[i].start.ns.low, start[i], 0);
		cr_expect_eq(summary.costs[i].start.verdict, verdicts[i], "%s", labels[i + 1]);
	}
	cr_expect_float_eq(summary.start_noise_ns, 300, 0);
	cr_expect_float_eq(summary.stop_noise_ns, 0, 0);
	cr_expect_float_eq(summary.costs[1].stop.ns.value, 200, 0);
	cr_expect_eq(summary.costs[1].stop.verdict, COST_COSTS);
	cr_expect_eq(summary.costs[2].stop.verdict, COST_UNDECIDED);
	summary_free(&summary);
	result_free(&result);
}

/* What two equal starts differ by is no finding, however narrow its interval; below six blocks nothing is. */
Test(summary_steps, noise_and_few_blocks_decide_nothing)
{
	struct result noisy = five_variants(12, 10000), few = five_variants(5, 0);
	struct summary summary = summarise(&noisy);

	cr_expect_float_eq(summary.start_noise_ns, 10000, 0);
	cr_expect_eq(summary.costs[1].start.verdict, COST_UNDECIDED);
	cr_expect_eq(summary.costs[2].start.verdict, COST_COSTS);
	summary_free(&summary);
	summary = summarise(&few);
	cr_expect(isnan(summary.start_noise_ns));
	cr_expect_float_eq(summary.costs[2].start.ns.value, 30000, 0);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(summary.costs[i].start.verdict, COST_UNDECIDED);
	summary_free(&summary);
	result_free(&noisy);
	result_free(&few);
}

/* What a variant saves is a saving in both roles. */
Test(summary_steps, savings)
{
	struct result result = five_variants(12, 100);

	for (size_t i = 0; i < result.n_samples; i++)
		if (result.samples[i].driver == 3)
			result.samples[i].timeline.at_ns[MARK_READY] -= 80000;
		else if (result.samples[i].driver == 2)
			result.samples[i].timeline.at_ns[MARK_READY] += 30000;
	struct summary summary = summarise(&result);

	cr_expect_float_eq(summary.costs[1].start.ns.value, -20000, 0);
	cr_expect_eq(summary.costs[1].start.verdict, COST_SAVES);
	cr_expect_float_eq(summary.costs[2].start.ns.value, -50000, 0);
	cr_expect_eq(summary.costs[2].start.verdict, COST_SAVES);
	summary_free(&summary);
	result_free(&result);
}
