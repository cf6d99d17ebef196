/* bench container logs: what a container in the background wrote. */
#include "container_command.h"

#include <containers/log_file.h>
#include <containers/log_follow.h>

#include <argp.h>
#include <errno.h>
#include <stdio.h>

struct logs_command {
	struct container_words words;
	bool follow;
};

static const struct argp_option option_table[] = {{"follow", 'f', NULL, 0, "go on with what it writes, until it ends", 0}, {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct logs_command *command = state->input;

	if (key == 'f')
		command->follow = true;
	if (key != ARGP_KEY_ARG)
		return key == 'f' ? 0 : ARGP_ERR_UNKNOWN;
	if (command->words.n > 0)
		argp_error(state, "one container at a time; what is '%s'?", arg);
	command->words = (struct container_words){state->argv + state->next - 1, 1};
	return 0;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "CONTAINER",
	.doc = "Prints what a container in the background (run -d) wrote to standard output and error: the last 10 to 20 MiB.",
};

static int print_log(const char *word, void *arg, struct error *err)
{
	const struct logs_command *command = arg;
	struct container_found found;
	int rc = container_find(word, &found, err);

	if (rc < 0)
		return rc;
	if (!found.state.detached) {
		error_set(err, ENOENT, "container %s has no log: it was not started with -d", state_title(&found.state));
		rc = -ENOENT;
	} else if (command->follow) {
		rc = log_follow(found.path, stdout, err);
	} else {
		rc = log_file_print(found.path, stdout, err);
	}
	state_done(&found.state);
	return rc == 0 && fflush(stdout) != 0 ? error_errno(err, "write to stdout") : rc;
}

int cmd_container_logs(int argc, char **argv)
{
	struct logs_command command = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &command);
	return container_for_each(&command.words, print_log, &command);
}
