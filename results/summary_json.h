/* The summary of a result as JSON, for readers that have no statistics of their own. Written, never read back. */
#pragma once

#include "summary.h"

#include <jansson.h>

/* The caller's reference; NULL: no memory. Times are whole nanoseconds, what is not known is null. */
json_t *summary_json(const struct result *result, const struct summary *summary);
