/* What the programs of this folder share: a plan for the agent in a root of its own, starts that end with the agent's first answer, and figures.
 * All of it belongs to the calling process; messages go to stderr. Order: starts_open, (starts_one, container_stop, close)*, starts_close. */
#pragma once

#include <runtime/container.h>

#include <stddef.h>
#include <stdint.h>

struct starts {
	char root[64];       /* temporary folder with the agent */
	char group_name[64]; /* of the plan's cgroup */
	struct container_plan *plan;
};

struct one_start {
	struct container container;
	int stream; /* to its agent, non-blocking no; -1: none */
	int64_t took_ns;
};

/* Exit status where this host allows no containers: a test that is skipped. */
enum { STARTS_SKIP = 77 };

/* `options` are KEY=VALUE of the container driver. Limits are those of a run of bench: 256 MiB, one CPU, 512 processes. 0 or -1. */
int starts_open(const char *agent, char **options, size_t n_options, struct starts *ret);

/* From the request to the answer of the agent's first question. 0 or -1; on failure nothing stays. */
int starts_one(struct starts *starts, unsigned number, struct one_start *ret);

/* Ends it; 0 or -1. */
int starts_stop(struct starts *starts, struct one_start *one);
void starts_close(struct starts *starts);

/* Value of p (0…1), sorts in place. */
double starts_quantile_us(double *values_ns, size_t n, double p);

/* A positive number from the command line; ends the program with a message when it is none. */
unsigned starts_argument(const char *what, const char *text);
