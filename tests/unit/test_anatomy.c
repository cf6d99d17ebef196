/* Tables, charts and report of an anatomy. */
#include "anatomy_fixture.h"
#include "plots_golden.h"

#include <base/process.h>
#include <plots/cells.h>
#include <plots/charts.h>
#include <plots/report.h>
#include <plots/table.h>

#include <libxml/parser.h>
#include <unistd.h>

static const char *const names[] = {"anatomy-costs", "anatomy-steps"};

static void need_gnuplot(void)
{
	char path[PATH_MAX];

	if (!process_find("gnuplot", path, sizeof(path)))
		cr_skip_test("no gnuplot in PATH");
}

static void draw(const struct fixture *f, char folder[PATH_MAX])
{
	struct error err = {0};

	golden_folder(folder);
	cr_assert_eq(charts_result(&f->result, &f->summary, folder, &err), 0, "%s", err.message);
}

/* The text of a drawing, which must be well-formed; the caller frees with xmlFree(). */
static xmlChar *text_of_xml(const char *folder, const char *name)
{
	size_t size;
	char *text = golden_read(folder, name, &size);
	xmlDoc *doc = xmlReadMemory(text, (int)size, name, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);

	cr_assert_not_null(doc, "%s is not well-formed", name);
	xmlChar *content = xmlNodeGetContent((xmlNode *)doc);

	xmlFreeDoc(doc);
	free(text);
	return content;
}

static void expect_words(const char *folder, const char *name, const char *words)
{
	xmlChar *content = text_of_xml(folder, name);

	cr_expect_not_null(strstr((const char *)content, words), "%s does not say: %s", name, words);
	xmlFree(content);
}

static char *print_table(const struct fixture *f)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct error err = {0};

	cr_assert_eq(table_result(&f->result, &f->summary, out, false, &err), 0, "%s", err.message);
	fclose(out);
	return text;
}

Test(anatomy, golden_table)
{
	struct fixture f;

	fixture_anatomy(&f, 100);
	char *text = print_table(&f);

	golden_compare("plots-table/anatomy.txt", text);
	free(text);
	anatomy_end(&f);
}

Test(anatomy, golden_data_and_scripts)
{
	static const char *const suffixes[] = {"tsv", "gp"};
	struct fixture f;
	char folder[PATH_MAX], name[64], golden[128];

	need_gnuplot();
	fixture_anatomy(&f, 100);
	draw(&f, folder);
	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s.%s", names[i / 2], suffixes[i % 2]);
		snprintf(golden, sizeof(golden), "plots-charts/%s", name);
		char *text = golden_read(folder, name, NULL);

		golden_compare(golden, text);
		free(text);
	}
	dir_remove(folder, NULL);
	anatomy_end(&f);
}

Test(anatomy, gnuplot_draws_both_formats)
{
	struct fixture f;
	char folder[PATH_MAX], name[64];

	need_gnuplot();
	fixture_anatomy(&f, 100);
	draw(&f, folder);
	expect_words(folder, "anatomy-costs.svg", "network namespace");
	expect_words(folder, "anatomy-costs.svg", "noise of this run");
	expect_words(folder, "anatomy-costs.svg", "process 3"); /* the floors stand in the heading */
	expect_words(folder, "anatomy-costs.svg", "left out: time=host");
	expect_words(folder, "anatomy-steps.svg", "before the first step");
	expect_words(folder, "anatomy-steps.svg", "helper");
	expect_words(folder, "anatomy-steps.svg", "T2 sandbox");
	for (size_t i = 0; i < 2; i++) {
		size_t size;

		snprintf(name, sizeof(name), "%s.png", names[i]);
		char *bytes = golden_read(folder, name, &size);

		cr_expect_eq(memcmp(bytes, "\x89PNG\r\n\x1a\n", 8), 0);
		cr_expect_gt(size, 5000);
		free(bytes);
	}
	dir_remove(folder, NULL);
	anatomy_end(&f);
}

/* What never ran has no bar and no row; without anything there is a picture that says so. */
Test(anatomy, nothing_measured_and_hostile_names)
{
	struct fixture f;
	char folder[PATH_MAX];

	need_gnuplot();
	fixture_begin(&f, 3);
	snprintf(f.result.experiment, sizeof(f.result.experiment), "anatomy");
	fixture_summarise(&f);
	f.summary.whole = -1;
	draw(&f, folder);
	expect_words(folder, "anatomy-costs.svg", "no variant was measured");
	expect_words(folder, "anatomy-steps.svg", "no driver told of the steps");
	dir_remove(folder, NULL);
	fixture_end(&f);

	fixture_anatomy(&f, 10);
	snprintf(f.result.drivers[4].variant.feature, sizeof(f.result.drivers[4].variant.feature), "'; system('touch pwned') #");
	snprintf(f.result.drivers[1].info.steps.at[2].name, STEP_NAME_MAX, "''a'b\"c `touch pwned`''");
	draw(&f, folder);
	expect_words(folder, "anatomy-costs.svg", "'; system('touch pwned') #");
	expect_words(folder, "anatomy-steps.svg", "''a'b\"c `touch pwned`''");
	cr_expect_not(path_exists("pwned"));
	dir_remove(folder, NULL);
	anatomy_end(&f);
}

Test(anatomy, report_shows_tables_and_charts)
{
	struct fixture f;
	struct error err = {0};
	char folder[PATH_MAX], path[PATH_MAX + 16];

	need_gnuplot();
	fixture_anatomy(&f, 100);
	draw(&f, folder);
	snprintf(path, sizeof(path), "%s/report.html", folder);
	cr_assert_eq(report_html(&f.result, &f.summary, folder, path, &err), 0, "%s", err.message);
	expect_words(folder, "report.html", "Where does the time of a start go?");
	expect_words(folder, "report.html", "What each feature costs: container");
	expect_words(folder, "report.html", "Steps of a start of container");
	expect_words(folder, "report.html", "what it adds to the start-up time");
	expect_words(folder, "report.html", "time since the request (T0)");
	expect_words(folder, "report.html", "time=host was left out");
	dir_remove(folder, NULL);
	anatomy_end(&f);
}

static void expect_difference(double value, double low, double high, const char *expected)
{
	char text[CELL_MAX];

	cr_expect_str_eq(cell_difference((struct estimate){value, low, high}, text, sizeof(text)), expected);
}

Test(cells, differences_and_shares)
{
	char text[CELL_MAX];

	expect_difference(612000, 590000, 640000, "+612 [+590 … +640] µs");
	expect_difference(-1500000, -2000000, 12340, "−1.50 [−2.00 … +0.01] ms");
	expect_difference(5100, -12300, 20400, "+5.1 [−12.3 … +20.4] µs");
	expect_difference(0, -4, 3, "0 [−4 … +3] ns");
	expect_difference(7, NAN, NAN, "+7 ns");
	expect_difference(999600, 999600, 999600, "+1.00 [+1.00 … +1.00] ms");
	expect_difference(NAN, NAN, NAN, "–");
	cr_expect_str_eq(cell_share(0.123, text, sizeof(text)), "12 %");
	cr_expect_str_eq(cell_share(0.0032, text, sizeof(text)), "0.3 %");
	cr_expect_str_eq(cell_share(0.00001, text, sizeof(text)), "< 0.1 %");
	cr_expect_str_eq(cell_share(-0.5, text, sizeof(text)), "−50 %");
	cr_expect_str_eq(cell_share(0, text, sizeof(text)), "0 %");
	cr_expect_str_eq(cell_share(NAN, text, sizeof(text)), "–");
}
