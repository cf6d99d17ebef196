/* What this host allows a container: tried, not guessed from version numbers and switches. */
#pragma once

#include "container.h"

enum container_support { CONTAINER_SUPPORTED, CONTAINER_LIMITED, CONTAINER_UNSUPPORTED };

/* Tries the namespaces of these options in a child that ends at once; rootfs and argv are not looked at, no cgroup is made. `ret_found` says
 * what was found, its hint is the remedy (its code is 0 when all is well). */
enum container_support container_support(const struct container_options *options, struct error *ret_found);
