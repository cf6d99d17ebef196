/* One self-contained HTML page of a result. It is well-formed XML too, so that a test can read it. */
#include "report.h"

#include "cells.h"
#include "chart.h"
#include "escape.h"
#include "grid.h"
#include "label.h"
#include "page.h"
#include "remarks.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- what was measured ---- */

/* What a reader must not miss stands at the top. */
static void write_alert(const char *subject, const char *text, void *arg)
{
	FILE *out = arg;

	(void)subject;
	fputs("<p class=\"alert\">", out);
	escape_html(out, text);
	fputs("</p>\n", out);
}

static void write_begin(const struct result *result, FILE *out)
{
	char text[REMARK_MAX];

	fputs("<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
	      "<title>",
	      out);
	fputs(grid_is_anatomy(result) ? "Anatomy of a start" : "Start-up times: processes, containers, virtual machines", out);
	fputs("</title>\n<style>", out);
	fputs(page_style, out);
	fprintf(out, "</style>\n</head>\n<body>\n<h1>%s</h1>\n",
		grid_is_anatomy(result) ? "Where does the time of a start go?" : "How long does it take to start?");
	if (remark_interrupted(result, text, sizeof(text))[0])
		write_alert("", text, out);
	remarks_left_out(result, write_alert, out);
	fputs("<p>", out);
	escape_html(out, remark_run(result, text, sizeof(text)));
	fputs("<br/>", out);
	escape_html(out, remark_host(result, text, sizeof(text)));
	fputs("</p>\n", out);
	if (label_guests(result, text, sizeof(text))) {
		fputs("<p class=\"guests\">", out);
		escape_html(out, text);
		fputs("</p>\n", out);
	}
}

/* Why a figure of this driver means what it means, from what the driver announced of itself. */
static const char *nature(const struct result_driver *driver)
{
	if (strcmp(driver->spec.name, "null") == 0)
		return "starts nothing: what the measuring itself costs. It is shown, and subtracted from nothing.";
	if (driver->caps & DRIVER_VIRTUAL_CLOCK)
		return "plays declared times: nothing was measured here.";
	if (driver->caps & DRIVER_IS_GUEST)
		return label_is_emulated(driver) ? "a virtual machine with a kernel of its own, its processor emulated in software (TCG)."
						 : "a virtual machine with a kernel of its own.";
	if (strcmp(driver->spec.name, "process") == 0)
		return "a bare process on the host's kernel: what the others are compared with.";
	if (driver->caps & DRIVER_SAME_KERNEL)
		return "isolated on the host's own kernel: no second kernel boots.";
	return "another program's way to run an instance.";
}

static void write_drivers(const struct result *result, FILE *out)
{
	char label[LABEL_MAX];

	fputs("<h2>What was measured</h2>\n<p>The time from the request for an instance (T0) to its first useful answer (T6), on the "
	      "host's clock. "
	      "Every instance runs the same program.</p>\n<dl>\n",
	      out);
	for (size_t d = 0; d < result->n_drivers; d++) {
		fputs("<dt>", out);
		escape_html(out, label_driver(&result->drivers[d], label, sizeof(label)));
		fprintf(out, "</dt><dd>%s</dd>\n", nature(&result->drivers[d]));
	}
	fputs("</dl>\n", out);
}

/* ---- figures ---- */

