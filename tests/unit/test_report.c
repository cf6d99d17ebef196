/* The HTML report: well-formed, self-contained, and text stays text. */
#include "plots_fixture.h"
#include "plots_golden.h"

#include <base/process.h>
#include <plots/charts.h>
#include <plots/report.h>

#include <errno.h>
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>

static char folder[PATH_MAX];

static void setup(void)
{
	golden_folder(folder);
}

static void teardown(void)
{
	dir_remove(folder, NULL);
}

TestSuite(report, .init = setup, .fini = teardown);

/* Makes the report, with charts where gnuplot is; returns it read as XML. */
static xmlDoc *make_report(const struct fixture *f, bool with_charts)
{
	struct error err = {0};
	char path[PATH_MAX + 16];
	size_t size;

	if (with_charts)
		cr_assert_eq(charts_result(&f->result, &f->summary, folder, &err), 0, "%s", err.message);
	snprintf(path, sizeof(path), "%s/report.html", folder);
	cr_assert_eq(report_html(&f->result, &f->summary, folder, path, &err), 0, "%s", err.message);
	char *text = golden_read(folder, "report.html", &size);
	xmlDoc *doc = xmlReadMemory(text, (int)size, "report.html", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);

	cr_assert_not_null(doc, "the report is not well-formed");
	free(text);
	return doc;
}

static int count_nodes(xmlDoc *doc, const char *expression)
{
	xmlXPathContext *context = xmlXPathNewContext(doc);
	xmlXPathObject *found = xmlXPathEvalExpression((const xmlChar *)expression, context);
	int n = found && found->nodesetval ? found->nodesetval->nodeNr : 0;

	xmlXPathFreeObject(found);
	xmlXPathFreeContext(context);
	return n;
}

static void expect_text(xmlDoc *doc, const char *words)
{
	xmlChar *content = xmlNodeGetContent(xmlDocGetRootElement(doc));

	cr_expect_not_null(strstr((const char *)content, words), "the report does not say: %s", words);
	xmlFree(content);
}

static void need_gnuplot(void)
{
	char path[PATH_MAX];

	if (!process_find("gnuplot", path, sizeof(path)))
		cr_skip_test("no gnuplot in PATH");
}

Test(report, says_all_that_a_reader_needs)
{
	static const char *const words[] = {"null (floor)",
					    "process",
					    "container",
					    "vm (TCG, q35)",
					    "VM figures: TCG (emulated), q35",
					    "bench run startup --n 100 --seed 42",
					    "6.1.0-28-amd64",
					    "Example CPU",
					    "T6 ready",
					    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
					    "1.90 [1.88–1.92] ms",
					    "emulated by TCG"};
	struct fixture f;

	need_gnuplot();
	fixture_startup(&f, 100);
	xmlDoc *doc = make_report(&f, true);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		expect_text(doc, words[i]);
	cr_expect_eq(count_nodes(doc, "//*[local-name()='svg']"), 2);
	cr_expect_eq(count_nodes(doc, "//*[local-name()='table']"), 3);
	cr_expect_eq(count_nodes(doc, "//*[local-name()='tbody']/*"), 12);
	xmlFreeDoc(doc);
	fixture_end(&f);
}

Test(report, is_self_contained_and_runs_nothing)
{
	struct fixture f;

	need_gnuplot();
	fixture_startup(&f, 30);
	xmlDoc *doc = make_report(&f, true);

	cr_expect_eq(count_nodes(doc, "//*[local-name()='script' or local-name()='link' or local-name()='img' or local-name()='iframe']"),
		     0);
	cr_expect_eq(count_nodes(doc, "//@src"), 0);
	cr_expect_eq(count_nodes(doc, "//@*[local-name()='href'][not(starts-with(., '#'))]"), 0);
	cr_expect_eq(count_nodes(doc, "//@*[starts-with(local-name(), 'on')]"), 0);
	cr_expect_eq(count_nodes(doc, "//@id[. = ../preceding::*/@id or . = ../ancestor::*/@id]"), 0, "an id stands twice");
	/* every reference inside a drawing finds its end */
	cr_expect_eq(count_nodes(doc, "//@*[local-name()='href'][not(substring(., 2) = //@id)]"), 0);
	xmlFreeDoc(doc);
	fixture_end(&f);
}

