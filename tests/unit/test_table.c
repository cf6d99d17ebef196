/* The table on the terminal. */
#include "plots_fixture.h"
#include "plots_golden.h"

#include <plots/cells.h>
#include <plots/label.h>
#include <plots/table.h>

#include <errno.h>

static char *print_table(const struct fixture *f, bool colour)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct error err = {0};

	cr_assert_eq(table_result(&f->result, &f->summary, out, colour, &err), 0, "%s", err.message);
	fclose(out);
	return text;
}

static size_t widest_line(const char *text)
{
	size_t widest = 0, at = 0;

	for (; *text; text++) {
		at = *text == '\n' ? 0 : at + ((*text & 0xc0) != 0x80);
		widest = at > widest ? at : widest;
	}
	return widest;
}

Test(table, golden)
{
	struct fixture f;

	fixture_startup(&f, 100);
	char *text = print_table(&f, false);

	golden_compare("plots-table/startup.txt", text);
	cr_expect_leq(widest_line(text), 100);
	free(text);
	fixture_end(&f);
}

Test(table, golden_of_a_troubled_run)
{
	struct fixture f;

	fixture_troubled(&f);
	char *text = print_table(&f, false);

	golden_compare("plots-table/troubled.txt", text);
	cr_expect_leq(widest_line(text), 100);
	cr_expect_eq(strncmp(text, "INTERRUPTED", 11), 0, "an interrupted run says so first");
	cr_expect_null(strchr(text, '\033'), "a label must not reach the terminal as a command");
	free(text);
	fixture_end(&f);
}

static void expect_warning(const char *text, const char *words, bool expected)
{
	cr_expect_eq(strstr(text, words) != NULL, expected, "%s: %s in:\n%s", expected ? "missing" : "unexpected", words, text);
}

/* Neither a start that failed nor one that was late may become a figure; what was left out is said right under the first table. */
Test(table, golden_of_drivers_that_were_never_ready)
{
	struct fixture f;

	fixture_never_ready(&f);
	char *text = print_table(&f, false);

	golden_compare("plots-table/never-ready.txt", text);
	cr_expect_null(strstr(text, "nan"));
	cr_expect_null(strstr(text, "inf"));
	const char *said = strstr(text, "\ndocker was left out: its first start failed: no such image\n");

	cr_expect_not_null(said, "%s", text);
	cr_expect(said && said < strstr(text, "Phases of a start"), "not under the first table:\n%s", text);
	free(text);
	fixture_end(&f);
}

Test(table, warns_only_where_there_is_a_reason)
{
	static const char *const words[] = {"drift during",    "neighbouring starts",  "disturbed from",       "were not ready",
					    "failed and",      "outliers (mod",        "do not add up to the", "p99 is not given",
					    "emulated by TCG", "no start was measured"};
	struct fixture f;

	fixture_startup(&f, 100);
	f.result.n_drivers = f.summary.n_drivers = 3; /* no guest */
	char *calm = print_table(&f, false);

	cr_expect_null(strstr(calm, "Warnings"), "%s", calm);
	fixture_end(&f);
	fixture_troubled(&f);
	char *troubled = print_table(&f, false);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		expect_warning(troubled, words[i], true);
	free(calm);
	free(troubled);
	fixture_end(&f);
}

/* Does the table say it? Lines that were wrapped count as one. */
static bool warns(const struct fixture *f, const char *words)
{
	char *text = print_table(f, false), *to = text;

	for (const char *from = text; *from; from++) {
		bool wrapped = strncmp(from, "\n  ", 3) == 0;

		*to++ = wrapped ? ' ' : *from;
		from += wrapped ? 2 : 0;
	}
	*to = '\0';
	bool found = strstr(text, words);

	free(text);
	return found;
}

