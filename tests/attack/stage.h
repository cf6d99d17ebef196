/* The stage on which attacks are played: a host with things to steal, an image with the attacking program, a container, and a look at the host
 * afterwards. Order: stage_open; for each attack stage_play; stage_close. */
#pragma once

#include <runtime/container.h>

#include <bench/error.h>
#include <stdbool.h>

enum outcome_kind { OUTCOME_HELD, OUTCOME_ESCAPED, OUTCOME_NOT_TRIED, OUTCOME_BROKEN };

struct outcome {
	enum outcome_kind kind;
	char how[1100];
};
void outcome_set(struct outcome *outcome, enum outcome_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));

enum { LEAKED_FD = 50, STAGE_VARIABLES = 28 };

struct stage {
	char base[64];     /* folder of this stage: image/, outside/, given to the user who plays */
	char image[80];    /* root folder of the containers, with /attack */
	char outside[80];  /* what must not be reached; LEAKED_FD is it, and has a copy of the program */
	char file[96];     /* a file in it */
	char program[256]; /* the attacking program as it was built */
	pid_t canary_pid;  /* a process of the host */
	int socket_fd, port_fd, shm, queue;
	char *variables[STAGE_VARIABLES + 1]; /* environment: what the attacks are told of the host */
	size_t n_variables;
	char cgroup_name[64];
	struct container_options options; /* made anew for each attack; a scene may change them */
	const char *argv[3], *layers[2];
};

/* What is special about an attack. NULL: nothing. Defined in scenes.c. */
struct scene {
	const char *attack;
	void (*set)(struct stage *stage);                                                          /* bends image and options */
	void (*play)(struct stage *stage, const char *attack, struct outcome *outcome);            /* instead of one start */
	void (*during)(struct stage *stage, struct container *container, struct outcome *outcome); /* while it holds */
};
extern const struct scene scenes[];

/* `userns`, `seccomp_off`: this round's. As an ordinary user when `ordinary` (for good, in this process). */
int stage_open(struct stage *stage, const char *program, bool ordinary, struct error *err);
void stage_close(struct stage *stage);

/* A new image and the standard options. */
void stage_reset(struct stage *stage, const char *attack, enum container_choice userns, bool seccomp_off);

/* Starts one container, listens to it, ends it. A start that is refused is an attack that is held. */
void stage_start(struct stage *stage, const struct scene *scene, struct outcome *outcome);
void stage_start_prepared(struct stage *stage, struct container_plan *plan, const struct scene *scene, struct outcome *outcome);

/* The same program on the bare host, in mounts of its own: what it says there proves that it attacks at all. */
void stage_play_outside(struct stage *stage, const char *attack, struct outcome *outcome);

/* The host as text, to be compared: settings, files, nodes, mounts, the canary. Heap; NULL out of memory. */
char *stage_host_state(const struct stage *stage);

/* Files of the stage. */
void stage_copy(const char *from, const char *to, unsigned mode);
void stage_write(const struct stage *stage, const char *name, const char *text, unsigned mode);
