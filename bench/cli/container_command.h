/* The commands under `bench container`, and what they share. One file and one option table each; every one gets its own full name as argv[0]. */
#pragma once

#include "command.h"

#include <containers/state.h>

#include <limits.h>

int cmd_container_run(int argc, char **argv);
int cmd_container_exec(int argc, char **argv);
int cmd_container_ps(int argc, char **argv);
int cmd_container_logs(int argc, char **argv);
int cmd_container_inspect(int argc, char **argv);
int cmd_container_kill(int argc, char **argv);
int cmd_container_stop(int argc, char **argv);
int cmd_container_pause(int argc, char **argv);
int cmd_container_resume(int argc, char **argv);
int cmd_container_rm(int argc, char **argv);
int cmd_container_ns(int argc, char **argv);
int cmd_container_shares(int argc, char **argv);

/* Folder and state of the container that is meant by an id, the beginning of one, or a name. */
struct container_found {
	char path[FOLDER_PATH_MAX];
	struct container_state state; /* release by state_done() */
};
int container_find(const char *word, struct container_found *ret, struct error *err);

/* The same; -ESRCH with what to do when it does not run. */
int container_find_running(const char *word, struct container_found *ret, struct error *err);

/* A list of containers on the command line. */
struct container_words {
	char **list; /* borrowed from argv */
	int n;
};

/* Does `act` for each; goes on after a failure, and prints it. Returns the exit status. Without any: a usage error. */
int container_for_each(const struct container_words *words, int (*act)(const char *word, void *arg, struct error *err), void *arg);