static void write_grid(const struct grid *grid, FILE *out)
{
	fputs("<div class=\"scroll\"><table>\n<caption>", out);
	escape_html(out, grid->title);
	fputs("</caption>\n<thead><tr>", out);
	for (size_t c = 0; c < grid->n_columns; c++) {
		fputs("<th scope=\"col\">", out);
		escape_html(out, grid->heads[c]);
		fputs("</th>", out);
	}
	fputs("</tr></thead>\n<tbody>\n", out);
	for (size_t r = 0; r < grid->n_rows; r++) {
		fputs("<tr>", out);
		for (size_t c = 0; c < grid->n_columns; c++) {
			fputs(c ? "<td>" : "<th scope=\"row\">", out);
			escape_html(out, grid->cells[r][c]);
			fputs(c ? "</td>" : "</th>", out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody>\n</table></div>\n", out);
}

static int write_grids(const struct result *result, const struct summary *summary, FILE *out, struct error *err)
{
	fputs("<h2>Figures</h2>\n", out);
	for (const enum grid_kind *kind = grid_kinds(result, true), *first = kind; *kind != GRID_KIND_COUNT; kind++) {
		_cleanup_(grid_free) struct grid grid = {0};
		int r = grid_make(result, summary, *kind, &grid, err);

		if (r < 0)
			return r;
		if (grid.n_columns > 1)
			write_grid(&grid, out);
		if (kind == first)
			remarks_left_out(result, write_alert, out);
	}
	return 0;
}

/* A picture that was not drawn is said, and is no reason to have no report. */
static int write_chart(const char *dir, const char *name, const char *description, FILE *out, struct error *err)
{
	struct error why = {0};

	fputs("<figure>\n", out);
	int r = page_svg(out, dir, name, description, &why);

	if (r == -ENOENT)
		fputs("<p class=\"alert\">This chart was not drawn: install gnuplot and make the report again.</p>\n", out);
	fputs("<figcaption>", out);
	escape_html_format(out, "%s Data and script: %s.tsv, %s.gp.", description, name, name);
	fputs("</figcaption>\n</figure>\n", out);
	if (r < 0 && r != -ENOENT) {
		if (err)
			*err = why;
		return r;
	}
	return 0;
}

static int write_charts(const struct result *result, const char *dir, FILE *out, struct error *err)
{
	int r = 0;

	fputs("<h2>Charts</h2>\n", out);
	for (const struct chart *chart = charts_of(result); chart->name && r == 0; chart++)
		r = write_chart(dir, chart->name, chart->description, out, err);
	return r;
}

/* ---- remarks ---- */

struct remark_list {
	FILE *out;
	const char *heading;
	bool open;
};

static void write_remark(const char *subject, const char *text, void *arg)
{
	struct remark_list *list = arg;

	if (!list->open)
		fprintf(list->out, "<h2>%s</h2>\n<ul>\n", list->heading);
	list->open = true;
	fputs("<li>", list->out);
	escape_html_format(list->out, "%s%s%s", subject, *subject ? ": " : "", text);
	fputs("</li>\n", list->out);
}

static void write_remarks(const struct result *result, const struct summary *summary, FILE *out)
{
	struct remark_list warnings = {.out = out, .heading = "Warnings"};
	struct remark_list notes = {.out = out, .heading = "Not limited, not measured"};

	remarks_warnings(result, summary, write_remark, &warnings);
	if (warnings.open)
		fputs("</ul>\n", out);
	remarks_notes(result, write_remark, &notes);
	if (notes.open)
		fputs("</ul>\n", out);
}

/* ---- environment, method, limits ---- */

static void write_fact(FILE *out, const char *name, const char *value)
{
	char clean[1024];

	if (!value || !value[0])
		return;
	fputs("<dt>", out);
	escape_html(out, label_clean(name, clean, sizeof(clean)));
	fputs("</dt><dd>", out);
	escape_html(out, label_clean(value, clean, sizeof(clean)));
	fputs("</dd>\n", out);
}

static void write_number(FILE *out, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	if (value >= 0)
		write_fact(out, name, text);
}

static void write_machine(const struct environment *host, FILE *out)
{
	char text[CELL_MAX];

	write_fact(out, "kernel", host->kernel);
	write_fact(out, "architecture", host->architecture);
	write_fact(out, "operating system", host->os);
	write_fact(out, "processor", host->cpu_model);
	write_number(out, "packages", host->packages);
	write_number(out, "cores", host->cores);
	write_number(out, "hardware threads", host->threads);
	write_number(out, "NUMA nodes", host->numa_nodes);
	if (host->memory_bytes > 0)
		write_fact(out, "memory", cell_bytes((double)host->memory_bytes, text, sizeof(text)));
	write_fact(out, "virtualised by", host->hypervisor);
	write_fact(out, "frequency governor", host->governor);
	write_fact(out, "SMT", host->smt);
	write_fact(out, "cgroups", host->cgroup_mode);
	write_fact(out, "cgroup controllers", host->cgroup_controllers);
	write_fact(out, "transparent huge pages", host->thp);
	write_fact(out, "KSM", host->ksm < 0 ? "" : host->ksm ? "on" : "off");
	write_fact(out, "clock source", host->clocksource);
	write_fact(out, "run as", host->privileged ? "root" : "ordinary user");
}

static void write_programs(const struct result *result, FILE *out)
{
	const struct environment *host = &result->environment;
	const struct run_plan *plan = &result->plan;
	char text[CELL_MAX];

	write_fact(out, "bench", host->bench_version);
	write_fact(out, "compiler", host->compiler);
	write_fact(out, "build type", host->build_type);
	write_fact(out, "libc", host->libc);
	write_fact(out, "agent, SHA-256", host->agent_sha256);
	if (host->agent_bytes > 0)
		write_fact(out, "agent, size", cell_bytes((double)host->agent_bytes, text, sizeof(text)));
	write_fact(out, "time limit of a start", cell_duration((double)plan->timeout_ns, text, sizeof(text)));
	if (plan->memory_bytes > 0)
		write_fact(out, "memory of an instance", cell_bytes((double)plan->memory_bytes, text, sizeof(text)));
	write_number(out, "CPUs of an instance", plan->vcpus);
	write_fact(out, "CPUs that measure", plan->cpuset_measure[0] ? plan->cpuset_measure : "not bound");
	write_fact(out, "CPUs for instances", plan->cpuset_instance[0] ? plan->cpuset_instance : "not bound");
}

static void write_environment(const struct result *result, FILE *out)
{
	char label[LABEL_MAX];

	fputs("<h2>Environment</h2>\n<dl class=\"facts\">\n", out);
	write_machine(&result->environment, out);
	write_programs(result, out);
	fputs("</dl>\n", out);
	for (size_t d = 0; d < result->n_drivers; d++) {
		const struct driver_info *info = &result->drivers[d].info;

		if (!info->n_pairs)
			continue;
		fputs("<h3>", out);
		escape_html(out, label_driver(&result->drivers[d], label, sizeof(label)));
		fputs("</h3>\n<dl class=\"facts\">\n", out);
		for (size_t i = 0; i < info->n_pairs && i < DRIVER_PAIRS_MAX; i++)
			write_fact(out, info->pairs[i].key, info->pairs[i].value);
		fputs("</dl>\n", out);
	}
}

static void write_method(FILE *out)
{
	static const char *const ladder[][2] = {
		{"T0 request", "the call that asks for an instance"},
		{"T1 launched", "the launcher or the machine monitor exists"},
		{"T2 sandbox", "namespaces, cgroup and root are ready; of a VM: its processors run"},
		{"T3 kernel", "first sign of the guest's kernel"},
		{"T4 init", "process 1 of the instance runs"},
		{"T5 main", "first instruction of the workload"},
		{"T6 ready", "first useful answer"},
		{"T7 gone", "stopped, and the host as before"},
	};

	fputs("<h2>Method, in short</h2>\n<p>Each block starts every driver once, in an order shuffled from the seed; the block is the "
	      "unit of inference. "
	      "Warm-up starts are kept apart. Intervals are 95 % block bootstrap; ratios are paired by block. Outliers are labelled and "
	      "never dropped, "
	      "a start that exceeds the time limit counts as longer than everything observed. All marks are on the host's monotonic clock; "
	      "a mark "
	      "that cannot be observed is absent, never guessed: without T3, “kernel boot” includes the firmware.</p>\n<dl "
	      "class=\"facts\">\n",
	      out);
	for (size_t i = 0; i < sizeof(ladder) / sizeof(ladder[0]); i++)
		write_fact(out, ladder[i][0], ladder[i][1]);
	fputs("</dl>\n", out);
}

static void write_limits(const struct result *result, const struct summary *summary, FILE *out)
{
	const struct environment *host = &result->environment;
	char text[LABEL_MAX], clean[LABEL_MAX];

	fputs("<h2>Limits</h2>\n<ul>\n<li>Ratios travel between machines, absolute times do not.</li>\n", out);
	if (label_guests(result, text, sizeof(text))) {
		fputs("<li>", out);
		escape_html_format(out, "%s. Results of different accelerators are not comparable.", text);
		fputs("</li>\n", out);
	}
	if (host->hypervisor[0] && strcmp(host->hypervisor, "none") != 0) {
		fputs("<li>", out);
		escape_html_format(out, "This host is itself virtual (%s): others on the same hardware disturb it unseen.",
				   label_clean(host->hypervisor, clean, sizeof(clean)));
		fputs("</li>\n", out);
	}
	if (!result->plan.cpuset_instance[0])
		fputs("<li>Instances were not bound to CPUs: the measuring process may have run beside them on the same one.</li>\n", out);
	fprintf(out, "<li>%zu of %zu blocks were disturbed from outside; %zu of them were run again.</li>\n", summary->tainted_blocks,
		result->n_blocks, summary->replaced_blocks);
	fputs("</ul>\n", out);
}

static void write_repeat(const struct result *result, FILE *out)
{
	size_t size = result->command_line ? 3 * strlen(result->command_line) + 1 : 1;
	_cleanup_free_ char *clean = calloc(1, size);

	fputs("<h2>Repeat it</h2>\n<p><code>", out);
	if (clean && result->command_line)
		escape_html(out, label_clean(result->command_line, clean, size));
	fprintf(out, "</code></p>\n<p>Seed: <code>%llu</code></p>\n</body>\n</html>\n", (unsigned long long)result->plan.seed);
}

static int write_page(const struct result *result, const struct summary *summary, const char *chart_dir, FILE *out, struct error *err)
{
	write_begin(result, out);
	write_drivers(result, out);
	int r = write_grids(result, summary, out, err);

	if (r == 0)
		r = write_charts(result, chart_dir, out, err);
	if (r < 0)
		return r;
	write_remarks(result, summary, out);
	write_environment(result, out);
	write_method(out);
	write_limits(result, summary, out);
	write_repeat(result, out);
	return 0;
}

int report_html(const struct result *result, const struct summary *summary, const char *chart_dir, const char *path, struct error *err)
{
	_cleanup_(text_locale_leave) struct text_locale locale = text_locale_enter();
	_cleanup_free_ char *page = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&page, &size);

	if (!out)
		return error_errno(err, "report");
	int r = write_page(result, summary, chart_dir, out, err);

	if (fclose(out) != 0 && r == 0)
		r = error_set(err, ENOMEM, "report: out of memory");
	return r < 0 ? error_prefix(err, "report") : file_write_atomic(path, page, size, 0644, err);
}
