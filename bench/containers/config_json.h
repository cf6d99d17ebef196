/* What `inspect` shows as a container's configuration. */
#pragma once

#include <runtime/container.h>

#include <jansson.h>

/* Of a container that has started. A new reference, or NULL: out of memory. */
json_t *config_json(const struct container_options *options, const struct container_plan *plan, const struct container *container,
		    const char *id);
