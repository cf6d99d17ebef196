/* bench show RESULT: prints a saved result, or the samples of a run that was killed. */
#include "command.h"

#include <bench/cleanup.h>

#include <base/files.h>
#include <plots/table.h>
#include <results/result_io.h>
#include <results/summary.h>

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct show_command {
	const char *path;
	bool json;
	struct error err;
};

static const struct argp_option option_table[] = {
	{"json", 'j', NULL, 0, "print the result as JSON, with its summary computed anew", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct show_command *command = state->input;

	switch (key) {
	case 'j':
		command->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (command->path)
			error_set(&command->err, EINVAL, "one result at a time; what is '%s'?", arg);
		command->path = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.args_doc = "RESULT",
	.doc = "Prints a saved result: result.json, the folder it is in, or samples.jsonl of a run that was killed.",
};

/* A folder stands for the result in it, or for the samples of a run that was killed. */
static int find_result(const char *path, char *ret, size_t size, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return path_format(ret, size, err, "%s", path);
	int rc = path_format(ret, size, err, "%s/result.json", path);
	if (rc == 0 && !path_exists(ret))
		rc = path_format(ret, size, err, "%s/samples.jsonl", path);
	if (rc == 0 && !path_exists(ret))
		rc = error_set(err, ENOENT, "%s holds neither result.json nor samples.jsonl", path);
	return rc;
}

static int show(const struct show_command *command, struct error *err)
{
	char path[PATH_MAX];
	struct result result;
	struct summary summary;
	int rc = find_result(command->path, path, sizeof(path), err);

	if (rc == 0)
		rc = result_read(path, &result, err);

	if (rc < 0)
		return rc;
	if (command->json) {
		_cleanup_free_ char *text = result_to_text(&result, err);

		rc = !text ? -EIO : fputs(text, stdout) < 0 || fflush(stdout) != 0 ? error_errno(err, "write to stdout") : 0;
	} else {
		rc = summary_make(&result, &summary, err);
		if (rc == 0) {
			rc = table_result(&result, &summary, stdout, wants_colour(), err);
			summary_free(&summary);
		}
	}
	result_free(&result);
	return rc;
}

int cmd_show(int argc, char **argv)
{
	struct show_command command = {0};
	struct error err = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &command);
	if (!command.err.code && !command.path) {
		error_set(&command.err, EINVAL, "which result?");
		error_hint(&command.err, "bench show bench-results/…/result.json");
	}
	if (command.err.code)
		return report_error(&command.err, EXIT_USAGE);
	return show(&command, &err) < 0 ? report_error(&err, EXIT_COULD_NOT_RUN) : EXIT_FINE;
}
