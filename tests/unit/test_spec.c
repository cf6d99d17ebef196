/* bench/drivers/spec: what people write to choose drivers. */
#include <drivers/registry.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct driver_spec specs[8];

static int parse(const char *text, struct error *err)
{
	return driver_parse_list(text, specs, 0, 8, err);
}

Test(spec, names_options_and_labels)
{
	cr_assert_eq(parse("process,mock:ready=5ms,jitter=10,label=slow one,mock", NULL), 3);
	cr_expect_str_eq(specs[0].name, "process");
	cr_expect_str_eq(specs[0].label, "process");
	cr_expect_eq(specs[0].n_options, 0);
	cr_expect_str_eq(specs[1].label, "slow one");
	cr_expect_str_eq(driver_option(&specs[1], "ready", ""), "5ms");
	cr_expect_str_eq(driver_option(&specs[1], "jitter", ""), "10");
	cr_expect_str_eq(driver_option(&specs[1], "fail", "none"), "none");
	cr_expect_str_eq(specs[2].label, "mock");
}

Test(spec, commas_and_colons_in_values)
{
	cr_assert_eq(parse("command:argv=run --map a:b\\,c x=y,process", NULL), 2);
	cr_expect_str_eq(driver_option(&specs[0], "argv", ""), "run --map a:b,c x=y");
	cr_expect_str_eq(specs[1].name, "process");
}

Test(spec, mistakes_are_named)
{
	static const struct {
		const char *text, *message;
	} cases[] = {{"", "unknown driver ''"},
		     {"process,", "unknown driver ''"},
		     {"dokcer", "unknown driver 'dokcer'"},
		     {"mock:speed=1", "driver 'mock' has no option 'speed'"},
		     {"mock:ready", "expected option=value, got 'ready'"},
		     {"mock:=1", "expected option=value"},
		     {"mock:ready=1,ready=2", "option 'ready' is given twice"},
		     {"mock,mock", "two drivers are labelled 'mock'"},
		     {"mock:label=", "a label has 1 to"},
		     {"ready=1", "unknown driver 'ready=1'"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};

		cr_expect_lt(parse(cases[i].text, &err), 0, "'%s'", cases[i].text);
		cr_expect(strstr(err.message, cases[i].message), "'%s' says '%s'", cases[i].text, err.message);
	}
}

Test(spec, flags_fill_in_what_the_list_leaves_open)
{
	cr_assert_eq(parse("mock:ready=1ms,null", NULL), 2);
	cr_expect_eq(driver_spec_default(&specs[0], "ready", "9ms", NULL), 0);
	cr_expect_str_eq(driver_option(&specs[0], "ready", ""), "1ms", "the list wins");
	cr_expect_eq(driver_spec_default(&specs[0], "jitter", "3", NULL), 0);
	cr_expect_str_eq(driver_option(&specs[0], "jitter", ""), "3");
	cr_expect_eq(driver_spec_default(&specs[1], "ready", "9ms", NULL), 0);
	cr_expect_eq(specs[1].n_options, 0, "a driver that does not know it is left alone");
}

Test(spec, too_much_is_refused)
{
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_eq(parse(text, NULL), -E2BIG);
	cr_expect_eq(driver_parse_list("null,mock,process", specs, 0, 2, NULL), -E2BIG);
}

Test(spec, facts_are_replaced_and_bounded)
{
	struct driver_info info = {0};
	char key[16];

	driver_info_set(&info, "a", "%d", 1);
	driver_info_set(&info, "a", "%d", 2);
	cr_expect_eq(info.n_pairs, 1);
	cr_expect_str_eq(driver_info_get(&info, "a"), "2");
	cr_expect_null(driver_info_get(&info, "b"));
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		driver_info_set(&info, key, "v");
		driver_info_note(&info, "note %d", i);
	}
	cr_expect_eq(info.n_pairs, DRIVER_PAIRS_MAX);
	cr_expect_eq(info.n_notes, DRIVER_NOTES_MAX);
}
