/* Building a plan: what plan.c calls in its order, and what all of plan*.c add to. Internal to runtime/. */
#pragma once

#include "plan.h"

/* An empty plan, for container_plan_free(); NULL without memory. */
struct container_plan *plan_new(struct error *err);

/* A text that the plan owns, or NULL: looked at once, at the end. */
const char *plan_text(struct container_plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));
void plan_add(struct container_plan *plan, const char *name, step_apply apply, const char *arg, uint64_t number);

/* Adds the steps that build the root; `program` is the name in it, "" for none. */
int plan_root(struct container_plan *plan, const struct container_options *options, const char *program, struct error *err);

/* Adds those that need the network namespace, and the one that goes into the root. */
void plan_root_enter(struct container_plan *plan, const struct container_options *options);

/* Adds those that cover what a /proc of its own shows of the kernel. */
void plan_proc_masks(struct container_plan *plan, const struct container_options *options);

/* Adds what an init needs, where options->system asks for it; the latter two in the root, in this order (plan_system.c). */
int plan_system(struct container_plan *plan, const struct container_options *options, struct error *err);
void plan_system_proc(struct container_plan *plan, const struct container_options *options);
void plan_system_groups(struct container_plan *plan, const struct container_options *options);

/* Adds a step of the parent; returns the number that step_await waits for (0: it is before the clone, there is nothing to wait for). */
uint32_t plan_add_parent(struct container_plan *plan, struct parent_step step);

/* Copies arguments and environment, and says where exec looks. */
int plan_program(struct container_plan *plan, const struct container_options *options, struct error *err);

/* ---- what a plan consists of, in the order of the calls ---- */

/* Its network: begun first of all, joined, then waited for to the end (plan_network.c). */
void plan_network(struct container_plan *plan, const struct container_options *options);
void plan_network_join(struct container_plan *plan, const struct container_options *options);
void plan_network_settle(struct container_plan *plan, const struct container_options *options);

/* Takes those out of the flags that the child makes for itself. */
void plan_late_namespaces(struct container_plan *plan, const struct container_options *options);

/* The whole of a bare plan (plan_bare.c). */
int plan_bare(struct container_plan *plan, const struct container_options *options, struct error *err);

/* The whole of the plans of a pool (plan_pool.c). */
int plan_slot(struct container_plan *plan, const struct container_options *options, struct error *err);
int plan_warm(struct container_plan *plan, const struct container_options *options, struct error *err);

/* Namespaces, and who the container's root is (plan_process.c). */
void plan_namespaces(struct container_plan *plan, const struct container_options *options);

/* Whether there is a user namespace, and who is its root (plan_ids.c); what facts say of it; the steps. */
void plan_ids(struct container_plan *plan, const struct container_options *options);
void plan_ids_tell(const struct container_plan *plan, char *ret, size_t size);
bool plan_can_map(const struct container_plan *plan, const char *path); /* can its file system show other owners? */
void plan_ids_steps(struct container_plan *plan, const struct container_options *options);

/* A way for descriptors between parent and child. */
int plan_channel(struct container_plan *plan, struct error *err);

/* Is the root one that can be written, or of layers? */
bool plan_is_overlay(const struct container_options *options);

/* Parts of the root (plan_mounts.c): volumes, /dev and its devices, the terminal. plan_devices() comes before plan_cgroup(), as it sets limits. */
int plan_devices(struct container_plan *plan, const struct container_options *options, struct error *err);
/* After plan_cgroup(): without a user namespace nothing else than the group keeps from the host's other devices. -EPERM: and there is none. */
int plan_guard_devices(struct container_plan *plan, const struct container_options *options, struct error *err);
int plan_guard_hint(struct error *err); /* returns what error_hint() returns */
int plan_volumes(struct container_plan *plan, const struct container_options *options, struct error *err);
int plan_dev(struct container_plan *plan, const struct container_options *options, struct error *err);
int plan_terminal(struct container_plan *plan, const struct container_options *options, struct error *err);

/* Working folder and user of the program (plan_process.c). */
int plan_identity(struct container_plan *plan, const struct container_options *options, struct error *err);

/* Adds a place of the host; returns its number, for steps. */
int plan_source(struct container_plan *plan, struct plan_source source, size_t *ret, struct error *err);

/* Chooses the groups; makes none (plan_cgroup.c). */
int plan_cgroup(struct container_plan *plan, const struct container_options *options, struct error *err);

/* Adds the steps that make the container's group, join it and hide what is above. */
int plan_join(struct container_plan *plan, const struct container_options *options, bool whole, struct error *err);
const char *plan_late_names(const struct container_plan *plan);

/* The file that stands for a missing standard stream. */
int plan_nothing(struct container_plan *plan, struct error *err);

/* Limits of the process alone. */
void plan_rlimits(struct container_plan *plan);
void plan_open_files(struct container_plan *plan);
void plan_oom_score(struct container_plan *plan, const char *host_root);

/* What does not wait for the network: limits of the process, its bounding set, signals (plan_process.c). */
void plan_ahead(struct container_plan *plan);

/* The CPUs that it is bound to (plan_process.c). */
int plan_affinity(struct container_plan *plan, const struct container_options *options, struct error *err);

/* Its privileges: the last steps before the exec (plan_process.c). */
int plan_privileges(struct container_plan *plan, const struct container_options *options, struct error *err);
