/* A container's link to others: on a bridge of ours, or through a carrier of the user (pasta, slirp4netns). Internal to runtime/. */
#pragma once

#include "plan_build.h"

/* Says which network it is; adds the parent's step that makes a link and the child's that wait for it. Called where the child is in its network namespace. */
int plan_link(struct container_plan *plan, const struct container_options *options, struct error *err);

/* Opens the bridge, once for all containers of the plan; nothing where none is asked for. */
int plan_link_open(struct container_plan *plan, struct error *err);

/* Undoes what was made for one container that has ended. Idempotent. */
int plan_link_undo(struct container_plan *plan, struct container *container, struct error *err);
void plan_link_close(struct container_plan *plan);
