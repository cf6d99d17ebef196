/* What this host allows a container: tried, not guessed from version numbers and switches. */
#pragma once

#include "container.h"

enum container_support { CONTAINER_SUPPORTED, CONTAINER_LIMITED, CONTAINER_UNSUPPORTED };

/* Walks the plan of these options in a child, with an empty tmpfs as root and no program at the end; rootfs and argv are not looked at, no
 * cgroup is made, nothing stays. `ret_found` says what was found, its hint is the remedy (its code is 0 when all is well). */
enum container_support container_support(const struct container_options *options, struct error *ret_found);
