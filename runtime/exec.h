/* Entering a running container, between exec_plan.c (what is computed before), exec.c (the parent) and child_exec.c (who enters). Internal to
 * runtime/.
 *
 * Two processes. The middle one is a copy of ours that is not dumpable; it joins the groups and the namespaces, becomes the user, gives up what
 * the container does not have, and only then forks the one that the container can see: by CLONE_PARENT a child of ours, in the container's pid
 * namespace. That one waits until we hold it by a descriptor, and runs the program. One channel tells what failed; its end says that exec worked. */
#pragma once

#include "plan.h"

#include <stddef.h>

struct entry {
	struct child child; /* first: steps of the plan get its address */
	struct container_plan *plan;
	int target;          /* pidfd of the container's first process */
	unsigned namespaces; /* CLONE_NEW*: those that are not ours */
	int root_fd;         /* its root folder, where the mounts are ours too; else -1 */
	int join_fds[CGROUP_CONTROLLER_COUNT], n_joins;
	int born_in; /* group of version 2, or -1 */
	pid_t *born; /* a page that the middle process shares with us, and nobody else: the process inside, as soon as there is one */
	int channel; /* the end of who enters */
	uid_t uid;
	gid_t gid;
	bool drops_groups;
	uint64_t kept; /* capabilities after the exec */
	bool terminal;
};

enum entry_word { ENTRY_TERMINAL, ENTRY_FAILED };

/* One message. TERMINAL comes with the master as descriptor. */
struct entry_message {
	enum entry_word word;
	int step, code; /* FAILED: which step, errno */
};

/* Looks at the container and computes all steps; changes nothing. Free it in any case. */
int entry_prepare(const struct container_exec_options *options, const int stdio[3], struct entry *entry, struct error *err);
void entry_done(struct entry *entry);
#define ENTRY_NONE                                                                                                                         \
	((struct entry){.target = -1, .root_fd = -1, .born_in = -1, .join_fds = {[0 ... CGROUP_CONTROLLER_COUNT - 1] = -1}, .channel = -1})

/* ---- who enters (child_exec.c) ---- */

/* Walks the steps; for child_clone(). */
int entry_walk(void *entry);

int step_hide(struct child *child, const struct step *step);
int step_entry_join(struct child *child, const struct step *step);
int step_enter(struct child *child, const struct step *step);
int step_entry_root(struct child *child, const struct step *step);
int step_entry_ids(struct child *child, const struct step *step);
int step_entry_terminal(struct child *child, const struct step *step);
int step_entry_stdio(struct child *child, const struct step *step);
int step_entry_capabilities(struct child *child, const struct step *step);
int step_fork(struct child *child, const struct step *step);
int step_go(struct child *child, const struct step *step);
int step_entry_session(struct child *child, const struct step *step);
int step_no_strangers(struct child *child, const struct step *step);
