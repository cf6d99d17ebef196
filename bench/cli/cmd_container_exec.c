/* bench container exec: a further process in a running container. */
#include "container_command.h"

#include <base/files.h>
#include <containers/exec.h>

#include <argp.h>
#include <errno.h>
#include <stdio.h>

struct exec_command {
	struct exec_spec spec;
	const char *container;
	struct error err;
};

static const struct argp_option option_table[] = {
	{"interactive", 'i', NULL, 0, "standard input goes in (default: an empty one)", 0},
	{"tty", 't', NULL, 0, "a terminal of its own", 0},
	{"user", 'u', "USER[:GROUP]", 0, "default: that of the container", 0},
	{"workdir", 'w', "DIR", 0, "working folder inside (default: that of the container)", 0},
	{"env", 'e', "NAME=VALUE", 0, "beside the environment of the container", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct exec_command *command = state->input;
	struct exec_spec *spec = &command->spec;

	switch (key) {
	case 'i':
		spec->interactive = true;
		return 0;
	case 't':
		spec->terminal = true;
		return 0;
	case 'u':
		spec->user = arg;
		return 0;
	case 'w':
		spec->working_dir = arg;
		if (arg[0] != '/')
			error_set(&command->err, EINVAL, "--workdir: '%.200s' must be an absolute path inside the container", arg);
		return 0;
	case 'e':
		exec_spec_variable(spec, arg, &command->err);
		return 0;
	case ARGP_KEY_ARG:
		command->container = arg;
		spec->argv = (const char *const *)state->argv + state->next;
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "CONTAINER COMMAND [ARGUMENT…]",
	.doc = "Runs a further program in a running container, with the container's own restrictions.\v"
	       "Exit status: that of the program; 128 + n when signal n ended it. Failures of bench itself: 2 usage, 3 could not run.",
};

int cmd_container_exec(int argc, char **argv)
{
	struct exec_command command = {0};
	struct container_found found;
	struct error *err = &command.err;
	int status = EXIT_FINE;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &command);
	if (!err->code && (!command.container || !command.spec.argv[0])) {
		error_set(err, EINVAL, command.container ? "which command?" : "in which container?");
		error_hint(err, "bench container exec CONTAINER COMMAND");
	}
	if (err->code) {
		exec_spec_done(&command.spec);
		return report_error(err, EXIT_USAGE);
	}
	int rc = container_find_running(command.container, &found, err);
	if (rc == 0) {
		rc = exec_run(&command.spec, &found.state, &status, err);
		state_done(&found.state);
	}
	exec_spec_done(&command.spec);
	return rc < 0 ? report_error(err, EXIT_COULD_NOT_RUN) : status;
}
