/* The monitor of a container: the process that starts it, stands beside it, and undoes all of it.
 *
 *   foreground   bench run ──► container            bench itself is the monitor; it carries the streams, signals and the exit status
 *   background   bench run ─fork─fork─► monitor ──► container      bench prints the id as soon as the program runs, and leaves
 *
 * In both a keeper (keeper.h) outlives the monitor, and the container dies with it. Order of making: folder with lock, keeper, journal, then what the
 * runtime makes; undone in reverse order. */
#pragma once

#include "folder.h"
#include "run_program.h"
#include "run_spec.h"

#include <bench/error.h>

struct monitor_end {
	int exit_status;  /* of the program, 128 + n when signal n ended it */
	char reason[256]; /* what the status does not say (memory, time limit), or empty */
	char id[FOLDER_ID_HEX + 1];
};

/* Runs to the end. -errno: the container did not come to be, or could not be undone. */
int monitor_foreground(const char *base, struct run_spec *spec, const struct run_program *program, struct monitor_end *ret,
		       struct error *err);

/* Returns when the program runs. No descriptor but 0, 1 and 2 may be open in this process that somebody else waits for the end of. */
int monitor_background(const char *base, struct run_spec *spec, const struct run_program *program, char ret_id[FOLDER_ID_HEX + 1],
		       struct error *err);
