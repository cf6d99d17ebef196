/* The state of one container: state.json in its folder. Written whole and atomically by the monitor alone; read by every other command. What
 * only people look at (limits, mounts, notes …) is `config`, a JSON object that is passed through. */
#pragma once

#include "folder.h"
#include "texts.h"

#include <bench/error.h>
#include <cgroup/cgroup.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum state_status { STATE_CREATED, STATE_RUNNING, STATE_EXITED, STATE_STATUS_COUNT };

struct container_state {
	char id[FOLDER_ID_HEX + 1];
	char name[128]; /* or empty */
	char image[PATH_MAX];
	enum state_status status;
	int64_t monitor_pid;
	int64_t pid, pid_ticks; /* first process, on the host; 0: never started. Start ticks name it for good (base/process.h) */
	char created_at[40];    /* ISO 8601, UTC */
	int64_t started_ns;     /* CLOCK_BOOTTIME; 0: never */
	int64_t ended_ns;       /* the same clock */
	int exit_status;        /* -1: has not ended */
	char ended_by[256];     /* why, where the exit status does not say it: memory, a time limit */
	bool keep, detached, terminal, seccomp_off;
	bool own_pids;     /* its first process is process 1 inside */
	uint32_t uid, gid; /* inside */
	char working_dir[PATH_MAX];
	char address[20]; /* on its network, or empty */
	struct texts command, environment, cgroup_dirs, notes;
	json_t *config; /* owned; may be NULL */
};

int state_write(const char *folder, const struct container_state *state, struct error *err);

/* -ENOENT: none was written yet. A damaged one is -EBADMSG with its place. */
int state_read(const char *folder, struct container_state *ret, struct error *err);
void state_done(struct container_state *state);

/* As a JSON object, new; NULL without memory. */
json_t *state_json(const struct container_state *state);

/* Is its first process alive, and still the same? */
bool state_is_running(const struct container_state *state);

/* Are its processes frozen? */
bool state_is_paused(const struct container_state *state);

/* Lets a paused container go on, without asking what it is. */
void state_thaw(const struct container_state *state);

/* Name, or id where it has none. */
const char *state_title(const struct container_state *state);

int64_t state_now_ns(void);
