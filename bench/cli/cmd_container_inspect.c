/* bench container inspect: all that is known about one container, as JSON. */
#include "container_command.h"

#include <bench/cleanup.h>
#include <containers/log_file.h>
#include <containers/usage.h>
#include <results/json_map.h>
#include <runtime/namespaces.h>

#include <argp.h>
#include <errno.h>
#include <stdio.h>

struct inspect_command {
	struct container_words words;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct inspect_command *command = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (command->words.n > 0)
		argp_error(state, "one container at a time; what is '%s'?", arg);
	command->words = (struct container_words){state->argv + state->next - 1, 1};
	return 0;
}

static const struct argp argp = {
	.parser = parse_option,
	.args_doc = "CONTAINER",
	.doc = "Prints all about one container as JSON: what was asked for, what was made, its namespaces, and what it uses now.",
};

/* {"mnt": 4026532111, …}; null where it may not be seen. */
static json_t *namespaces_json(const struct container_state *state)
{
	struct json_make make = json_make_begin();
	struct namespaces found = {0};

	namespaces_read("", (pid_t)state->pid, &found, NULL);
	for (int kind = 0; kind < NAMESPACE_KIND_COUNT; kind++)
		json_make_set(&make, namespace_kind_names[kind],
			      found.inodes[kind] ? json_integer((json_int_t)found.inodes[kind]) : json_null());
	return json_make_end(&make);
}

/* Processes of its group, as the host numbers them. */
static json_t *processes_json(const struct container_state *state)
{
	json_t *list = json_array();
	char path[PATH_MAX], line[32];

	if (state->cgroup_dirs.n == 0) {
		json_array_append_new(list, json_integer(state->pid));
		return list;
	}
	snprintf(path, sizeof(path), "%s/cgroup.procs", state->cgroup_dirs.list[0]);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		json_array_append_new(list, json_integer(strtoll(line, NULL, 10)));
	return list;
}

static json_t *describe(const struct container_found *found)
{
	const struct container_state *state = &found->state;
	struct json_make make = {.object = state_json(state)};
	struct cgroup_usage usage;
	bool running = state_is_running(state);

	make.failed = !make.object;
	json_make_set(&make, "folder", json_text_new(found->path));
	json_make_set(&make, "log_lost_bytes", json_integer(log_file_lost(found->path)));
	json_make_set(&make, "monitored", json_boolean(folder_is_held(found->path)));
	json_make_set(&make, "running", json_boolean(running));
	json_make_set(&make, "paused", json_boolean(running && state_is_paused(state)));
	json_make_set(&make, "processes", running ? processes_json(state) : json_array());
	json_make_set(&make, "namespaces", running ? namespaces_json(state) : json_null());
	json_make_set(&make, "usage", running && usage_read(state, &usage, NULL) == 0 ? usage_json(&usage) : json_null());
	return json_make_end(&make);
}

static int inspect(const char *word, void *arg, struct error *err)
{
	struct container_found found;
	int rc = container_find(word, &found, err);

	if (rc < 0)
		return rc;
	json_t *object = describe(&found);
	state_done(&found.state);
	if (!object)
		return error_set(err, ENOMEM, "out of memory");
	rc = json_dumpf(object, stdout, JSON_INDENT(1)) < 0 || putchar('\n') < 0 || fflush(stdout) != 0
		     ? error_errno(err, "write to stdout")
		     : 0;
	json_decref(object);
	return rc;
}

int cmd_container_inspect(int argc, char **argv)
{
	struct inspect_command command = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &command);
	return container_for_each(&command.words, inspect, NULL);
}
