/* bench clean: undoes what runs that were killed, with their supervisor, left behind. */
#include "command.h"

#include <containers/control.h>
#include <containers/state.h>
#include <measure/run_dir.h>

#include <argp.h>
#include <limits.h>
#include <stdio.h>

struct clean_command {
	bool check, cache;
	int alive, containers, dead, left, resisted;
	struct error err;
};

enum { OPT_CHECK = 256, OPT_CACHE };

static const struct argp_option option_table[] = {
	{"check", OPT_CHECK, NULL, 0, "only say what is left; exit status 1 if there is anything", 0},
	{"cache", OPT_CACHE, NULL, 0, "also remove the cache (kernels, disk images, complete systems, accelerator proofs)", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct clean_command *command = state->input;

	if (key == OPT_CHECK)
		command->check = true;
	else if (key == OPT_CACHE)
		command->cache = true;
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.doc = "Removes what killed runs and containers left behind: processes, cgroups, mounts, links, guests, temporary files. Those "
	       "that are "
	       "alive are not touched.\v"
	       "Every run undoes itself, also when it is killed; this is for the power cut, or for a supervisor that was killed too.",
};

static void print_object(const char *kind, const char *argument, void *arg)
{
	printf("  %s %s\n", kind, argument);
}

static void visit_run(const char *run_path, bool alive, void *arg)
{
	struct clean_command *command = arg;

	if (alive) {
		command->alive++;
		return;
	}
	command->dead++;
	printf("%s %s\n", command->check ? "left behind by" : "removing", run_path);
	command->left += run_dir_leftovers(run_path, print_object, NULL);
	if (!command->check) {
		int rc = run_dir_undo(run_path, &command->err);

		command->resisted += rc < 0 ? 1 : rc;
	}
}

/* A container that ended in order and was kept is not left behind: `bench container rm` is for it. */
static void visit_container(const char *path, const char *id, bool held, void *arg)
{
	struct clean_command *command = arg;
	struct container_state state = {0};

	if (held) {
		command->containers++;
		return;
	}
	bool kept = state_read(path, &state, NULL) == 0 && state.status == STATE_EXITED && state.keep &&
		    folder_leftovers(path, NULL, NULL) == 0;
	state_done(&state);
	if (kept)
		return;
	command->dead++;
	printf("%s %s\n", command->check ? "left behind by" : "removing", path);
	command->left += folder_leftovers(path, print_object, NULL);
	if (!command->check)
		command->resisted += control_remove(path, false, &command->err) < 0;
}

static int clean_containers(struct clean_command *command)
{
	char base[PATH_MAX];
	int rc = run_dir_parent(base, sizeof(base), &command->err);

	return rc < 0 ? rc : folder_each(base, visit_container, command, &command->err);
}

static int remove_cache(struct error *err)
{
	char path[PATH_MAX];
	int rc = cache_dir_path(path, sizeof(path), false, err);

	if (rc == 0)
		rc = cache_dir_remove(err);
	if (rc == 0)
		printf("removed the cache %s\n", path);
	return rc;
}

int cmd_clean(int argc, char **argv)
{
	struct clean_command command = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &command);
	if (run_dir_each(visit_run, &command, &command.err) < 0)
		return report_error(&command.err, EXIT_COULD_NOT_RUN);
	if (clean_containers(&command) < 0)
		return report_error(&command.err, EXIT_COULD_NOT_RUN);
	if (command.containers > 0)
		printf("%d container%s alive, not touched\n", command.containers, command.containers == 1 ? " is" : "s are");
	if (command.alive > 0)
		printf("%d run%s alive, not touched\n", command.alive, command.alive == 1 ? " is" : "s are");
	if (command.resisted > 0)
		return report_error(&command.err, EXIT_COULD_NOT_RUN);
	if (command.cache && !command.check && command.alive == 0 && remove_cache(&command.err) < 0)
		return report_error(&command.err, EXIT_COULD_NOT_RUN);
	if (command.dead == 0)
		puts("nothing is left behind");
	return command.check && command.dead > 0 ? EXIT_FINDING : EXIT_FINE;
}
