/* Declared steps of the mock driver, and options that make variants. */
#include <drivers/mock_steps.h>
#include <drivers/registry.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(mock_steps, list)
{
	struct driver_info info = {0};
	struct step_times times = {0};
	struct error err = {0};

	cr_assert_eq(mock_steps_parse("clone@parent:0us-100us;mount proc@child:100us-250us;netns@helper:1ms-1ms", &info, &times, &err), 0,
		     "%s", err.message);
	cr_assert_eq(info.steps.n, 3);
	cr_expect_str_eq(info.steps.at[1].name, "mount proc");
	cr_expect_eq(info.steps.at[2].lane, STEP_HELPER);
	cr_expect_eq(times.present, 7);
	cr_expect_eq(times.at[1].begin_ns, 100000);
	cr_expect_eq(times.at[1].end_ns, 250000);
}

Test(mock_steps, mistakes)
{
	static const char *const wrong[] = {"",
					    "clone",
					    "clone@parent",
					    "clone@parent:1us",
					    "@parent:1us-2us",
					    "a@uncle:1us-2us",
					    "a@child:2us-1us",
					    "a@child:x-2us",
					    "a@child:1us-2us;",
					    "a@child:1us-"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct driver_info info = {0};
		struct step_times times = {0};
		struct error err = {0};

		cr_expect_eq(mock_steps_parse(wrong[i], &info, &times, &err), -EINVAL, "accepted: '%s'", wrong[i]);
		cr_expect(strstr(err.message, "driver 'mock': step"), "'%s': %s", wrong[i], err.message);
	}
}

/* Results need names that are unique, also of steps whose names were cut. */
Test(driver_info_step, names_are_unique_and_bounded)
{
	struct driver_info info = {0};

	for (size_t i = 0; i < STEPS_MAX; i++)
		cr_expect_eq(
			driver_info_step(&info, STEP_CHILD, "mask /a/very/long/path/whose/end/is/cut/off/so/that/all/look/alike/%zu", i),
			i);
	cr_expect_eq(driver_info_step(&info, STEP_CHILD, "one more"), STEPS_MAX);
	for (size_t i = 0; i < STEPS_MAX; i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(info.steps.at[i].name, info.steps.at[j].name);
	struct step_times times = {0};

	step_times_set(&times, STEPS_MAX, 1, 2);
	step_times_set(&times, 3, 2, 1);
	cr_expect_eq(times.present, 0);
	step_times_set(&times, STEPS_MAX - 1, 1, 1);
	cr_expect(step_times_has(&times, STEPS_MAX - 1) && !step_times_has(&times, 0));
}

static struct driver_spec spec_of(const char *text)
{
	struct driver_spec spec;
	struct error err = {0};

	cr_assert_eq(driver_parse_list(text, &spec, 0, 1, &err), 1, "%s", err.message);
	return spec;
}

Test(driver_spec_apply, replaces_adds_and_refuses)
{
	struct driver_spec spec = spec_of("container:label=x,net=host,pid=host"), before;
	struct error err = {0};

	cr_assert_eq(driver_spec_apply(&spec, "net=own,seccomp=off", &err), 0, "%s", err.message);
	cr_expect_str_eq(driver_option(&spec, "net", ""), "own");
	cr_expect_str_eq(driver_option(&spec, "pid", ""), "host");
	cr_expect_str_eq(driver_option(&spec, "seccomp", ""), "off");
	cr_expect_eq(spec.n_options, 4);
	cr_expect_str_eq(spec.label, "x");
	before = spec;
	cr_expect_eq(driver_spec_apply(&spec, "net=own,pid=host", &err), -EALREADY);
	cr_expect_eq(driver_spec_apply(&spec, "pid=own,flavour=mint", &err), -EINVAL);
	cr_expect_not_null(strstr(err.message, "has no option 'flavour'"), "%s", err.message);
	cr_expect_eq(driver_spec_apply(&spec, "net", &err), -EINVAL);
	cr_expect_eq(driver_spec_apply(&spec, "", &err), -EINVAL);
	cr_expect_eq(memcmp(&before, &spec, sizeof(spec)), 0, "what was refused changed nothing");
}
