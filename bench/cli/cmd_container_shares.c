/* bench container shares: a hierarchy of groups, who gets which part of a CPU, declared and measured. */
#include "container_command.h"
#include "progress.h"

#include <base/units.h>
#include <bench/cleanup.h>
#include <containers/shares.h>
#include <measure/run_dir.h>
#include <results/json_map.h>

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

enum { IDLE_MAX = CGROUP_NODES_MAX, CPU_MAX = 8191, BAR_CELLS = 40, PATH_TEXT_MAX = CGROUP_PATH_MAX * 2 };
#define POINTS_DEFAULT 3.0
#define SECONDS_MIN_NS (INT64_C(300) * 1000000)
#define SECONDS_MAX_NS (INT64_C(3600) * 1000000000)

struct shares_command {
	const char *file;
	const char *idle[IDLE_MAX]; /* as written */
	size_t n_idle;
	int cpu; /* -1: chosen */
	double points;
	bool json, checks;
	const char *agent;
	struct shares_options options;
	struct progress progress;
	struct error err; /* of an option; code 0: fine */
};

enum option_key { OPT_SECONDS = 256, OPT_CPU, OPT_CHECK, OPT_IDLE, OPT_AGENT };

static const struct argp_option option_table[] = {
	{"seconds", OPT_SECONDS, "TIME", 0, "how long to measure (default 3)", 0},
	{"cpu", OPT_CPU, "N", 0, "the CPU that all share (default: the last one)", 0},
	{"idle", OPT_IDLE, "GROUP", 0, "the containers of this group do nothing, e.g. Faculty/Web; may be repeated", 0},
	{"check", OPT_CHECK, "POINTS", OPTION_ARG_OPTIONAL, "exit status 1 when a group is off by more than this many points (3)", 0},
	{"json", 'j', NULL, 0, "as JSON", 0},
	{"quiet", 'q', NULL, 0, "no progress", 0},
	{"agent", OPT_AGENT, "FILE", 0, "the program that spins (default: bench-agent beside bench)", 0},
	{0},
};

/* ---- options ---- */

static void set_seconds(struct shares_command *command, const char *arg)
{
	if (parse_duration_ns(arg, &command->options.duration_ns, &command->err) < 0)
		error_prefix(&command->err, "--seconds");
	else if (command->options.duration_ns < SECONDS_MIN_NS || command->options.duration_ns > SECONDS_MAX_NS)
		error_set(&command->err, EINVAL, "--seconds: '%.40s': expected 0.3 to 3600", arg);
}

static void set_cpu(struct shares_command *command, const char *arg)
{
	int64_t cpu;

	if (parse_integer("CPU", arg, 0, CPU_MAX, &cpu, &command->err) < 0)
		error_prefix(&command->err, "--cpu");
	else
		command->cpu = (int)cpu;
}

static void set_check(struct shares_command *command, const char *arg)
{
	char *end = NULL;

	command->checks = true;
	if (!arg)
		return;
	command->points = strtod(arg, &end);
	if (end == arg || *end || strspn(arg, "0123456789.") != strlen(arg) || command->points > 100)
		error_set(&command->err, EINVAL, "--check: '%.40s': expected points from 0 to 100, e.g. --check=2.5", arg);
}

static void add_idle(struct shares_command *command, const char *arg)
{
	if (command->n_idle < IDLE_MAX)
		command->idle[command->n_idle++] = arg;
}

