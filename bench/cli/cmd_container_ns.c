/* bench container ns: the namespaces of a process, or all that there are. */
#include "container_command.h"

#include <base/units.h>
#include <results/json_map.h>
#include <runtime/namespaces.h>

#include <argp.h>
#include <errno.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ns_command {
	const char *word; /* process or container; NULL: all namespaces */
	bool json;
};

static const struct argp_option option_table[] = {{"json", 'j', NULL, 0, "as JSON", 0}, {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct ns_command *command = state->input;

	if (key == 'j')
		command->json = true;
	else if (key == ARGP_KEY_ARG && !command->word)
		command->word = arg;
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "[PID|CONTAINER]",
	.doc = "Shows the namespaces of a process, as 'ls -l /proc/PID/ns' does, with who shares each, and how its users are mapped. "
	       "Without "
	       "argument: all namespaces that can be seen.\v"
	       "Without privilege those of other users' processes cannot be seen; how many are missing is said.",
};

/* A number is a process, unless a container is called so; anything else a container. */
static int find_process(const char *word, pid_t *ret, struct error *err)
{
	struct container_found found;
	struct error other = {0};
	int64_t pid;

	if (container_find_running(word, &found, err) == 0) {
		*ret = (pid_t)found.state.pid;
		state_done(&found.state);
		return 0;
	}
	if (strlen(word) < FOLDER_ID_HEX && parse_integer("process", word, 1, INT32_MAX, &pid, &other) == 0) {
		*ret = (pid_t)pid;
		return 0;
	}
	return err ? -err->code : -ENOENT;
}

/* ---- a table of any columns ---- */

static struct libscols_table *table_new(const char *const *heads)
{
	struct libscols_table *table = scols_new_table();

	for (; table && *heads; heads++)
		scols_table_new_column(table, *heads, 0,
				       strcmp(*heads, "INODE") == 0 || strcmp(*heads, "PROCESSES") == 0 ? SCOLS_FL_RIGHT : 0);
	return table;
}

static void set_number(struct libscols_line *line, size_t column, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	scols_line_set_data(line, column, value ? text : "-");
}

static void add_use(struct libscols_table *table, const char *kind, uint64_t inode, const char *ours, const struct namespace_use *use)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);

	if (!line)
		return;
	scols_line_set_data(line, 0, kind);
	set_number(line, 1, inode);
	scols_line_set_data(line, 2, ours);
	set_number(line, 3, use ? use->n_processes : 0);
	set_number(line, 4, use ? (uint64_t)use->first : 0);
	scols_line_set_data(line, 5, use && use->command[0] ? use->command : "-");
}

static const char *const heads[] = {"NAMESPACE", "INODE", "OURS", "PROCESSES", "FIRST", "COMMAND", NULL};

static void tell_hidden(const struct namespace_table *table)
{
	if (table->n_hidden)
		printf("%zu of %zu processes do not show all their namespaces to us%s\n", table->n_hidden, table->n_processes,
		       geteuid() == 0 ? "" : "; to root they do");
}

/* ---- one process ---- */

static void print_maps(const char *what, const struct namespace_map *maps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (maps[i].inside == 0 && maps[i].outside == 0 && maps[i].count == UINT32_MAX)
			printf("%s  all ids are those outside\n", what);
		else
			printf("%s  %u … %u inside are %u … %u outside\n", what, maps[i].inside, maps[i].inside + maps[i].count - 1,
			       maps[i].outside, maps[i].outside + maps[i].count - 1);
	}
	if (n == 0)
		printf("%s  none: nobody outside is anybody inside\n", what);
}

static int print_process(const struct namespaces *process, const struct namespaces *own, const struct namespace_table *all,
			 struct error *err)
{
	struct libscols_table *table = table_new(heads);

	if (!table)
		return error_set(err, ENOMEM, "out of memory");
	for (int kind = 0; kind < NAMESPACE_KIND_COUNT; kind++) {
		uint64_t inode = process->inodes[kind];
		enum namespace_kind of = kind == NAMESPACE_PID_CHILDREN    ? NAMESPACE_PID
					 : kind == NAMESPACE_TIME_CHILDREN ? NAMESPACE_TIME
									   : (enum namespace_kind)kind;

		add_use(table, namespace_kind_names[kind], inode,
			!inode                     ? "?"
			: inode == own->inodes[of] ? "yes"
						   : "no",
			inode ? namespace_table_find(all, of, inode) : NULL);
	}
	printf("process %d (%s)\n", (int)process->pid, process->command);
	scols_print_table(table);
	scols_unref_table(table);
	print_maps("users ", process->uids, process->n_uids);
	print_maps("groups", process->gids, process->n_gids);
	if (process->hidden)
		printf("not all of its namespaces may be seen by us%s\n", geteuid() == 0 ? "" : "; as root they can be");
	else
		tell_hidden(all);
	return 0;
}

