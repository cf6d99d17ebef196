/* bench run EXPERIMENT: measures, prints the table, writes result, charts and report. */
#include "command.h"
#include "out_dir.h"
#include "progress.h"

#include <bench/cleanup.h>
#include <bench/result.h>

#include <base/units.h>
#include <drivers/registry.h>
#include <experiments/anatomy.h>
#include <experiments/startup.h>
#include <measure/plan.h>
#include <measure/run.h>
#include <plots/charts.h>
#include <plots/report.h>
#include <plots/table.h>
#include <results/result_io.h>
#include <results/summary.h>

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_MAX = 100000, DEFAULT_N = 30, DEFAULT_WARMUP = 2, DEFAULT_TIMEOUT_S = 60, DEFAULT_MEMORY_MIB = 256, WISHES_MAX = 16 };

enum option_key {
	OPT_WARMUP = 256,
	OPT_SEED,
	OPT_TIMEOUT,
	OPT_JSON,
	OPT_CONNECT,
	OPT_KERNEL,
	OPT_MACHINE,
	OPT_VCPUS,
	OPT_AGENT,
	OPT_WITH,
	OPT_WITHOUT
};

static const struct argp_option option_table[] = {
	{"n", 'n', "COUNT", 0, "blocks that count; each starts every driver once (default 30)", 0},
	{"driver", 'd', "LIST", 0, "drivers with options, e.g. process,container,vm:machine=microvm (default: of the experiment)", 0},
	{"warmup", OPT_WARMUP, "COUNT", 0, "blocks before them, kept apart (default 2)", 0},
	{"seed", OPT_SEED, "NUMBER", 0, "seed of the order inside blocks and of the bootstrap (default: random, recorded)", 0},
	{"timeout", OPT_TIMEOUT, "TIME", 0, "a start that takes longer is a censored sample (default 60s)", 0},
	{"out", 'o', "DIR", 0, "folder for result, charts and report (default bench-results/EXPERIMENT-DATE-TIME)", 0},
	{"json", OPT_JSON, NULL, 0, "print the result as JSON instead of the table", 0},
	{"memory", 'm', "SIZE", 0, "memory of every instance that can be limited (default 256M)", 0},
	{"vcpus", OPT_VCPUS, "COUNT", 0, "CPUs of every instance that can be limited (default 1)", 0},
	{"connect", OPT_CONNECT, "URI", 0, "libvirt connection of the vm driver (default qemu:///embed: no daemon)", 1},
	{"kernel", OPT_KERNEL, "FILE", 0, "guest kernel (default: the host's, else a distribution kernel that is downloaded)", 1},
	{"machine", OPT_MACHINE, "TYPE", 0, "machine type of the guest (default: the kind's, else q35)", 1},
	{"without", OPT_WITHOUT, "FEATURE:OPTIONS", 0, "anatomy: a variant that lacks a feature, e.g. 'network namespace:net=host'", 2},
	{"with", OPT_WITH, "FEATURE:OPTIONS", 0, "anatomy: a variant that has a feature more", 2},
	{"agent", OPT_AGENT, "FILE", 0, "the static agent to run (default: the one beside this program)", 1},
	{0},
};

struct run_command {
	struct run_plan plan;
	const char *experiment, *out, *agent;
	bool json, drivers_given;
	struct driver_spec *drivers; /* RESULT_DRIVERS_MAX */
	size_t n_drivers;
	struct anatomy_wish wishes[WISHES_MAX];
	size_t n_wishes;
	const char *connect, *kernel, *memory, *machine;
	struct error err; /* of an option; code 0: fine */
	char command_line[4096];
	struct progress progress;
};

static void parse_count(struct run_command *command, const char *what, const char *text, int64_t min, int64_t max, uint32_t *ret)
{
	int64_t value;

	if (parse_integer(what, text, min, max, &value, &command->err) == 0)
		*ret = (uint32_t)value;
}

static void parse_drivers(struct run_command *command, const char *text)
{
	int rc = driver_parse_list(text, command->drivers, command->n_drivers, RESULT_DRIVERS_MAX - 1, &command->err);

	command->drivers_given = true;
	if (rc >= 0)
		command->n_drivers = (size_t)rc;
}

static void parse_scaled(struct run_command *command, const char *what, const char *text,
			 int (*parse)(const char *, int64_t *, struct error *), int64_t *ret)
{
	if (parse(text, ret, &command->err) < 0)
		error_prefix(&command->err, "%s", what);
	else if (*ret <= 0)
		error_set(&command->err, EINVAL, "%s '%s': expected more than nothing", what, text);
}

