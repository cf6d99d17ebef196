/* What is expected of a hierarchy, and whether containers can run in it. Nothing here touches a cgroup. */
#include "shares.h"

#include <runtime/container.h>

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>

int shares_cpu(int wish, int *ret, struct error *err)
{
	cpu_set_t usable;
	int last = -1;

	if (sched_getaffinity(0, sizeof(usable), &usable) < 0)
		return error_errno(err, "CPUs of this process");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET((size_t)cpu, &usable) && (wish < 0 || cpu == wish))
			last = cpu;
	if (last < 0)
		return error_set(err, EINVAL, "CPU %d is not there, or this process may not use it", wish);
	*ret = last;
	return 0;
}

bool shares_is_idle(const struct cgroup_hierarchy *hierarchy, const bool idle[CGROUP_NODES_MAX], size_t node)
{
	for (int at = (int)node; at >= 0; at = hierarchy->nodes[at].parent)
		if (idle[at])
			return true;
	return false;
}

/* Before anything is made: with less memory a start would end this process, whose memory it shares until the exec. */
static int check_node(const struct cgroup_limits *limits, int cpu, struct error *err)
{
	struct cgroup_list list;

	if (limits->memory_bytes > 0 && limits->memory_bytes < CONTAINER_MEMORY_MIN)
		return error_set(err, EINVAL, "memory of %lld bytes: a container's start needs %d MiB", (long long)limits->memory_bytes,
				 CONTAINER_MEMORY_MIN >> 20);
	if (!limits->cpus[0])
		return 0;
	int rc = cgroup_list_parse("CPU", limits->cpus, &list, err);
	if (rc == 0 && !(list.bits[cpu / 64] >> (cpu % 64) & 1))
		rc = error_set(err, EINVAL, "its CPUs are %s, and all members are to run on CPU %d", limits->cpus, cpu);
	return rc;
}

int shares_check(const struct cgroup_hierarchy *hierarchy, const struct shares_options *options, struct error *err)
{
	char path[CGROUP_PATH_MAX * 2];
	bool any = false;

	for (size_t i = 0; i < hierarchy->n_nodes; i++) {
		if (check_node(&hierarchy->nodes[i].limits, options->cpu, err) < 0)
			return error_prefix(err, "group %.160s", cgroup_hierarchy_path(hierarchy, i, path, sizeof(path)));
		any |= hierarchy->nodes[i].n_children == 0 && !shares_is_idle(hierarchy, options->idle, i);
	}
	return any ? 0 : error_set(err, EINVAL, "all groups are to be idle: nothing is left to measure");
}

/* ---- expected ---- */

/* CPUs that a node takes when it can have all that it wants. Children stand behind their parents. */
static void find_wants(const struct cgroup_hierarchy *hierarchy, const bool idle[CGROUP_NODES_MAX], double wants[CGROUP_NODES_MAX])
{
	for (size_t i = 0; i < hierarchy->n_nodes; i++)
		wants[i] = hierarchy->nodes[i].n_children == 0 && !shares_is_idle(hierarchy, idle, i) ? 1 : 0;
	for (size_t i = hierarchy->n_nodes; i-- > 0;) {
		const struct cgroup_node *node = &hierarchy->nodes[i];

		if (node->limits.cpu_percent > 0)
			wants[i] = fmin(wants[i], node->limits.cpu_percent / 100.0);
		if (node->parent >= 0)
			wants[node->parent] += wants[i];
	}
}

/* One round: each child whose part is as much as it wants, or more, gets what it wants. Returns how many did; when none does, all get their parts. */
static size_t share_round(const struct cgroup_hierarchy *hierarchy, int parent, const double wants[CGROUP_NODES_MAX],
			  bool done[CGROUP_NODES_MAX], double *left, double ret[CGROUP_NODES_MAX])
{
	double weights = 0, given = 0;
	size_t n_done = 0;

	for (size_t i = 0; i < hierarchy->n_nodes; i++)
		if (hierarchy->nodes[i].parent == parent && !done[i])
			weights += hierarchy->nodes[i].cpu_share;
	for (size_t i = 0; i < hierarchy->n_nodes; i++) {
		if (hierarchy->nodes[i].parent != parent || done[i])
			continue;
		ret[i] = *left * hierarchy->nodes[i].cpu_share / weights;
		if (ret[i] < wants[i])
			continue;
		given += ret[i] = wants[i];
		done[i] = true;
		n_done++;
	}
	*left -= given;
	return n_done;
}

void shares_expect(const struct cgroup_hierarchy *hierarchy, const bool idle[CGROUP_NODES_MAX], double cpu, double ret[CGROUP_NODES_MAX])
{
	double wants[CGROUP_NODES_MAX], sum = 0;
	bool done[CGROUP_NODES_MAX] = {false};

	find_wants(hierarchy, idle, wants);
	for (int parent = -1; parent < (int)hierarchy->n_nodes; parent++)
		for (double left = parent < 0 ? cpu : ret[parent]; share_round(hierarchy, parent, wants, done, &left, ret) > 0;)
			;
	for (size_t i = 0; i < hierarchy->n_nodes; i++)
		sum += hierarchy->nodes[i].n_children == 0 ? ret[i] : 0;
	for (size_t i = 0; i < hierarchy->n_nodes && sum > 0; i++)
		ret[i] /= sum;
}

size_t shares_worst(const struct cgroup_hierarchy *hierarchy, const struct shares *shares, double *ret_points)
{
	size_t worst = 0;

	*ret_points = 0;
	for (size_t i = 0; i < hierarchy->n_nodes; i++) {
		double points = fabs(shares->parts[i].measured - shares->parts[i].expected);

		if (points <= *ret_points)
			continue;
		worst = i;
		*ret_points = points;
	}
	return worst;
}
