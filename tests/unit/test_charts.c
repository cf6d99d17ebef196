/* Charts: data and script to the bit, pictures by the real gnuplot. */
#include "plots_fixture.h"
#include "plots_golden.h"

#include <base/process.h>
#include <plots/charts.h>

#include <dirent.h>
#include <errno.h>
#include <libxml/parser.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"startup-ecdf", "startup-phases"};

static void need_gnuplot(void)
{
	char path[PATH_MAX];

	if (!process_find("gnuplot", path, sizeof(path)))
		cr_skip_test("no gnuplot in PATH");
}

static char *draw(const struct fixture *f, char folder[PATH_MAX])
{
	struct error err = {0};

	golden_folder(folder);
	cr_assert_eq(charts_result(&f->result, &f->summary, folder, &err), 0, "%s", err.message);
	return folder;
}

static size_t count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t n = 0;

	cr_assert_not_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

static char *file_name(size_t chart, const char *suffix, char ret[64])
{
	snprintf(ret, 64, "%s.%s", names[chart], suffix);
	return ret;
}

/* The drawing is well-formed XML, an SVG, and says `words` where given. */
static void expect_svg(const char *folder, size_t chart, const char *words)
{
	char name[64];
	size_t size;
	char *text = golden_read(folder, file_name(chart, "svg", name), &size);
	xmlDoc *doc = xmlReadMemory(text, (int)size, name, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);

	cr_assert_not_null(doc, "%s is not well-formed", name);
	cr_expect_str_eq((const char *)xmlDocGetRootElement(doc)->name, "svg");
	xmlChar *content = xmlNodeGetContent((xmlNode *)doc);

	cr_expect(!words || strstr((const char *)content, words), "%s does not say: %s", name, words);
	xmlFree(content);
	xmlFreeDoc(doc);
	free(text);
}

static void expect_png(const char *folder, size_t chart)
{
	char name[64];
	size_t size;
	char *bytes = golden_read(folder, file_name(chart, "png", name), &size);
	const unsigned char *b = (const unsigned char *)bytes;

	cr_assert_gt(size, 2000, "%s has only %zu bytes", name, size);
	cr_expect_eq(memcmp(bytes, "\x89PNG\r\n\x1a\n", 8), 0);
	cr_expect_geq(b[18] << 8 | b[19], 1000, "width");
	cr_expect_geq(b[22] << 8 | b[23], 200, "height");
	free(bytes);
}

Test(charts, golden_data_and_scripts)
{
	struct fixture f;
	char folder[PATH_MAX], name[64], golden[128];

	need_gnuplot();
	fixture_startup(&f, 100);
	draw(&f, folder);
	for (size_t chart = 0; chart < 2; chart++) {
		for (size_t k = 0; k < 2; k++) {
			char *text = golden_read(folder, file_name(chart, k ? "gp" : "tsv", name), NULL);

			snprintf(golden, sizeof(golden), "plots-charts/%s", name);
			golden_compare(golden, text);
			free(text);
		}
	}
	dir_remove(folder, NULL);
	fixture_end(&f);
}

Test(charts, gnuplot_draws_both_formats_and_leaves_nothing_else)
{
	struct fixture f;
	char folder[PATH_MAX];

	need_gnuplot();
	fixture_startup(&f, 100);
	draw(&f, folder);
	for (size_t chart = 0; chart < 2; chart++) {
		expect_svg(folder, chart, "VM figures: TCG (emulated), q35");
		expect_svg(folder, chart, "null (floor)");
		expect_svg(folder, chart, "container");
		expect_svg(folder, chart, "host kernel 6.1.0-28-amd64");
		expect_png(folder, chart);
	}
	expect_svg(folder, 1, "kernel boot 1.55 s");
	cr_expect_eq(count_files(folder), 8);
	dir_remove(folder, NULL);
	fixture_end(&f);
}

