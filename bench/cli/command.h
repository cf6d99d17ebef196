/* The commands of bench: one file, one option table each. A command gets its own arguments (argv[0] is its full name, "bench run") and returns the exit status. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>

enum exit_status {
	EXIT_FINE = 0,
	EXIT_FINDING = 1, /* a probe failed, something is left behind */
	EXIT_USAGE = 2,
	EXIT_COULD_NOT_RUN = 3,
	EXIT_NOT_COMPARABLE = 4,
	EXIT_INTERRUPTED = 130,
};

int cmd_doctor(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_container(int argc, char **argv);
int cmd_clean(int argc, char **argv);
int cmd_image(int argc, char **argv);

/* Prints "bench: <message>" and, where there is one, "  hint: <hint>" to stderr. Returns `status`. */
int report_error(const struct error *err, int status);

/* Colour on stdout: a terminal, and NO_COLOR is not set. */
bool wants_colour(void);

/* The agent's path: `wish` if not NULL, else bench-agent beside this program or in its libexec folder. */
int find_agent(const char *wish, char *ret, size_t size, struct error *err);
