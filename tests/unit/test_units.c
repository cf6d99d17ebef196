/* base/units: numbers as people write and read them. */
#include <base/units.h>

#include <criterion/criterion.h>
#include <errno.h>

Test(units, bytes_are_parsed)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
		{"0", 0},      {"4096", 4096},          {"1K", 1024}, {"256M", 256 << 20}, {"1.5G", 1610612736}, {"2GiB", INT64_C(2) << 30},
		{"3kB", 3072}, {"1T", INT64_C(1) << 40}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t bytes = -1;

		cr_expect_eq(parse_bytes(cases[i].text, &bytes, NULL), 0, "%s", cases[i].text);
		cr_expect_eq(bytes, cases[i].bytes, "%s gives %lld", cases[i].text, (long long)bytes);
	}
}

Test(units, bad_bytes_are_refused_and_leave_the_result_alone)
{
	static const char *const cases[] = {"",    "-1", "M",  "1X",   "1MM", "0x10",         "1e9",  "nan",
					    "inf", " 1", "1 ", "1..2", ".5",  "99999999999T", "1GiBs"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t bytes = 77;
		struct error err = {0};

		cr_expect_eq(parse_bytes(cases[i], &bytes, &err), -EINVAL, "'%s'", cases[i]);
		cr_expect_eq(bytes, 77);
		cr_expect(err.message[0]);
	}
}

Test(units, durations_are_parsed)
{
	int64_t ns;

	cr_expect_eq(parse_duration_ns("30", &ns, NULL), 0);
	cr_expect_eq(ns, INT64_C(30000000000));
	cr_expect_eq(parse_duration_ns("500ms", &ns, NULL), 0);
	cr_expect_eq(ns, 500000000);
	cr_expect_eq(parse_duration_ns("1.5us", &ns, NULL), 0);
	cr_expect_eq(ns, 1500);
	cr_expect_eq(parse_duration_ns("2m", &ns, NULL), 0);
	cr_expect_eq(ns, INT64_C(120000000000));
	cr_expect_eq(parse_duration_ns("2 m", &ns, NULL), -EINVAL);
	cr_expect_eq(parse_duration_ns("-2s", &ns, NULL), -EINVAL);
	cr_expect_eq(parse_duration_ns("1000000000h", &ns, NULL), -EINVAL);
}

Test(units, integers_have_bounds)
{
	int64_t value = 5;

	cr_expect_eq(parse_integer("n", "10", 1, 10, &value, NULL), 0);
	cr_expect_eq(value, 10);
	static const char *const bad[] = {"0", "11", "-1", "+1", " 1", "1 ", "1e1", "", "0x1", "99999999999999999999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(parse_integer("n", bad[i], 1, 10, &value, NULL), -EINVAL, "'%s'", bad[i]);
	cr_expect_eq(value, 10);
}

Test(units, three_significant_digits)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {{0, "0 ns"},
		     {840, "840 ns"},
		     {1670, "1.67 µs"},
		     {9994, "9.99 µs"},
		     {9996, "10.0 µs"},
		     {999499, "999 µs"},
		     {999600, "1.00 ms"},
		     {12345678, "12.3 ms"},
		     {2100000000, "2.10 s"},
		     {-1500, "-1.50 µs"},
		     {INT64_C(125000000000), "2 min 05 s"}};
	char text[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(format_duration(cases[i].ns, text, sizeof(text)), cases[i].text);
	cr_expect_str_eq(format_bytes(1023, text, sizeof(text)), "1023 B");
	cr_expect_str_eq(format_bytes(348160, text, sizeof(text)), "340 KiB");
	cr_expect_str_eq(format_bytes(1331439862, text, sizeof(text)), "1.24 GiB");
}