/* More than one in a hundred; of less than a hundred starts, at least two. */
Test(table, few_outliers_are_no_warning)
{
	static const struct {
		uint32_t n;
		size_t outliers;
		bool expected;
	} cases[] = {{10, 1, false},  {10, 2, true},  {99, 1, false},  {99, 2, true},
		     {100, 1, false}, {100, 2, true}, {300, 3, false}, {300, 4, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char words[64];

		fixture_startup(&f, cases[i].n);
		f.summary.drivers[1].outliers = cases[i].outliers;
		snprintf(words, sizeof(words), "%zu of %u starts are outliers", cases[i].outliers, cases[i].n);
		cr_expect_eq(warns(&f, words), cases[i].expected, "%s", words);
		cr_expect_eq(warns(&f, "outliers"), cases[i].expected, "%s", words);
		fixture_end(&f);
	}
}

static void set_drift(struct fixture *f, size_t driver, double rho, double p)
{
	f->summary.drivers[driver].drift_rho = rho;
	f->summary.drivers[driver].drift_p = p;
}

/* Three drivers that drift alike are one drift of the host; two, or three that do not agree, are drivers that drift. */
Test(table, drift_of_the_host_is_said_once)
{
	struct fixture f;

	fixture_startup(&f, 100);
	set_drift(&f, 1, 0.31, 0.002);
	set_drift(&f, 2, 0.52, 0.0001);
	set_drift(&f, 3, -0.4, 0.0005);
	cr_expect(warns(&f, "- process: start-up times drift"));
	cr_expect(warns(&f, "- container: start-up times drift"));
	cr_expect(warns(&f, "- vm (TCG, q35): start-up times drift"));
	cr_expect_not(warns(&f, "the host drifted"));
	set_drift(&f, 3, 0.4, 0.02); /* may be chance */
	cr_expect_not(warns(&f, "the host drifted"));
	cr_expect_not(warns(&f, "- vm (TCG, q35): start-up times drift"));
	set_drift(&f, 3, 0.4, 0.0005);
	cr_expect_not(warns(&f, "start-up times drift"));
	cr_expect(warns(&f, "- the host drifted during the run: start-up times grow from block to block (ρ +0.31 to +0.52), affects "
			    "process, container, vm (TCG, q35). Find what changes on the host,"));
	set_drift(&f, 0, -0.6, 0.0001); /* the other way: its own line */
	cr_expect(warns(&f, "- null (floor): start-up times drift"));
	cr_expect(warns(&f, "affects process, container, vm (TCG, q35)."));
	for (size_t d = 0; d < 4; d++)
		set_drift(&f, d, -0.5, 0.0001);
	cr_expect(warns(&f, "start-up times shrink from block to block (ρ −0.50 to −0.50)"));
	fixture_end(&f);
}

/* However many drivers with however long names: the advice at the end is not cut off. */
Test(table, drift_of_many_drivers_is_one_whole_remark)
{
	struct fixture f;

	fixture_begin(&f, 20);
	for (int i = 0; i < RESULT_DRIVERS_MAX; i++) {
		char label[64];

		snprintf(label, sizeof(label), "container:net=veth,seccomp=off,µµµµµµµµµµ,label=%02d", i);
		fixture_driver(&f, "container", label, NULL);
	}
	fixture_summarise(&f);
	for (size_t d = 0; d < f.summary.n_drivers; d++)
		set_drift(&f, d, 0.5, 0.0001);
	cr_expect(warns(&f, " more. Find what changes on the host"));
	cr_expect(warns(&f, "with another run before it is steady."));
	fixture_end(&f);
}

Test(table, colour_only_when_asked)
{
	struct fixture f;

	fixture_startup(&f, 100);
	char *plain = print_table(&f, false);
	char *colour = print_table(&f, true);

	cr_expect_null(strchr(plain, '\033'));
	cr_expect_not_null(strstr(colour, "\033[1m"));
	free(plain);
	free(colour);
	fixture_end(&f);
}

Test(table, without_samples_says_unknown)
{
	struct fixture f;

	fixture_begin(&f, 5);
	fixture_driver(&f, "process", "process", NULL);
	fixture_summarise(&f);
	char *text = print_table(&f, false);

	cr_expect_not_null(strstr(text, "–"));
	cr_expect_null(strstr(text, "nan"));
	cr_expect_not_null(strstr(text, "no start was measured"));
	free(text);
	fixture_end(&f);
}

Test(table, refuses_a_summary_of_another_result)
{
	struct fixture f;
	struct error err = {0};
	FILE *out = fopen("/dev/null", "we");

	fixture_startup(&f, 10);
	f.summary.n_drivers--;
	cr_expect_eq(table_result(&f.result, &f.summary, out, false, &err), -EINVAL);
	cr_expect(err.message[0]);
	fclose(out);
	fixture_end(&f);
}

Test(table, full_disk_is_an_error)
{
	struct fixture f;
	struct error err = {0};
	FILE *out = fopen("/dev/full", "we");

	cr_assert_not_null(out);
	setvbuf(out, NULL, _IONBF, 0);
	fixture_startup(&f, 10);
	cr_expect_lt(table_result(&f.result, &f.summary, out, false, &err), 0);
	cr_expect(err.message[0]);
	fclose(out);
	fixture_end(&f);
}

Test(cells, intervals_and_ratios)
{
	char text[CELL_MAX];

	cr_expect_str_eq(cell_interval((struct estimate){1.9e6, 1.87e6, 1.92e6}, text, sizeof(text)), "1.90 [1.87–1.92] ms");
	cr_expect_str_eq(cell_interval((struct estimate){999e3, 992e3, 1.01e6}, text, sizeof(text)), "999 µs [992 µs–1.01 ms]");
	cr_expect_str_eq(cell_interval((struct estimate){NAN, NAN, NAN}, text, sizeof(text)), "–");
	cr_expect_str_eq(cell_interval((struct estimate){5e3, NAN, NAN}, text, sizeof(text)), "5.00 µs");
	cr_expect_str_eq(cell_ratio((struct estimate){2.4123, 2.3812, 2.4489}, text, sizeof(text)), "× 2.41 [2.38–2.45]");
	cr_expect_str_eq(cell_ratio((struct estimate){5951, 5892, 6011}, text, sizeof(text)), "× 5950 [5890–6010]");
	cr_expect_str_eq(cell_ratio((struct estimate){0.00432, 0.00427, 0.00436}, text, sizeof(text)), "× 0.0043 [0.0043–0.0044]");
	cr_expect_str_eq(cell_significant(9.996, 3, text, sizeof(text)), "10.0");
	cr_expect_str_eq(cell_significant(0, 3, text, sizeof(text)), "0.00");
	cr_expect_str_eq(cell_correlation(-0.304, text, sizeof(text)), "−0.30");
	cr_expect_str_eq(cell_probability(0.0004, text, sizeof(text)), "< 0.001");
	cr_expect_str_eq(cell_bytes(NAN, text, sizeof(text)), "–");
}

Test(label, cleans_what_others_wrote)
{
	char text[64];

	cr_expect_str_eq(label_clean("µs → ok", text, sizeof(text)), "µs → ok");
	cr_expect_str_eq(label_clean("a\nb\033c", text, sizeof(text)), "a\uFFFDb\uFFFDc");
	cr_expect_str_eq(label_clean("\xff\xc0\xaf", text, sizeof(text)), "\uFFFD\uFFFD\uFFFD");
	cr_expect_str_eq(label_clean("a\xe2\x80\xae"
				     "b",
				     text, sizeof(text)),
			 "a\uFFFDb");
	cr_expect_str_eq(label_clean("µµµ", text, 6), "µµ", "cut at a whole character");
}

Test(label, shortens_whole_characters)
{
	char text[64] = "abcdef", greek[64] = "µµµµµµ";

	cr_expect_str_eq(label_shorten(text, 4), "abc…");
	cr_expect_str_eq(label_shorten(greek, 4), "µµµ…");
	cr_expect_str_eq(label_shorten(strcpy(text, "abc"), 3), "abc");
	cr_expect_str_eq(label_shorten(strcpy(text, "abcd"), 3), "a…", "three bytes of the mark need a place");
}

Test(label, guests_bear_accelerator_and_machine)
{
	struct fixture f;
	char text[LABEL_MAX] = "untouched";

	fixture_begin(&f, 1);
	fixture_driver(&f, "process", "process", NULL);
	cr_expect_not(label_guests(&f.result, text, sizeof(text)));
	cr_expect_str_eq(text, "untouched");
	fixture_driver(&f, "vm", "vm", "q35");
	fixture_driver(&f, "vm", "small", "microvm");
	fixture_driver(&f, "vm", "again", "q35");
	cr_expect(label_guests(&f.result, text, sizeof(text)));
	cr_expect_str_eq(text, "VM figures: TCG (emulated), q35 / microvm");
	snprintf(f.result.drivers[2].info.pairs[0].value, sizeof(f.result.drivers[2].info.pairs[0].value), "kvm");
	label_guests(&f.result, text, sizeof(text));
	cr_expect_str_eq(text, "VM figures: TCG (emulated), q35; KVM (hardware), microvm");
	cr_expect_str_eq(label_driver(&f.result.drivers[2], text, sizeof(text)), "small (KVM, microvm)");
	f.result.drivers[2].info.n_pairs = 0;
	cr_expect_str_eq(label_driver(&f.result.drivers[2], text, sizeof(text)), "small (accelerator unknown)");
	cr_expect_str_eq(label_driver_within(&f.result.drivers[1], 5, text, sizeof(text)), "vm (TCG, q35)");
	fixture_end(&f);
}
