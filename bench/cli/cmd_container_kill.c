/* bench container kill, stop, pause, resume and rm: what is done to containers by name. */
#include "container_command.h"

#include <base/units.h>
#include <containers/control.h>
#include <containers/deliver.h>
#include <measure/run_dir.h>

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum { GRACE_MS = 10000, GRACE_S_MAX = 86400 };

struct act_command {
	struct container_words words;
	int signal, grace_ms;
	bool force;
	struct error err;
};

static error_t take_words(struct act_command *command, int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	command->words.n++;
	return 0;
}

/* Options may stand behind the names; argp has moved them together by then. */
static int act_on_all(const struct argp *argp, int argc, char **argv, struct act_command *command,
		      int (*act)(const char *word, void *arg, struct error *err))
{
	argp_parse(argp, argc, argv, 0, NULL, command);
	if (command->err.code)
		return report_error(&command->err, EXIT_USAGE);
	command->words.list = argv + argc - command->words.n;
	return container_for_each(&command->words, act, command);
}

/* ---- kill ---- */

static const struct argp_option kill_options[] = {{"signal", 's', "SIGNAL", 0, "name or number (default KILL)", 0}, {0}};

static error_t parse_kill(int key, char *arg, struct argp_state *state)
{
	struct act_command *command = state->input;

	if (key != 's')
		return take_words(command, key, arg, state);
	deliver_parse(arg, &command->signal, &command->err);
	return 0;
}

static int kill_one(const char *word, void *arg, struct error *err)
{
	const struct act_command *command = arg;
	struct container_found found;
	int rc = container_find_running(word, &found, err);

	if (rc < 0)
		return rc;
	rc = control_signal(&found.state, command->signal, err);
	state_done(&found.state);
	return rc;
}

int cmd_container_kill(int argc, char **argv)
{
	static const struct argp argp = {.options = kill_options,
					 .parser = parse_kill,
					 .args_doc = "CONTAINER…",
					 .doc = "Sends a signal to the first process of each container.\v"
						"The kernel keeps signals without handler from the first process of a pid namespace. One "
						"that would end any other program ends this "
						"one too: then it is killed."};
	struct act_command command = {.signal = SIGKILL};

	return act_on_all(&argp, argc, argv, &command, kill_one);
}

/* ---- stop ---- */

static const struct argp_option stop_options[] = {{"time", 'T', "TIME", 0, "how long it has after SIGTERM (default 10s)", 0}, {0}};

static error_t parse_stop(int key, char *arg, struct argp_state *state)
{
	struct act_command *command = state->input;
	int64_t grace_ns;

	if (key != 'T')
		return take_words(command, key, arg, state);
	if (parse_duration_ns(arg, &grace_ns, &command->err) < 0)
		error_prefix(&command->err, "--time");
	else if (grace_ns > (int64_t)GRACE_S_MAX * 1000000000)
		error_set(&command->err, EINVAL, "--time: '%s' is more than a day", arg);
	else
		command->grace_ms = (int)(grace_ns / 1000000);
	return 0;
}

static int stop_one(const char *word, void *arg, struct error *err)
{
	const struct act_command *command = arg;
	struct container_found found;
	int rc = container_find_running(word, &found, err);

	if (rc < 0)
		return rc;
	rc = control_stop(found.path, &found.state, command->grace_ms, err);
	state_done(&found.state);
	return rc;
}

int cmd_container_stop(int argc, char **argv)
{
	static const struct argp argp = {
		.options = stop_options,
		.parser = parse_stop,
		.args_doc = "CONTAINER…",
		.doc = "Asks each container to end (SIGTERM), kills it when it does not, and waits until nothing of it is left."};
	struct act_command command = {.grace_ms = GRACE_MS};

	return act_on_all(&argp, argc, argv, &command, stop_one);
}

/* ---- pause and resume ---- */

static error_t parse_words(int key, char *arg, struct argp_state *state)
{
	return take_words(state->input, key, arg, state);
}

static int pause_or_resume(const char *word, bool frozen, struct error *err)
{
	struct container_found found;
	int rc = container_find_running(word, &found, err);

	if (rc < 0)
		return rc;
	rc = control_pause(&found.state, frozen, err);
	state_done(&found.state);
	return rc;
}

static int pause_one(const char *word, void *arg, struct error *err)
{
	return pause_or_resume(word, true, err);
}

static int resume_one(const char *word, void *arg, struct error *err)
{
	return pause_or_resume(word, false, err);
}

int cmd_container_pause(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse_words, .args_doc = "CONTAINER…", .doc = "Freezes all processes of each container (cgroup freezer)."};
	struct act_command command = {0};

	return act_on_all(&argp, argc, argv, &command, pause_one);
}

int cmd_container_resume(int argc, char **argv)
{
	static const struct argp argp = {.parser = parse_words, .args_doc = "CONTAINER…", .doc = "Lets paused containers go on."};
	struct act_command command = {0};

	return act_on_all(&argp, argc, argv, &command, resume_one);
}

/* ---- rm ---- */

static const struct argp_option rm_options[] = {{"force", 'f', NULL, 0, "kill those that run", 0}, {0}};

static error_t parse_rm(int key, char *arg, struct argp_state *state)
{
	struct act_command *command = state->input;

	if (key != 'f')
		return take_words(command, key, arg, state);
	command->force = true;
	return 0;
}

static int rm_one(const char *word, void *arg, struct error *err)
{
	const struct act_command *command = arg;
	char base[PATH_MAX], path[FOLDER_PATH_MAX];
	int rc = run_dir_parent(base, sizeof(base), err);

	if (rc == 0)
		rc = folder_find(base, word, path, err);
	return rc < 0 ? rc : control_remove(path, command->force, err);
}

int cmd_container_rm(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rm_options,
		.parser = parse_rm,
		.args_doc = "CONTAINER…",
		.doc = "Removes what is left of containers that ended: state, log, and what a killed monitor left."};
	struct act_command command = {0};

	return act_on_all(&argp, argc, argv, &command, rm_one);
}
