/* Memory of one instance as the host sees it, in bytes, while it idles after its first answer (T6). A field that could not be read is
 * FOOTPRINT_UNKNOWN, never 0. Plain data. */
#pragma once

#include <stdint.h>

#define FOOTPRINT_UNKNOWN INT64_C(-1)

struct footprint {
	int64_t uss_bytes;    /* private to the instance's processes (Private_Clean + Private_Dirty) */
	int64_t pss_bytes;    /* with its share of what is shared */
	int64_t rss_bytes;    /* only to warn: counts shared pages in full */
	int64_t cgroup_bytes; /* the memory cgroup's own counter, where the instance has one */
	int64_t cgroup_peak_bytes;
};

#define FOOTPRINT_NONE ((struct footprint){FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN, FOOTPRINT_UNKNOWN})
