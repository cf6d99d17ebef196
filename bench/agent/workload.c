/* The table of workloads. */
#include "workload.h"

#include <stddef.h>
#include <string.h>

static const struct workload *const workloads[] = {&workload_noop, &workload_spin};

const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (strcmp(workloads[i]->name, name) == 0)
			return workloads[i];
	return NULL;
}
