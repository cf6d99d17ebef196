#include "topology.h"

#include <errno.h>
#include <hwloc.h>
#include <string.h>

/* The CPUs in the order in which instances take them: the last core's first thread first, second threads only after all cores. The measuring
 * process takes the end of this list, so that the two are as far apart as the machine allows. */
static int ordered_cpus(hwloc_topology_t topology, hwloc_const_bitmap_t allowed, unsigned *ret, int max)
{
	int n_cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE), count = 0;

	for (int thread = 0; count < max; thread++) {
		int before = count;

		for (int core = n_cores; core-- > 0 && count < max;) {
			hwloc_obj_t object = hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, (unsigned)core);
			int cpu = -1, seen = -1;

			while ((cpu = hwloc_bitmap_next(object->cpuset, cpu)) >= 0)
				if (hwloc_bitmap_isset(allowed, (unsigned)cpu) && ++seen == thread)
					ret[count++] = (unsigned)cpu;
		}
		if (count == before)
			break;
	}
	return count;
}

static void choose_sets(hwloc_topology_t topology, struct run_plan *plan)
{
	unsigned cpus[1024];
	hwloc_bitmap_t allowed = hwloc_bitmap_alloc(), instance = hwloc_bitmap_alloc(), measure = hwloc_bitmap_alloc();
	int count = 0;

	if (allowed && instance && measure && hwloc_get_cpubind(topology, allowed, HWLOC_CPUBIND_PROCESS) == 0)
		count = ordered_cpus(topology, allowed, cpus, 1024);
	if (count >= 2 && plan->vcpus < count) {
		int n_cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
		/* On a core that no instance uses, if the instances leave one. */
		int mine = plan->vcpus < n_cores && n_cores <= count ? n_cores - 1 : count - 1;

		for (int i = 0; i < plan->vcpus; i++)
			hwloc_bitmap_set(instance, cpus[i]);
		hwloc_bitmap_set(measure, cpus[mine]);
		int length = hwloc_bitmap_list_snprintf(plan->cpuset_instance, sizeof(plan->cpuset_instance), instance);
		hwloc_bitmap_list_snprintf(plan->cpuset_measure, sizeof(plan->cpuset_measure), measure);
		/* A list that was cut would name other CPUs. */
		if (length >= (int)sizeof(plan->cpuset_instance))
			plan->cpuset_instance[0] = plan->cpuset_measure[0] = '\0';
	}
	hwloc_bitmap_free(allowed);
	hwloc_bitmap_free(instance);
	hwloc_bitmap_free(measure);
}

int topology_choose(struct run_plan *plan, struct environment *environment, struct error *err)
{
	hwloc_topology_t topology;

	if (hwloc_topology_init(&topology) < 0)
		return error_set(err, ENOMEM, "hwloc: out of memory");
	if (hwloc_topology_load(topology) < 0) {
		hwloc_topology_destroy(topology);
		return error_errno(err, "hwloc: read the topology");
	}
	environment->packages = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE);
	environment->cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
	environment->threads = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
	environment->numa_nodes = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
	choose_sets(topology, plan);
	hwloc_topology_destroy(topology);
	return 0;
}
