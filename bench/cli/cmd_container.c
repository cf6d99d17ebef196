/* bench container COMMAND: containers that people start by hand. */
#include "container_command.h"

#include <measure/run_dir.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"run", cmd_container_run, "run a program in a container of its own"},
	{"exec", cmd_container_exec, "run a further program in a running container"},
	{"ps", cmd_container_ps, "list containers"},
	{"logs", cmd_container_logs, "print what a container in the background wrote"},
	{"inspect", cmd_container_inspect, "all about one container, as JSON"},
	{"kill", cmd_container_kill, "send a signal"},
	{"stop", cmd_container_stop, "end: first by request, then by force"},
	{"pause", cmd_container_pause, "freeze all processes of a container"},
	{"resume", cmd_container_resume, "let them go on"},
	{"rm", cmd_container_rm, "remove what a container left"},
	{"ns", cmd_container_ns, "namespaces of a process, and who shares them"},
	{"shares", cmd_container_shares, "who gets which part of a CPU: a hierarchy of groups, declared and measured"},
};

static void print_help(FILE *out)
{
	fputs("Usage: bench container COMMAND [OPTION…]\n"
	      "Containers started by hand, with the runtime that bench measures.\n\n",
	      out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  bench container %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n  bench container COMMAND --help   the options of a command\n\n"
	      "A container is named by its id, the beginning of it, or its name.\n",
	      out);
}

int container_find(const char *word, struct container_found *ret, struct error *err)
{
	char base[PATH_MAX];
	int rc = run_dir_parent(base, sizeof(base), err);

	if (rc == 0)
		rc = folder_find(base, word, ret->path, err);
	return rc < 0 ? rc : state_read(ret->path, &ret->state, err);
}

int container_find_running(const char *word, struct container_found *ret, struct error *err)
{
	int rc = container_find(word, ret, err);

	if (rc < 0 || state_is_running(&ret->state))
		return rc;
	error_set(err, ESRCH, "container %s does not run", state_title(&ret->state));
	error_hint(err, "remove it: bench container rm %s", ret->state.id);
	state_done(&ret->state);
	return -ESRCH;
}

int container_for_each(const struct container_words *words, int (*act)(const char *word, void *arg, struct error *err), void *arg)
{
	struct error err = {0};
	int status = EXIT_FINE;

	if (words->n == 0) {
		error_set(&err, EINVAL, "which container?");
		error_hint(&err, "'bench container ps' lists them");
		return report_error(&err, EXIT_USAGE);
	}
	for (int i = 0; i < words->n; i++)
		if (act(words->list[i], arg, &err) < 0)
			status = report_error(&err, EXIT_COULD_NOT_RUN);
	return status;
}

int cmd_container(int argc, char **argv)
{
	struct error err = {0};
	char name[64];

	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return EXIT_FINE;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "bench container %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	error_set(&err, EINVAL, "unknown command 'container %.60s'", argv[1]);
	error_hint(&err, "see 'bench container --help'");
	return report_error(&err, EXIT_USAGE);
}
