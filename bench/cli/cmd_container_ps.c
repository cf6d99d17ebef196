/* bench container ps: containers, their states and what they use. */
#include "container_command.h"

#include <base/units.h>
#include <bench/cleanup.h>
#include <containers/usage.h>
#include <measure/run_dir.h>
#include <results/json_map.h>

#include <argp.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

struct ps_command {
	bool all, json;
	struct libscols_table *table;
	json_t *list;
};

static const struct argp_option option_table[] = {
	{"all", 'a', NULL, 0, "also those that ended (run --keep) or lost their monitor", 0},
	{"json", 'j', NULL, 0, "as JSON", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct ps_command *command = state->input;

	if (key == 'a')
		command->all = true;
	else if (key == 'j')
		command->json = true;
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.doc = "Lists containers.\v"
	       "States: created, running, paused, exited (with its status), dead (its monitor was killed: 'bench clean' removes what is "
	       "left).",
};

static const char *const heads[] = {"ID", "NAME", "IMAGE", "PID", "STATE", "UPTIME", "MEMORY", "CPU", "ADDRESS"};
enum { COLUMN_ID, COLUMN_NAME, COLUMN_IMAGE, COLUMN_PID, COLUMN_STATE, COLUMN_UPTIME, COLUMN_MEMORY, COLUMN_CPU, COLUMN_ADDRESS, COLUMNS };
_Static_assert(sizeof(heads) / sizeof(heads[0]) == COLUMNS, "one head a column");

/* One container as it is now. */
struct row {
	struct container_state state;
	char status[32];
	bool running;
	int64_t uptime_ns; /* -1: never started */
	struct cgroup_usage usage;
};

static void judge(struct row *row, bool held)
{
	const struct container_state *state = &row->state;
	int64_t until_ns = state->ended_ns ? state->ended_ns : state_now_ns();

	row->usage.memory_bytes = row->usage.cpu_ns = -1;
	row->running = held && state_is_running(state);
	row->uptime_ns = state->started_ns ? until_ns - state->started_ns : -1;
	if (state->status == STATE_EXITED)
		snprintf(row->status, sizeof(row->status), "exited %d", state->exit_status);
	else if (!held)
		strcpy(row->status, "dead");
	else if (!row->running)
		strcpy(row->status, state->status == STATE_CREATED ? "created" : "ending");
	else
		strcpy(row->status, state_is_paused(state) ? "paused" : "running");
	if (row->running)
		usage_read(state, &row->usage, NULL);
}

static void add_json(struct ps_command *command, const struct row *row)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "id", json_string(row->state.id));
	json_make_set(&make, "name", row->state.name[0] ? json_string(row->state.name) : json_null());
	json_make_set(&make, "image", json_text_new(row->state.image));
	json_make_set(&make, "pid", row->running ? json_integer(row->state.pid) : json_null());
	json_make_set(&make, "state", json_string(row->status));
	json_make_set(&make, "uptime_ns", row->uptime_ns < 0 ? json_null() : json_integer(row->uptime_ns));
	json_make_set(&make, "memory_bytes", row->usage.memory_bytes < 0 ? json_null() : json_integer(row->usage.memory_bytes));
	json_make_set(&make, "cpu_ns", row->usage.cpu_ns < 0 ? json_null() : json_integer(row->usage.cpu_ns));
	json_make_set(&make, "address", row->state.address[0] ? json_string(row->state.address) : json_null());
	json_array_append_new(command->list, json_make_end(&make));
}

static void set_text(struct libscols_line *line, size_t column, const char *text)
{
	scols_line_set_data(line, column, text && *text ? text : "-");
}

static void add_line(struct ps_command *command, const struct row *row)
{
	struct libscols_line *line = scols_table_new_line(command->table, NULL);
	char text[64];

	if (!line)
		return;
	set_text(line, COLUMN_ID, row->state.id);
	set_text(line, COLUMN_NAME, row->state.name);
	set_text(line, COLUMN_IMAGE, row->state.image);
	snprintf(text, sizeof(text), "%lld", (long long)row->state.pid);
	set_text(line, COLUMN_PID, row->running ? text : NULL);
	set_text(line, COLUMN_STATE, row->status);
	set_text(line, COLUMN_UPTIME, row->uptime_ns < 0 ? NULL : format_duration(row->uptime_ns, text, sizeof(text)));
	set_text(line, COLUMN_MEMORY, row->usage.memory_bytes < 0 ? NULL : format_bytes(row->usage.memory_bytes, text, sizeof(text)));
	set_text(line, COLUMN_CPU, row->usage.cpu_ns < 0 ? NULL : format_duration(row->usage.cpu_ns, text, sizeof(text)));
	set_text(line, COLUMN_ADDRESS, row->state.address);
}

/* A folder without state is one that is being made, or removed. */
static void visit(const char *path, const char *id, bool held, void *arg)
{
	struct ps_command *command = arg;
	struct row row = {0};

	if (state_read(path, &row.state, NULL) < 0) {
		if (held || !command->all)
			return;
		snprintf(row.state.id, sizeof(row.state.id), "%s", id);
	}
	judge(&row, held);
	if (row.running || command->all) {
		if (command->json)
			add_json(command, &row);
		else
			add_line(command, &row);
	}
	state_done(&row.state);
}

static void make_table(struct ps_command *command)
{
	command->table = scols_new_table();
	for (size_t i = 0; command->table && i < COLUMNS; i++)
		scols_table_new_column(command->table, heads[i], 0, i == COLUMN_IMAGE ? SCOLS_FL_TRUNC : 0);
}

/* The library prints nothing of a table without lines. */
static void print_heads(void)
{
	for (size_t i = 0; i < COLUMNS; i++)
		printf("%s%s", heads[i], i + 1 < COLUMNS ? " " : "\n");
}

static int print(const struct ps_command *command, struct error *err)
{
	if (!command->json && scols_table_get_nlines(command->table) == 0)
		print_heads();
	else if (!command->json)
		scols_print_table(command->table);
	else if (json_dumpf(command->list, stdout, JSON_INDENT(1)) == 0)
		putchar('\n');
	return fflush(stdout) != 0 || ferror(stdout) ? error_errno(err, "write to stdout") : 0;
}

int cmd_container_ps(int argc, char **argv)
{
	struct ps_command command = {0};
	struct error err = {0};
	char base[PATH_MAX];

	argp_parse(&argp, argc, argv, 0, NULL, &command);
	command.list = json_array();
	make_table(&command);
	int rc = !command.list || !command.table ? error_set(&err, ENOMEM, "out of memory") : run_dir_parent(base, sizeof(base), &err);
	if (rc == 0)
		rc = folder_each(base, visit, &command, &err);
	if (rc >= 0)
		rc = print(&command, &err);
	json_decref(command.list);
	scols_unref_table(command.table);
	return rc < 0 ? report_error(&err, EXIT_COULD_NOT_RUN) : EXIT_FINE;
}