Test(report, text_of_others_is_escaped)
{
	struct fixture f;

	need_gnuplot();
	fixture_troubled(&f);
	free(f.result.command_line);
	f.result.command_line = strdup("bench run '<script>alert(1)</script>' & \"x\" \033[31m");
	snprintf(f.result.environment.cpu_model, sizeof(f.result.environment.cpu_model), "<img src=x onerror=alert(1)>");
	fixture_fact(&f.result.drivers[2], "<b>key</b>", "</dd><script>x</script>");
	snprintf(f.result.samples[f.result.n_samples - 1].reason, sizeof(f.result.samples[0].reason), "<i>reason</i>");
	xmlDoc *doc = make_report(&f, true);

	cr_expect_eq(count_nodes(doc, "//*[local-name()='script' or local-name()='b' or local-name()='i' or local-name()='img']"), 0);
	expect_text(doc, "'<script>alert(1)</script>' & \"x\"");
	expect_text(doc, "<img src=x onerror=alert(1)>");
	expect_text(doc, "<b>&amp;");
	expect_text(doc, "no CPU limit: the cpu controller is not <mounted>");
	expect_text(doc, "INTERRUPTED after");
	xmlFreeDoc(doc);
	fixture_end(&f);
}

/* Before the first figure a reader knows who is missing. */
Test(report, says_at_the_top_who_was_left_out)
{
	struct fixture f;

	fixture_never_ready(&f);
	xmlDoc *doc = make_report(&f, false);

	cr_expect_eq(count_nodes(doc, "//*[@class='alert'][contains(., 'docker was left out: its first start failed')]"
				      "[following::*[local-name()='table']][not(preceding::*[local-name()='h2'])]"),
		     1);
	expect_text(doc, "> 60.0 s");
	expect_text(doc, "process: 12 starts failed and are in no figure; the first: the guest kernel panicked");
	cr_expect_eq(count_nodes(doc, "//*[local-name()='td'][contains(., 'nan') or contains(., 'inf')]"), 0);
	xmlFreeDoc(doc);
	fixture_end(&f);
}

Test(report, says_when_a_chart_is_missing)
{
	struct fixture f;

	fixture_startup(&f, 10);
	xmlDoc *doc = make_report(&f, false);

	cr_expect_eq(count_nodes(doc, "//*[local-name()='svg']"), 0);
	expect_text(doc, "This chart was not drawn: install gnuplot");
	xmlFreeDoc(doc);
	fixture_end(&f);
}

Test(report, refuses_a_drawing_that_runs_something)
{
	static const char *const bad[] = {"<svg xmlns='http://www.w3.org/2000/svg'><ScRipt>alert(1)</ScRipt></svg>", "no drawing at all",
					  "<svg onload='x()'></svg>", "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg>&a;</svg>", "<svg>"};
	struct fixture f;
	struct error err = {0};
	char path[PATH_MAX + 32], page[PATH_MAX + 32];

	fixture_startup(&f, 10);
	snprintf(path, sizeof(path), "%s/startup-ecdf.svg", folder);
	snprintf(page, sizeof(page), "%s/report.html", folder);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(file_write_atomic(path, bad[i], strlen(bad[i]), 0644, NULL), 0);
		cr_expect_eq(report_html(&f.result, &f.summary, folder, page, &err), -EINVAL, "%s", bad[i]);
		cr_expect_not_null(strstr(err.message, "startup-ecdf.svg"), "%s", err.message);
		cr_expect_not(path_exists(page), "half a report");
	}
	fixture_end(&f);
}

Test(report, a_folder_that_cannot_be_written_is_an_error)
{
	struct fixture f;
	struct error err = {0};

	fixture_startup(&f, 10);
	cr_expect_lt(report_html(&f.result, &f.summary, folder, "/nonexistent/report.html", &err), 0);
	cr_expect_not_null(strstr(err.message, "/nonexistent/report.html"), "%s", err.message);
	fixture_end(&f);
}