Test(charts, script_redraws_by_hand)
{
	struct fixture f;
	char folder[PATH_MAX], name[64], path[2 * PATH_MAX], output[1024];

	need_gnuplot();
	fixture_startup(&f, 20);
	draw(&f, folder);
	for (size_t chart = 0; chart < 2; chart++) {
		char *before = golden_read(folder, file_name(chart, "svg", name), NULL);
		const char *argv[] = {"gnuplot", file_name(chart, "gp", name), NULL};

		snprintf(path, sizeof(path), "%s/%s.svg", folder, names[chart]);
		unlink(path);
		cr_assert_eq(process_run(argv, folder, 60000, true, output, sizeof(output), NULL), 0, "%s", output);
		char *after = golden_read(folder, file_name(chart, "svg", name), NULL);

		cr_expect_str_eq(before, after);
		free(before);
		free(after);
	}
	cr_expect_eq(count_files(folder), 8);
	dir_remove(folder, NULL);
	fixture_end(&f);
}

Test(charts, labels_are_text_and_never_commands)
{
	struct fixture f;
	char folder[PATH_MAX];

	need_gnuplot();
	fixture_troubled(&f);
	snprintf(f.result.environment.kernel, sizeof(f.result.environment.kernel), "'; system('touch pwned') #");
	snprintf(f.result.drivers[5].info.pairs[1].value, sizeof(f.result.drivers[5].info.pairs[1].value), "'\n!touch pwned\n\"");
	draw(&f, folder);
	for (size_t chart = 0; chart < 2; chart++) {
		expect_svg(folder, chart, "a'b\"c `touch pwned` @x{/Bold y}_2\\");
		expect_svg(folder, chart, "'; system('touch pwned') #");
		expect_png(folder, chart);
	}
	cr_expect_eq(count_files(folder), 8, "a label made a file");
	cr_expect_not(path_exists("pwned"));
	dir_remove(folder, NULL);
	fixture_end(&f);
}

Test(charts, censored_curve_ends_below_one_at_the_time_limit)
{
	struct fixture f;
	char folder[PATH_MAX];

	need_gnuplot();
	fixture_troubled(&f);
	draw(&f, folder);
	char *data = golden_read(folder, "startup-ecdf.tsv", NULL);

	cr_expect_not_null(strstr(data, "\n60.000000000\t0.85\tvm:machine=q35"));
	cr_expect_not_null(strstr(data, "\n60.000000000\t0\tvm:machine=pc (TCG, pc)"));
	cr_expect_null(strstr(data, "docker"), "a driver without a time has no curve");
	expect_svg(folder, 0, "6 not ready within 60.0 s");
	expect_svg(folder, 0, "docker – 40 failed");
	expect_svg(folder, 1, "not ready within the time limit");
	expect_svg(folder, 1, "no phase was measured");
	expect_svg(folder, 0, "INTERRUPTED");
	expect_svg(folder, 0, "VM figures: TCG (emulated), microvm / q35 / pc · left out: vm:machine=xen, odd");
	free(data);
	dir_remove(folder, NULL);
	fixture_end(&f);
}

Test(charts, drivers_that_were_never_ready)
{
	struct fixture f;
	char folder[PATH_MAX];

	need_gnuplot();
	fixture_never_ready(&f);
	draw(&f, folder);
	for (size_t chart = 0; chart < 2; chart++) {
		expect_svg(folder, chart, "left out: docker");
		expect_svg(folder, chart, "> 60.0 s");
		expect_png(folder, chart);
	}
	expect_svg(folder, 0, "process – 12 failed");
	expect_svg(folder, 0, "12 not ready within 60.0 s");
	dir_remove(folder, NULL);
	fixture_end(&f);
}

static void expect_drawn(struct fixture *f)
{
	char folder[PATH_MAX];

	fixture_summarise(f);
	draw(f, folder);
	for (size_t chart = 0; chart < 2; chart++) {
		expect_svg(folder, chart, NULL);
		expect_png(folder, chart);
	}
	dir_remove(folder, NULL);
	fixture_end(f);
}