static json_t *maps_json(const struct namespace_map *maps, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		struct json_make make = json_make_begin();

		json_make_set(&make, "inside", json_integer(maps[i].inside));
		json_make_set(&make, "outside", json_integer(maps[i].outside));
		json_make_set(&make, "count", json_integer(maps[i].count));
		json_array_append_new(list, json_make_end(&make));
	}
	return list;
}

static json_t *use_json(const char *kind, uint64_t inode, const struct namespace_use *use)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "kind", json_string(kind));
	json_make_set(&make, "inode", inode ? json_integer((json_int_t)inode) : json_null());
	json_make_set(&make, "processes", use ? json_integer((json_int_t)use->n_processes) : json_null());
	json_make_set(&make, "first", use ? json_integer(use->first) : json_null());
	json_make_set(&make, "command", use ? json_text_new(use->command) : json_null());
	return json_make_end(&make);
}

static json_t *process_json(const struct namespaces *process, const struct namespace_table *all)
{
	struct json_make make = json_make_begin();
	json_t *list = json_array();

	for (int kind = 0; kind < NAMESPACE_KIND_COUNT; kind++)
		json_array_append_new(list, use_json(namespace_kind_names[kind], process->inodes[kind],
						     namespace_table_find(all, (enum namespace_kind)kind, process->inodes[kind])));
	json_make_set(&make, "pid", json_integer(process->pid));
	json_make_set(&make, "command", json_text_new(process->command));
	json_make_set(&make, "hidden", json_boolean(process->hidden));
	json_make_set(&make, "namespaces", list);
	json_make_set(&make, "users", maps_json(process->uids, process->n_uids));
	json_make_set(&make, "groups", maps_json(process->gids, process->n_gids));
	return json_make_end(&make);
}

/* ---- all ---- */

static int print_all(const struct namespaces *own, const struct namespace_table *all, struct error *err)
{
	struct libscols_table *table = table_new(heads);

	if (!table)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < all->n_uses; i++) {
		const struct namespace_use *use = &all->uses[i];

		add_use(table, namespace_kind_names[use->kind], use->inode, use->inode == own->inodes[use->kind] ? "yes" : "no", use);
	}
	scols_print_table(table);
	scols_unref_table(table);
	tell_hidden(all);
	return 0;
}

static json_t *all_json(const struct namespace_table *all)
{
	struct json_make make = json_make_begin();
	json_t *list = json_array();

	for (size_t i = 0; i < all->n_uses; i++)
		json_array_append_new(list, use_json(namespace_kind_names[all->uses[i].kind], all->uses[i].inode, &all->uses[i]));
	json_make_set(&make, "processes", json_integer((json_int_t)all->n_processes));
	json_make_set(&make, "hidden_processes", json_integer((json_int_t)all->n_hidden));
	json_make_set(&make, "namespaces", list);
	return json_make_end(&make);
}

static int print_json(json_t *object, struct error *err)
{
	if (!object)
		return error_set(err, ENOMEM, "out of memory");
	json_dumpf(object, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(object);
	return 0;
}

static int show(const struct ns_command *command, const struct namespace_table *all, struct error *err)
{
	struct namespaces process, own;
	pid_t pid = 0;
	int rc = namespaces_read("", getpid(), &own, err);

	if (rc < 0)
		return rc;
	if (!command->word)
		return command->json ? print_json(all_json(all), err) : print_all(&own, all, err);
	rc = find_process(command->word, &pid, err);
	if (rc == 0)
		rc = namespaces_read("", pid, &process, err);
	if (rc < 0)
		return rc;
	return command->json ? print_json(process_json(&process, all), err) : print_process(&process, &own, all, err);
}

int cmd_container_ns(int argc, char **argv)
{
	struct namespace_table all;
	struct ns_command command = {0};
	struct error err = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &command);
	int rc = namespace_table_read("", &all, &err);
	if (rc == 0) {
		rc = show(&command, &all, &err);
		namespace_table_done(&all);
	}
	if (rc == 0 && fflush(stdout) != 0)
		rc = error_errno(&err, "write to stdout");
	return rc < 0 ? report_error(&err, EXIT_COULD_NOT_RUN) : EXIT_FINE;
}
