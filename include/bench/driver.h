/* The contract of a driver: one way to run an instance (process, container, virtual machine, …).
 *
 * A driver is a const struct of hooks, listed in bench/drivers/registry.c. Order of calls, all in one worker process that runs nothing
 * else: open, (start, [footprint], stop)*, close. probe may be called alone, in any process, and leaves nothing behind.
 * A driver reports marks to the timeline, reads no clock for a result, prints nothing and never exits. */
#pragma once

#include <bench/error.h>
#include <bench/footprint.h>
#include <bench/instance.h>
#include <bench/steps.h>
#include <bench/timeline.h>

#include <stdbool.h>
#include <stddef.h>

struct journal;

/* ---- what the person asked of a driver: "vm:machine=q35,memory=256M" ---- */

enum { DRIVER_OPTIONS_MAX = 24, DRIVER_SPEC_MAX = 1024 };

struct driver_option_value {
	char key[32];
	char value[512];
};

struct driver_spec {
	char name[32];  /* of the driver */
	char label[64]; /* how results call it; the name, or the option label=…, unique in a run */
	struct driver_option_value options[DRIVER_OPTIONS_MAX];
	size_t n_options;
};

/* One option that a driver understands; a table of these ends with a NULL name. */
struct driver_option {
	const char *name;
	const char *argument; /* "MACHINE", "on|off", … */
	const char *help;     /* one line, with the default */
};

/* ---- what surrounds it ---- */

struct driver_config {
	const struct driver_spec *spec;
	const char *agent_path;                    /* absolute path of the static agent */
	const char *run_dir;                       /* private to this worker, exists, removed after it; short enough for sockets */
	const char *cache_dir;                     /* shared between runs, exists */
	struct journal *journal;                   /* name every kernel object here before making it (base/journal.h) */
	char cpuset[64];                           /* CPUs of the instance in list format ("1", "2-3"), or empty: not bound */
	int64_t memory_bytes;                      /* limit of the instance */
	int vcpus;                                 /* CPUs the instance may use */
	bool record_steps;                         /* declare the steps of a start in open(), time them in start() */
	void (*note)(void *arg, const char *text); /* progress of long work in open(), e.g. "unpacking a kernel"; may be NULL */
	void *note_arg;
};

/* ---- what it answers ---- */

enum probe_verdict { PROBE_YES, PROBE_LIMITED, PROBE_NO };

struct probe {
	enum probe_verdict verdict;
	char reason[320]; /* what was found; why it is limited or cannot run */
	char remedy[256]; /* the command or step that mends it, or empty */
};

enum { DRIVER_PAIRS_MAX = 48, DRIVER_NOTES_MAX = 12 };

/* What open() found and decided, for the result: facts ("accelerator" = "tcg") and notes on what is not limited or not measured. */
struct driver_info {
	struct {
		char key[32];
		char value[480];
	} pairs[DRIVER_PAIRS_MAX];
	size_t n_pairs;
	char notes[DRIVER_NOTES_MAX][256];
	size_t n_notes;
	struct step_list steps; /* of a start; empty: not asked for, or this driver has none to tell */
};

enum driver_caps {
	DRIVER_SAME_KERNEL = 1 << 0,   /* the instance shares the host's kernel and clock: its own stamps count */
	DRIVER_NO_AGENT = 1 << 1,      /* nothing answers: start() reports all marks itself (null, mock) */
	DRIVER_VIRTUAL_CLOCK = 1 << 2, /* marks are declared, not measured (mock) */
	DRIVER_IS_GUEST = 1 << 3,      /* figures must bear accelerator and machine type */
};

struct driver {
	const char *name;
	const char *summary; /* one line for doctor and --help */
	const struct driver_option *options;
	const char *preset;       /* the option that a word without '=' sets, "vm:os" is "vm:kind=os"; or NULL */
	const char *const *kinds; /* the words that it takes, the default first, ended by NULL; each is a row of its own for doctor */
	unsigned caps;

	/* Can it run here? Never fails: a failure to find out is PROBE_NO with that reason. */
	void (*probe)(const struct driver_config *config, struct probe *ret);

	/* Connects and prepares, paid once and outside the measurement. On failure nothing stays behind. */
	int (*open)(const struct driver_config *config, void **ret_state, struct driver_info *ret_info, struct error *err);

	/* Starts one instance and returns as soon as its control stream exists. On failure the caller still calls stop(). */
	int (*start)(void *state, struct instance *instance, struct timeline *timeline, struct error *err);

	/* Optional: once the instance has answered (or has failed to), outside of all intervals: marks that were stamped elsewhere meanwhile, and the steps
	 * that end with them. */
	void (*observe)(void *state, const struct instance *instance, struct timeline *timeline);

	/* Optional: why did the instance end or fall silent before it was ready? One line, or empty. */
	void (*diagnose)(void *state, const struct instance *instance, char *ret, size_t size);

	/* Optional: refines what the caller read from pids and cgroup. */
	int (*footprint)(void *state, const struct instance *instance, struct footprint *ret, struct error *err);

	/* Ends the instance and waits until all of it is gone. Idempotent, safe on a half-made instance; closes the control stream. */
	int (*stop)(void *state, struct instance *instance, struct error *err);

	/* Optional: after stop() and outside of all measurement, what the next start shall find ready. */
	void (*between)(void *state);

	void (*close)(void *state);
};

/* Value of an option, or `fallback` when it was not given. */
const char *driver_option(const struct driver_spec *spec, const char *key, const char *fallback);

/* Adds a fact, or a note, to what the result will say. Silently bounded: the tables are large enough for every driver. */
void driver_info_set(struct driver_info *info, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));
void driver_info_note(struct driver_info *info, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *driver_info_get(const struct driver_info *info, const char *key);

/* Declares the next step. Returns its index, which instance.steps uses, or STEPS_MAX when the list is full: step_times_set() ignores that one. */
size_t driver_info_step(struct driver_info *info, enum step_lane lane, const char *format, ...) __attribute__((format(printf, 3, 4)));
