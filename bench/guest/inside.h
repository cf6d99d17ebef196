/* What is in force for a running container, as the guest's kernel tells it from outside: not what a plan intended. */
#pragma once

#include <runtime/container.h>

/* Writes one line "fact <key>=<value>" each to `fd`, and "facts end". */
void inside_tell(int fd, const struct container_plan *plan, const struct container *container);

/* Did the kernel end processes of the container for its memory limit, and how many? */
int64_t inside_oom_kills(const struct container_plan *plan, const struct container *container);