static void add_wish(struct run_command *command, enum variant_role role, const char *text)
{
	if (command->n_wishes == WISHES_MAX)
		error_set(&command->err, E2BIG, "more than %d of --with and --without", WISHES_MAX);
	else
		command->wishes[command->n_wishes++] = (struct anatomy_wish){role, text};
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct run_command *command = state->input;
	uint32_t number = 0;

	if (command->err.code)
		return 0; /* the first mistake is the one that is told */
	switch (key) {
	case 'n':
		parse_count(command, "--n", arg, 1, N_MAX, &command->plan.n);
		break;
	case OPT_WARMUP:
		parse_count(command, "--warmup", arg, 0, N_MAX, &command->plan.warmup);
		break;
	case OPT_SEED:
		parse_count(command, "--seed", arg, 1, UINT32_MAX, &number);
		command->plan.seed = number;
		break;
	case OPT_VCPUS:
		parse_count(command, "--vcpus", arg, 1, 512, &number);
		command->plan.vcpus = (int)number;
		break;
	case OPT_TIMEOUT:
		parse_scaled(command, "--timeout", arg, parse_duration_ns, &command->plan.timeout_ns);
		break;
	case 'm':
		parse_scaled(command, "--memory", arg, parse_bytes, &command->plan.memory_bytes);
		command->memory = arg;
		break;
	case 'd':
		parse_drivers(command, arg);
		break;
	case 'o':
		command->out = arg;
		break;
	case OPT_JSON:
		command->json = true;
		break;
	case OPT_CONNECT:
		command->connect = arg;
		break;
	case OPT_KERNEL:
		command->kernel = arg;
		break;
	case OPT_MACHINE:
		command->machine = arg;
		break;
	case OPT_WITH:
		add_wish(command, VARIANT_WITH, arg);
		break;
	case OPT_WITHOUT:
		add_wish(command, VARIANT_WITHOUT, arg);
		break;
	case OPT_AGENT:
		command->agent = arg;
		break;
	case ARGP_KEY_ARG:
		if (command->experiment)
			error_set(&command->err, EINVAL, "one experiment at a time; what is '%s'?", arg);
		command->experiment = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Appends the drivers with their options, from the tables they are parsed by. */
static char *help_filter(int key, const char *text, void *input)
{
	char *whole = NULL;
	size_t size;
	FILE *out = key == ARGP_KEY_HELP_POST_DOC && text ? open_memstream(&whole, &size) : NULL;

	if (!out)
		return (char *)text;
	fprintf(out, "%s\n\nDrivers, and their options (DRIVER:OPTION=VALUE,OPTION=VALUE; every driver has label=NAME):\n", text);
	for (size_t i = 0; driver_registry[i]; i++) {
		fprintf(out, "  %-10s %s\n", driver_registry[i]->name, driver_registry[i]->summary);
		for (const struct driver_option *option = driver_registry[i]->options; option && option->name; option++)
			fprintf(out, "    %s=%s: %s\n", option->name, option->argument, option->help);
	}
	return fclose(out) == 0 ? whole : (char *)text;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "EXPERIMENT",
	.doc = "Runs an experiment in randomised blocks and writes result.json, charts and report.html.\v"
	       "Experiments:\n"
	       "  startup   how long from the request to the first useful answer, and to the end after a stop\n"
	       "            (default drivers: process,container,vm)\n"
	       "  anatomy   where the time of a start goes, step by step, and what each feature of the first driver really costs:\n"
	       "            the whole against variants that lack one feature (default drivers: container,process)\n\n"
	       "Examples:\n"
	       "  bench run startup --n 100\n"
	       "  bench run startup -d process,container -n 1000 --seed 7 --out /tmp/result\n"
	       "  bench run startup -d vm,vm:machine=microvm,label=microvm -n 20\n"
	       "  bench run startup -d container,command:label=bwrap,argv='bwrap --unshare-all --ro-bind {agent} /agent /agent'\n"
	       "  bench run anatomy --n 50\n"
	       "  bench run anatomy --n 200 -d container:seccomp=off,process --without 'all "
	       "namespaces:net=host,pid=host,ipc=host,uts=host'\n\n"
	       "Ctrl-C ends the run and keeps what was measured (exit status 130). 'bench doctor' says which drivers can run here.",
	.help_filter = help_filter,
};

/* What can be measured. */
static int run_startup(const struct run_command *command, const struct experiment_options *options,
		       const struct experiment_observer *observer, struct result *ret, struct error *err)
{
	return startup_run(options, observer, ret, err);
}

static int run_anatomy(const struct run_command *command, const struct experiment_options *options,
		       const struct experiment_observer *observer, struct result *ret, struct error *err)
{
	return anatomy_run(options, command->wishes, command->n_wishes, observer, ret, err);
}

static const struct experiment_entry {
	const char *name, *drivers; /* when nobody asks for any */
	bool has_variants;
	int (*run)(const struct run_command *command, const struct experiment_options *options, const struct experiment_observer *observer,
		   struct result *ret, struct error *err);
} experiments[] = {{"startup", "process,container,vm", false, run_startup}, {"anatomy", "container,process", true, run_anatomy}};

/* NULL, with the reason in command->err, when there is none of that name. */
static const struct experiment_entry *find_experiment(struct run_command *command)
{
	char known[128] = "";

	for (size_t i = 0; i < sizeof(experiments) / sizeof(experiments[0]); i++) {
		size_t used = strlen(known);

		if (command->experiment && strcmp(command->experiment, experiments[i].name) == 0)
			return &experiments[i];
		snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", experiments[i].name);
	}
	if (command->experiment) {
		error_set(&command->err, EINVAL, "unknown experiment '%s'", command->experiment);
		error_hint(&command->err, "experiments: %s", known);
	} else {
		error_set(&command->err, EINVAL, "which experiment?");
		error_hint(&command->err, "bench run startup --n 100");
	}
	return NULL;
}

static int finish_drivers(struct run_command *command, const char *fallback, struct error *err)
{
	const char *const flags[][2] = {
		{"connect", command->connect}, {"kernel", command->kernel}, {"memory", command->memory}, {"machine", command->machine}};
	int rc = 0;

	if (!command->drivers_given) {
		rc = driver_parse_list(fallback, command->drivers, 0, RESULT_DRIVERS_MAX - 1, err);
		command->n_drivers = rc > 0 ? (size_t)rc : 0;
	}
	for (size_t i = 0; i < command->n_drivers; i++)
		for (size_t j = 0; j < sizeof(flags) / sizeof(flags[0]) && rc >= 0; j++)
			if (flags[j][1])
				rc = driver_spec_default(&command->drivers[i], flags[j][0], flags[j][1], err);
	return rc < 0 ? rc : 0;
}

static void keep_command_line(struct run_command *command, int argc, char **argv)
{
	size_t used = 0;

	for (int i = 0; i < argc && used < sizeof(command->command_line); i++) {
		bool plain = i == 0 || (argv[i][0] && !strpbrk(argv[i], " \t\n'\"\\$`;&|<>()*?[]{}~#!"));

		used += (size_t)snprintf(command->command_line + used, sizeof(command->command_line) - used, plain ? "%s%s" : "%s'%s'",
					 i ? " " : "", argv[i]);
	}
}

static void on_note(void *arg, const char *label, const char *text)
{
	progress_note(arg, label, text);
}

static void on_progress(void *arg, const char *label, uint32_t done, uint32_t total)
{
	progress_step(arg, label, done, total);
}

/* Result first, then what can be made again from it. */
static int write_all(const struct run_command *command, const struct out_dir *out, const struct result *result, struct error *err)
{
	struct summary summary;
	struct error chart_error = {0};
	int rc = result_write(result, out->result, err);

	if (rc < 0) {
		error_hint(err, "the samples are safe in %s: 'bench show' reads it", out->journal);
		return rc;
	}
	unlink(out->journal);
	rc = summary_make(result, &summary, err);
	if (rc < 0)
		return rc;
	if (command->json) {
		_cleanup_free_ char *text = result_to_text(result, err);

		if (text && (fputs(text, stdout) < 0 || fflush(stdout) != 0))
			error_errno(err, "write to stdout");
		rc = -err->code;
	} else {
		rc = table_result(result, &summary, stdout, wants_colour(), err);
	}
	if (rc == 0 && charts_result(result, &summary, out->path, &chart_error) < 0) {
		report_error(&chart_error, 0);
		fprintf(stderr, "  the result itself is complete: %s\n", out->result);
	}
	if (rc == 0)
		rc = report_html(result, &summary, out->path, out->report, err);
	if (rc == 0)
		fprintf(stderr, "\nresult  %s\nreport  %s\n", out->result, out->report);
	summary_free(&summary);
	return rc;
}

static bool counts_as_figure(const struct result *result, const struct sample *sample)
{
	return sample->status != SAMPLE_FAILED && strcmp(result->drivers[sample->driver].spec.name, "null") != 0;
}

/* Did anything but the harness's own floor start, or take too long to? */
static bool has_figures(const struct result *result)
{
	for (size_t i = 0; i < result->n_samples; i++)
		if (counts_as_figure(result, &result->samples[i]))
			return true;
	return false;
}

/* A driver of a complete run of which not one start was in time; `ret_reason` is its last sample's. NULL: none. */
static const char *never_ready(const struct result *result, const char **ret_reason)
{
	for (uint32_t d = 0; d < result->n_drivers; d++) {
		bool was_ready = false, was_dropped = false;

		for (size_t i = 0; i < result->n_left_out; i++)
			was_dropped |= strcmp(result->left_out[i].label, result->drivers[d].spec.label) == 0;
		for (size_t i = 0; i < result->n_samples; i++) {
			was_ready |= result->samples[i].driver == d && result->samples[i].status == SAMPLE_OK;
			if (result->samples[i].driver == d)
				*ret_reason = result->samples[i].reason;
		}
		if (!was_ready && !was_dropped)
			return result->drivers[d].spec.label;
	}
	return NULL;
}

/* The exit status, after telling what went wrong. */
static int conclude(const struct result *result, int rc, struct error *err, int write_rc, const struct error *write_error)
{
	const char *reason = "", *label = rc == 0 ? never_ready(result, &reason) : NULL;

	if (label)
		rc = error_set(err, ETIMEDOUT, "%s: %s", label, reason);
	if (rc < 0 && rc != -EINTR)
		report_error(err, 0);
	if (write_rc < 0)
		report_error(write_error, 0);
	if (rc == -EINTR || run_was_interrupted())
		return EXIT_INTERRUPTED;
	return rc < 0 || write_rc < 0 ? EXIT_COULD_NOT_RUN : EXIT_FINE;
}

static int run_experiment(struct run_command *command, const struct experiment_entry *experiment)
{
	struct out_dir out;
	char agent[PATH_MAX];
	struct result result = {0};
	struct error err = {0}, write_error = {0};

	if (find_agent(command->agent, agent, sizeof(agent), &err) < 0 || out_dir_open(command->out, experiment->name, &out, &err) < 0)
		return report_error(&err, EXIT_COULD_NOT_RUN);
	struct experiment_options options = {
		.plan = command->plan,
		.drivers = command->drivers,
		.n_drivers = command->n_drivers,
		.may_leave_out = !command->drivers_given,
		.agent_path = agent,
		.journal_path = out.journal,
		.command_line = command->command_line,
	};
	struct experiment_observer observer = {&command->progress, on_note, on_progress};
	progress_init(&command->progress, false);
	int rc = experiment->run(command, &options, &observer, &result, &err);
	progress_end(&command->progress);
	bool worth_keeping = has_figures(&result);
	int write_rc = worth_keeping ? write_all(command, &out, &result, &write_error) : 0;
	out_dir_close(&out, !worth_keeping);
	int status = conclude(&result, rc, &err, write_rc, &write_error);
	result_free(&result);
	return status;
}

int cmd_run(int argc, char **argv)
{
	_cleanup_free_ struct run_command *command = calloc(1, sizeof(*command));
	_cleanup_free_ struct driver_spec *drivers = calloc(RESULT_DRIVERS_MAX, sizeof(*drivers));

	if (!command || !drivers)
		return EXIT_COULD_NOT_RUN;
	command->drivers = drivers;
	command->plan = (struct run_plan){.n = DEFAULT_N,
					  .warmup = DEFAULT_WARMUP,
					  .timeout_ns = DEFAULT_TIMEOUT_S * INT64_C(1000000000),
					  .memory_bytes = DEFAULT_MEMORY_MIB * INT64_C(1048576),
					  .vcpus = 1};
	keep_command_line(command, argc, argv);
	argp_parse(&argp, argc, argv, 0, NULL, command);
	const struct experiment_entry *experiment = command->err.code ? NULL : find_experiment(command);
	if (experiment && command->n_wishes && !experiment->has_variants)
		error_set(&command->err, EINVAL, "%s has no variants: --with and --without belong to anatomy", experiment->name);
	if (!command->err.code)
		finish_drivers(command, experiment->drivers, &command->err);
	if (command->err.code)
		return report_error(&command->err, EXIT_USAGE);
	if (command->plan.seed == 0)
		command->plan.seed = plan_random_seed();
	return run_experiment(command, experiment);
}
