/* One running copy of an image under one driver. Filled by the driver's start(), read by the measurement, released by stop(). */
#pragma once

#include <bench/steps.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { INSTANCE_PIDS_MAX = 8 };

struct instance {
	char id[48];                   /* unique on this host while the instance lives; set by the caller of start() */
	int64_t deadline_ns;           /* CLOCK_MONOTONIC by which the instance must be ready; start() must not wait beyond it */
	int read_fd, write_fd;         /* control stream to the agent; may be the same descriptor; -1 while there is none */
	pid_t pids[INSTANCE_PIDS_MAX]; /* host pids that belong to it, the main one first; what descends from them does, too */
	size_t n_pids;
	char cgroup[PATH_MAX];    /* absolute directory of its memory (v1) or unified (v2) cgroup, or empty */
	struct step_times *steps; /* the caller's: start() fills in the steps that the driver declared; NULL: nobody asks */
	bool has_greeted;         /* its agent said hello before it was saved: start() sets this, and nobody waits for another */
	int64_t runtime_ns; /* a runtime in a guest said that it begins; 0: there is none. The caller sets this, observe() may use it */
	void *priv;         /* the driver's own */
};

#define INSTANCE_NONE ((struct instance){.read_fd = -1, .write_fd = -1})
