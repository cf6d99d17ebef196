/* Steps and variants as JSON: what is written reads back as itself; what is wrong is named with its place. */
#include "result_fixture.h"

#include <results/result_parse.h>

#include <criterion/criterion.h>

static const char *const two[] = {"container", "bare"};

/* One driver with two steps and one start; a second one without. */
static struct result made(void)
{
	struct result result = fixture_result(two, 2, 1);
	struct step_list *steps = &result.drivers[0].info.steps;
	struct step_times times = {0};
	struct sample *sample = fixture_sample(&result, 0, 0, 5000);
	int64_t base = sample->timeline.at_ns[MARK_REQUEST];

	*steps = (struct step_list){.n = 3, .at = {{"clone", STEP_PARENT}, {"mount proc", STEP_CHILD}, {"netns", STEP_HELPER}}};
	step_times_set(&times, 0, base - 5, base + 100);
	step_times_set(&times, 2, base + 200, base + 300);
	result_add_steps(&result, &times, &sample->steps, NULL);
	result.drivers[0].variant.role = VARIANT_WHOLE;
	result.drivers[1].variant = (struct variant){VARIANT_FLOOR, "everything"};
	fixture_sample(&result, 1, 0, 100);
	return result;
}

static char *text_of(const struct result *result)
{
	struct error err = {0};
	char *text = result_to_text(result, &err);

	cr_assert_not_null(text, "%s", err.message);
	return text;
}

Test(result_steps, reads_back_what_was_written)
{
	struct result result = made(), back;
	struct error err = {0};
	char *text = text_of(&result);

	cr_expect_not_null(strstr(text, "\"steps\":[[-5,100],null,[200,300]]"), "%s", text);
	cr_expect_not_null(strstr(text, "\"steps\":[{\"name\":\"clone\",\"lane\":\"parent\"},"));
	cr_expect_not_null(strstr(text, "\"variant\":{\"role\":\"whole\"}"));
	cr_expect_not_null(strstr(text, "\"variant\":{\"role\":\"floor\",\"feature\":\"everything\"}"));
	cr_assert_eq(result_parse(text, strlen(text), "r", &back, &err), 0, "%s", err.message);
	cr_assert_eq(back.n_steps, 1);
	cr_expect_eq(back.samples[0].steps, 1);
	cr_expect_eq(back.samples[1].steps, 0);
	cr_expect_eq(memcmp(&back.steps[0], &result.steps[0], sizeof(back.steps[0])), 0);
	cr_expect_eq(memcmp(&back.drivers[0].info.steps, &result.drivers[0].info.steps, sizeof(back.drivers[0].info.steps)), 0);
	cr_expect_eq(back.drivers[1].variant.role, VARIANT_FLOOR);
	cr_expect_str_eq(back.drivers[1].variant.feature, "everything");
	char *again = text_of(&back);

	cr_expect_str_eq(text, again);
	free(again);
	free(text);
	result_free(&back);
	result_free(&result);
}

/* A result that nobody asked for steps is not a byte longer. */
Test(result_steps, without_steps_nothing_of_them_is_written)
{
	struct result result = fixture_result(two, 2, 1);

	fixture_sample(&result, 0, 0, 5000);
	char *text = text_of(&result);

	cr_expect_null(strstr(text, "steps"));
	cr_expect_null(strstr(text, "variant"));
	cr_expect_null(strstr(text, "costs"));
	free(text);
	result_free(&result);
}

/* Replaces the first `from` of a whole document by `to`: it must be refused with a message that ends like this. */
static void refuse(const char *from, const char *to, const char *expected)
{
	struct result result = made(), back;
	struct error err = {0};
	char *text = text_of(&result), *at = strstr(text, from), *changed = NULL;

	cr_assert_not_null(at, "%s", from);
	cr_assert_gt(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
	cr_expect_lt(result_parse(changed, strlen(changed), "r", &back, &err), 0, "accepted: %s", to);
	cr_expect_str_eq(err.message, expected);
	free(changed);
	free(text);
	result_free(&result);
}

Test(result_steps, hostile_files)
{
	refuse("[[-5,100],", "[[-5],", "r: samples[0].steps[0]: expected [begin, end] or null");
	refuse("[[-5,100],", "[[100,-5],", "r: samples[0].steps[0]: ends before it begins");
	refuse("[[-5,100],", "[[-5,1.5],", "r: samples[0].steps[0][1]: expected an integer");
	refuse("[[-5,100],", "[[-9000000000000,100],",
	       "r: samples[0].steps[0][0]: -9000000000000 ns from the request is no time of the clock");
	refuse("[[-5,100],", "[[-5,9223372036854775807],",
	       "r: samples[0].steps[0][1]: 9223372036854775807 ns from the request is no time of the clock");
	refuse("[[-5,100],null,[200,300]]", "7", "r: samples[0].steps: expected an array");
	refuse("[[-5,100],null,[200,300]]", "[null,null,null,[1,2]]", "r: samples[0].steps: more than the 3 of its driver");
	refuse("\"lane\":\"parent\"", "\"lane\":\"uncle\"", "r: drivers[0].steps[0].lane: expected parent, child or helper");
	refuse("\"name\":\"netns\"", "\"name\":\"clone\"", "r: drivers[0].steps[2].name: is that of steps[0]");
	refuse("\"name\":\"netns\"", "\"name\":\"\"", "r: drivers[0].steps[2].name: empty");
	refuse("\"role\":\"floor\"", "\"role\":\"none\"", "r: drivers[1].variant.role: expected whole, again, without, with or floor");
	refuse("{\"role\":\"whole\"}", "[]", "r: drivers[0].variant: expected an object");
}

/* One more than there is room for. */
Test(result_steps, too_many)
{
	char many[8 * (STEPS_MAX + 2)] = "[null", *end = many + strlen(many);

	for (int i = 0; i < STEPS_MAX; i++)
		end += sprintf(end, ",null");
	sprintf(end, "]");
	refuse("[[-5,100],null,[200,300]]", many, "r: samples[0].steps: more than 64 elements");
}