Test(charts, one_start_no_start_zero_time_and_many_drivers)
{
	struct fixture f;

	need_gnuplot();
	fixture_begin(&f, 1);
	fixture_starts(&f, fixture_driver(&f, "vm", "vm", "q35"), 1, fixture_vm);
	expect_drawn(&f);
	fixture_begin(&f, 1);
	fixture_driver(&f, "process", "process", NULL);
	expect_drawn(&f);
	fixture_begin(&f, 1);
	expect_drawn(&f);
	fixture_begin(&f, 3);
	fixture_starts(&f, fixture_driver(&f, "mock", "mock", NULL), 3, (struct fixture_marks){.ready = 0});
	for (size_t i = 0; i < 3; i++) /* ready at once */
		timeline_mark_at(&f.result.samples[i].timeline, MARK_READY, f.result.samples[i].timeline.at_ns[MARK_REQUEST]);
	expect_drawn(&f);
	fixture_begin(&f, 5);
	for (int i = 0; i < RESULT_DRIVERS_MAX; i++)
		fixture_starts(&f, fixture_driver(&f, "container", "container", NULL), 5, fixture_container);
	expect_drawn(&f);
}

Test(charts, thousands_of_samples_stay_a_small_picture)
{
	struct fixture f;
	char folder[PATH_MAX];
	size_t size;

	need_gnuplot();
	fixture_begin(&f, 9000);
	fixture_starts(&f, fixture_driver(&f, "process", "process", NULL), 9000, fixture_process);
	fixture_summarise(&f);
	draw(&f, folder);
	char *data = golden_read(folder, "startup-ecdf.tsv", &size);

	cr_expect_lt(size, 2100 * strlen("0.000350000\t0.123456\tprocess\n"));
	cr_expect_not_null(strstr(data, "\t1\tprocess\n"), "the largest time must stay");
	free(data);
	dir_remove(folder, NULL);
	fixture_end(&f);
}

Test(charts, without_gnuplot_data_and_script_remain)
{
	struct fixture f;
	struct error err = {0};
	char folder[PATH_MAX];

	golden_folder(folder);
	fixture_startup(&f, 10);
	setenv("PATH", folder, 1);
	cr_expect_eq(charts_result(&f.result, &f.summary, folder, &err), -ENOENT);
	cr_expect_not_null(strstr(err.hint, "install gnuplot"));
	cr_expect_eq(count_files(folder), 4);
	dir_remove(folder, NULL);
	fixture_end(&f);
}

/* What gnuplot says becomes one line, and an older picture stays as it was. */
Test(charts, complaint_of_gnuplot_is_one_line)
{
	static const char fake[] =
		"#!/bin/sh\nprintf '\\nplot x\\n     ^\\n\"startup-ecdf.gp\" line 7: undefined variable: x\\n\\n' >&2\nexit 1\n";
	struct fixture f;
	struct error err = {0};
	char folder[PATH_MAX], bin[PATH_MAX], program[2 * PATH_MAX], path[4 * PATH_MAX];

	golden_folder(folder);
	golden_folder(bin);
	snprintf(program, sizeof(program), "%s/gnuplot", bin);
	cr_assert_eq(file_write_atomic(program, fake, strlen(fake), 0755, NULL), 0);
	snprintf(path, sizeof(path), "%s/startup-ecdf.svg", folder);
	cr_assert_eq(file_write_atomic(path, "old", 3, 0644, NULL), 0);
	snprintf(path, sizeof(path), "%s:%s", bin, getenv("PATH"));
	setenv("PATH", path, 1);
	fixture_startup(&f, 10);
	cr_expect_eq(charts_result(&f.result, &f.summary, folder, &err), -EIO);
	cr_expect_not_null(strstr(err.message, "line 7: undefined variable: x"), "%s", err.message);
	cr_expect_null(strchr(err.message, '\n'));
	char *old = golden_read(folder, "startup-ecdf.svg", NULL);

	cr_expect_str_eq(old, "old");
	cr_expect_eq(count_files(folder), 5, "the working folder stayed behind");
	free(old);
	dir_remove(folder, NULL);
	dir_remove(bin, NULL);
	fixture_end(&f);
}

Test(charts, a_missing_folder_is_an_error)
{
	struct fixture f;
	struct error err = {0};

	fixture_startup(&f, 10);
	cr_expect_lt(charts_result(&f.result, &f.summary, "/nonexistent/folder", &err), 0);
	cr_expect_not_null(strstr(err.message, "/nonexistent/folder"), "%s", err.message);
	fixture_end(&f);
}
