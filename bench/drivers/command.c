/* command: any program whose stdin and stdout end up as the agent's: other runtimes, by their own command line.
 * "command:label=bwrap,argv=bwrap --unshare-all --ro-bind {agent} /agent /agent". Words are split at blanks; {agent}, {id} and {dir} (a private
 * folder of this driver) are replaced. The program is ended by the agent's own end, so that it can tidy up after itself. */
#include "spawn.h"

#include <bench/cleanup.h>

#include <base/process.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { WORDS_MAX = 64, QUIT_MS = 10000, TERM_MS = 3000 };

static const struct driver_option options[] = {
	{"argv", "COMMAND", "command line that runs the agent with its own stdin and stdout; {agent}, {id}, {dir} are replaced"},
	{NULL, NULL, NULL},
};

struct command {
	char agent_path[PATH_MAX], dir[PATH_MAX], text[DRIVER_SPEC_MAX];
	cpu_set_t cpus;
	int stderr_fd; /* what the program printed since the last start */
};

static void command_probe(const struct driver_config *config, struct probe *ret)
{
	const char *text = config->spec ? driver_option(config->spec, "argv", "") : "";
	char name[PATH_MAX], path[PATH_MAX];

	*ret = (struct probe){.verdict = PROBE_YES};
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, " "), text);
	if (strcmp(name, "{agent}") == 0)
		snprintf(name, sizeof(name), "%s", config->agent_path);
	if (*name == '\0') {
		snprintf(ret->reason, sizeof(ret->reason), "runs what command:argv=… says");
	} else if (strchr(name, '/') ? access(name, X_OK) == 0 : process_find(name, path, sizeof(path))) {
		snprintf(ret->reason, sizeof(ret->reason), "%.200s is installed", name);
	} else {
		ret->verdict = PROBE_NO;
		snprintf(ret->reason, sizeof(ret->reason), "there is no program '%.200s'", name);
		snprintf(ret->remedy, sizeof(ret->remedy), "install %.200s, or correct argv=", name);
	}
}

static int command_open(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err)
{
	_cleanup_free_ struct command *command = calloc(1, sizeof(*command));
	const char *text = driver_option(config->spec, "argv", "");

	if (!command)
		return error_set(err, ENOMEM, "out of memory");
	if (text[strspn(text, " ")] == '\0') {
		error_set(err, EINVAL, "driver 'command' needs the option argv");
		return error_hint(err, "e.g. command:label=bwrap,argv=bwrap --unshare-all --ro-bind {agent} /agent /agent");
	}
	int rc = spawn_parse_cpuset(config->cpuset, &command->cpus, err);
	if (rc < 0)
		return rc;
	snprintf(command->text, sizeof(command->text), "%s", text);
	snprintf(command->agent_path, sizeof(command->agent_path), "%s", config->agent_path);
	snprintf(command->dir, sizeof(command->dir), "%s", config->run_dir);
	/* A private file, not the terminal and not /dev/null: some runtimes change the owner of their standard streams. */
	command->stderr_fd = memfd_create("stderr", MFD_CLOEXEC);
	if (command->stderr_fd < 0)
		return error_errno(err, "memfd");
	driver_info_set(ret_info, "command", "%s", text);
	driver_info_note(ret_info, "limits are what the command line says, not what bench sets; memory is that of the program that was "
				   "started and of all that descends from it, not of a daemon beside");
	*ret_state = take_ptr(command);
	return 0;
}

/* Replaces the placeholders of one word into `at`; returns the end of the text, NULL when it does not fit. */
static char *expand_word(const struct command *command, const char *id, const char *word, size_t length, char *at, const char *limit)
{
	const struct {
		const char *name, *value;
	} holes[] = {{"{agent}", command->agent_path}, {"{id}", id}, {"{dir}", command->dir}};

	for (const char *p = word; p < word + length;) {
		const char *piece = p;
		size_t piece_length = 1, skip = 1;

		for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++)
			if (strncmp(p, holes[i].name, strlen(holes[i].name)) == 0) {
				piece = holes[i].value;
				piece_length = strlen(piece);
				skip = strlen(holes[i].name);
			}
		if (at + piece_length + 1 >= limit)
			return NULL;
		memcpy(at, piece, piece_length);
		at += piece_length;
		p += skip;
	}
	*at++ = '\0';
	return at;
}

static int command_start(void *state, struct instance *instance, struct timeline *timeline, struct error *err)
{
	struct command *command = state;
	const char *argv[WORDS_MAX + 1];
	char words[4 * PATH_MAX], *at = words;
	size_t count = 0;

	for (const char *p = command->text + strspn(command->text, " "); *p; p += strspn(p, " ")) {
		size_t length = strcspn(p, " ");

		if (count == WORDS_MAX)
			return error_set(err, E2BIG, "argv has more than %d words", WORDS_MAX);
		argv[count++] = at;
		at = expand_word(command, instance->id, p, length, at, words + sizeof(words));
		if (!at)
			return error_set(err, E2BIG, "argv is too long");
		p += length;
	}
	argv[count] = NULL;
	if (ftruncate(command->stderr_fd, 0) < 0 || lseek(command->stderr_fd, 0, SEEK_SET) < 0)
		return error_errno(err, "memfd");
	struct spawn spawn = {.argv = argv, .stderr_fd = command->stderr_fd, .cpus = command->cpus};
	return spawn_start(&spawn, instance, timeline, err);
}

/* The last line that the program printed. */
static void command_diagnose(void *state, const struct instance *instance, char *ret, size_t size)
{
	struct command *command = state;
	char text[4096];
	ssize_t length = pread(command->stderr_fd, text, sizeof(text) - 1, 0);

	ret[0] = '\0';
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	if (length <= 0)
		return;
	text[length] = '\0';
	const char *line = strrchr(text, '\n');
	snprintf(ret, size, "%s", line ? line + 1 : text);
}

static int command_stop(void *state, struct instance *instance, struct error *err)
{
	bool asked = instance->write_fd >= 0 && send(instance->write_fd, "quit\n", 5, MSG_NOSIGNAL) == 5;

	if (!asked || !spawn_wait(instance, QUIT_MS)) {
		if (instance->n_pids > 0)
			kill(instance->pids[0], SIGTERM);
		if (!spawn_wait(instance, TERM_MS)) {
			kill(-instance->pids[0], SIGKILL);
			spawn_wait(instance, -1);
		}
	}
	spawn_close_stream(instance);
	return 0;
}

static void command_close(void *state)
{
	struct command *command = state;

	close(command->stderr_fd);
	free(command);
}

const struct driver command_driver = {
	.name = "command",
	.summary = "another runtime by its own command line (argv=…)",
	.options = options,
	.caps = DRIVER_SAME_KERNEL,
	.probe = command_probe,
	.open = command_open,
	.start = command_start,
	.diagnose = command_diagnose,
	.stop = command_stop,
	.close = command_close,
};