static void set_file(struct shares_command *command, const char *arg)
{
	if (!command->file) {
		command->file = arg;
		return;
	}
	error_set(&command->err, EINVAL, "one file at a time; what is '%.100s'?", arg);
	error_hint(&command->err, "points are written with an equals sign: --check=2");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct shares_command *command = state->input;

	if (command->err.code) /* the first mistake is the one that is told */
		return 0;
	switch (key) {
	case OPT_SECONDS:
		set_seconds(command, arg);
		return 0;
	case OPT_CPU:
		set_cpu(command, arg);
		return 0;
	case OPT_CHECK:
		set_check(command, arg);
		return 0;
	case OPT_IDLE:
		add_idle(command, arg);
		return 0;
	case OPT_AGENT:
		command->agent = arg;
		return 0;
	case 'j':
		command->json = true;
		return 0;
	case 'q':
		command->progress.is_quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		set_file(command, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "FILE",
	.doc = "Makes the control groups that FILE declares, starts a container in each group that has none inside, lets all of them spin "
	       "on one "
	       "CPU, and shows what each group got of it, by its own counters. FILE is JSON; docs/limits.md has its keys.\v"
	       "DECLARED is percent of the group above, EXPECTED and MEASURED percent of what all groups had together, RANGE the least and "
	       "the "
	       "most of three windows. What an idle group does not use goes to the others: first to its siblings.\n\n"
	       "Examples:\n"
	       "  bench container shares docs/examples/faculty.json\n"
	       "  bench container shares faculty.json --idle Students --seconds 10 --check=2",
};

/* ---- output ---- */

static double difference(const struct shares_part *part)
{
	return part->measured - part->expected;
}

static void print_bar(const struct shares_part *part)
{
	int full = (int)(part->measured * BAR_CELLS / 100 + 0.5), wanted = (int)(part->expected * BAR_CELLS / 100 + 0.5);

	for (int i = 0; i < full || i < wanted; i++)
		fputs(i < full ? "█" : "░", stdout);
	putchar('\n');
}

static void print_row(const char *title, int width, double declared, const struct shares_part *part)
{
	char range[32], text[16];
	double off = difference(part);

	snprintf(range, sizeof(range), "%.1f-%.1f %%", part->least, part->most);
	snprintf(text, sizeof(text), "%.4g %%", declared);
	/* No "-0.0": it would ask for a meaning. */
	printf("%-*s  %8s  %6.1f %%  %6.1f %%  %13s  %+10.1f  ", width, title, text, part->expected, part->measured, range,
	       fabs(off) < 0.05 ? 0.0 : off);
	print_bar(part);
}

static const char *title_of(const struct cgroup_hierarchy *hierarchy, const struct shares *shares, size_t node, char *ret, size_t size)
{
	cgroup_hierarchy_path(hierarchy, node, ret, size);
	if (shares->parts[node].idle)
		snprintf(ret + strlen(ret), size - strlen(ret), " (idle)");
	return ret;
}

static void print_table(const struct shares_command *command, const struct cgroup_hierarchy *hierarchy, const struct shares *shares)
{
	char title[PATH_TEXT_MAX];
	int width = (int)strlen("GROUP");

	for (size_t i = 0; i < hierarchy->n_nodes; i++) {
		int length = (int)strlen(title_of(hierarchy, shares, i, title, sizeof(title)));

		width = length > width ? length : width;
	}
	printf("%-*s  %8s  %8s  %8s  %13s  %10s\n", width, "GROUP", "DECLARED", "EXPECTED", "MEASURED", "RANGE", "DIFFERENCE");
	for (size_t i = 0; i < hierarchy->n_nodes; i++)
		print_row(title_of(hierarchy, shares, i, title, sizeof(title)), width, hierarchy->nodes[i].cpu_share, &shares->parts[i]);
	printf("in %.2f s these groups had %.1f %% of CPU %d (cgroups: %s)\n", (double)shares->duration_ns / 1e9, 100 * shares->cpu_used,
	       command->options.cpu, cgroup_mode_names[shares->mode]);
}

static json_t *part_json(const struct cgroup_hierarchy *hierarchy, size_t node, const struct shares_part *part)
{
	struct json_make make = json_make_begin();
	char path[PATH_TEXT_MAX];

	json_make_set(&make, "group", json_string(cgroup_hierarchy_path(hierarchy, node, path, sizeof(path))));
	json_make_set(&make, "leaf", json_boolean(hierarchy->nodes[node].n_children == 0));
	json_make_set(&make, "idle", json_boolean(part->idle));
	json_make_set(&make, "declared_percent", json_real(hierarchy->nodes[node].cpu_share));
	json_make_set(&make, "expected_percent", json_real(part->expected));
	json_make_set(&make, "measured_percent", json_real(part->measured));
	json_make_set(&make, "least_percent", json_real(part->least));
	json_make_set(&make, "most_percent", json_real(part->most));
	json_make_set(&make, "difference_points", json_real(difference(part)));
	json_make_set(&make, "cpu_ns", json_integer(part->cpu_ns));
	return json_make_end(&make);
}

static int print_json(const struct shares_command *command, const struct cgroup_hierarchy *hierarchy, const struct shares *shares,
		      struct error *err)
{
	struct json_make make = json_make_begin();
	json_t *list = json_array();

	for (size_t i = 0; list && i < hierarchy->n_nodes; i++)
		json_array_append_new(list, part_json(hierarchy, i, &shares->parts[i]));
	json_make_set(&make, "file", json_text_new(command->file));
	json_make_set(&make, "cgroups", json_string(cgroup_mode_names[shares->mode]));
	json_make_set(&make, "cpu", json_integer(command->options.cpu));
	json_make_set(&make, "duration_ns", json_integer(shares->duration_ns));
	json_make_set(&make, "windows", json_integer(SHARES_WINDOWS));
	json_make_set(&make, "cpu_used_percent", json_real(100 * shares->cpu_used));
	json_make_set(&make, "groups", list);
	json_t *object = json_make_end(&make);
	if (!object)
		return error_set(err, ENOMEM, "out of memory");
	json_dumpf(object, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(object);
	return 0;
}

/* ---- running ---- */

static void show_progress(const char *phase, int64_t done_ns, int64_t total_ns, void *arg)
{
	progress_time(arg, "shares", phase, done_ns, total_ns);
}

static int mark_idle(struct shares_command *command, const struct cgroup_hierarchy *hierarchy, struct error *err)
{
	char path[PATH_TEXT_MAX];

	for (size_t i = 0; i < command->n_idle; i++) {
		int node = cgroup_hierarchy_find(hierarchy, command->idle[i]);

		if (node < 0) {
			error_set(err, EINVAL, "--idle: %.100s declares no group '%.100s'", command->file, command->idle[i]);
			return error_hint(err, "give its path, e.g. %.160s",
					  cgroup_hierarchy_path(hierarchy, hierarchy->n_nodes - 1, path, sizeof(path)));
		}
		command->options.idle[node] = true;
	}
	return 0;
}

/* Signals that ask for the end are read from a descriptor: all is undone, wherever one comes. They stay blocked; nothing follows but the exit. */
static int take_signals(struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? error_errno(err, "signalfd") : fd;
}

static int measure(struct shares_command *command, const struct cgroup_hierarchy *hierarchy, struct shares *ret, struct error *err)
{
	char base[PATH_MAX], agent[PATH_MAX];
	int rc = run_dir_parent(base, sizeof(base), err);

	if (rc == 0)
		rc = find_agent(command->agent, agent, sizeof(agent), err);
	if (rc < 0)
		return rc;
	_cleanup_close_ int signals = take_signals(err);
	if (signals < 0)
		return signals;
	progress_init(&command->progress, command->progress.is_quiet);
	command->options.base = base;
	command->options.agent_path = agent;
	command->options.stop_fd = signals;
	command->options.tell = show_progress;
	command->options.arg = &command->progress;
	rc = shares_measure(hierarchy, &command->options, ret, err);
	progress_end(&command->progress);
	return rc;
}

static int check(const struct shares_command *command, const struct cgroup_hierarchy *hierarchy, const struct shares *shares)
{
	char path[PATH_TEXT_MAX];
	struct error err = {0};
	double points;
	size_t worst = shares_worst(hierarchy, shares, &points);

	if (!command->checks || points <= command->points)
		return EXIT_FINE;
	error_set(&err, ERANGE, "group %.160s is off by %.1f points (allowed: %g)",
		  cgroup_hierarchy_path(hierarchy, worst, path, sizeof(path)), points, command->points);
	if (shares->cpu_used < 0.9)
		error_hint(&err, "others were busy on CPU %d: measure for longer, or elsewhere with --cpu", command->options.cpu);
	return report_error(&err, EXIT_FINDING);
}

static int run(struct shares_command *command, const struct cgroup_hierarchy *hierarchy)
{
	struct error err = {0};
	struct shares shares;

	if (mark_idle(command, hierarchy, &err) < 0 || shares_cpu(command->cpu, &command->options.cpu, &err) < 0 ||
	    shares_check(hierarchy, &command->options, &err) < 0)
		return report_error(&err, EXIT_USAGE);
	int rc = measure(command, hierarchy, &shares, &err);
	if (rc < 0)
		return report_error(&err, rc == -EINTR ? EXIT_INTERRUPTED : EXIT_COULD_NOT_RUN);
	if (!command->json)
		print_table(command, hierarchy, &shares);
	else if (print_json(command, hierarchy, &shares, &err) < 0)
		return report_error(&err, EXIT_COULD_NOT_RUN);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		error_errno(&err, "write to stdout");
		return report_error(&err, EXIT_COULD_NOT_RUN);
	}
	return check(command, hierarchy, &shares);
}

int cmd_container_shares(int argc, char **argv)
{
	struct shares_command command = {
		.cpu = -1, .points = POINTS_DEFAULT, .options = {.duration_ns = INT64_C(3000000000), .stop_fd = -1}};
	struct cgroup_hierarchy hierarchy;

	argp_parse(&argp, argc, argv, 0, NULL, &command);
	if (!command.err.code && !command.file) {
		error_set(&command.err, EINVAL, "which file declares the groups?");
		error_hint(&command.err, "docs/examples/faculty.json is one");
	}
	if (command.err.code)
		return report_error(&command.err, EXIT_USAGE);
	if (cgroup_hierarchy_read(command.file, &hierarchy, &command.err) < 0)
		return report_error(&command.err, EXIT_COULD_NOT_RUN);
	int status = run(&command, &hierarchy);
	cgroup_hierarchy_free(&hierarchy);
	return status;
}
