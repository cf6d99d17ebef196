/* A further process in a running container, with a person in front of it. */
#pragma once

#include "state.h"
#include "texts.h"

#include <bench/error.h>

struct exec_spec {
	bool interactive, terminal;
	const char *user, *working_dir; /* NULL: the container's */
	const char *const *argv;        /* NULL-terminated, borrowed */
	struct texts environment;       /* beside the container's */
};

/* "NAME=value", or "NAME" for its value here. */
int exec_spec_variable(struct exec_spec *spec, const char *assignment, struct error *err);
void exec_spec_done(struct exec_spec *spec);

/* Runs it to its end. `ret_status`: its exit status, 128 + n when signal n ended it. */
int exec_run(const struct exec_spec *spec, const struct container_state *state, int *ret_status, struct error *err);
