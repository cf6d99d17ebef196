/* Parts of a result that a table describes: plan, environment, block. */
#include "result_json.h"

#include "json_map.h"

/* ---- tables ---- */

#define PLAN(field, kind) JSON_FIELD(struct run_plan, field, kind)
static const struct json_field plan_fields[] = {
	PLAN(n, COUNT),
	PLAN(warmup, COUNT),
	PLAN(seed, UINT64_TEXT),
	PLAN(timeout_ns, INT64),
	PLAN(memory_bytes, INT64_OR_NULL),
	PLAN(vcpus, INT_OR_NULL),
	PLAN(cpuset_measure, TEXT_OR_NULL),
	PLAN(cpuset_instance, TEXT_OR_NULL),
	{0},
};

#define ENVIRONMENT(field, kind) JSON_FIELD(struct environment, field, kind)
static const struct json_field environment_fields[] = {
	ENVIRONMENT(kernel, TEXT_OR_NULL),
	ENVIRONMENT(architecture, TEXT_OR_NULL),
	ENVIRONMENT(os, TEXT_OR_NULL),
	ENVIRONMENT(cpu_model, TEXT_OR_NULL),
	ENVIRONMENT(packages, INT_OR_NULL),
	ENVIRONMENT(cores, INT_OR_NULL),
	ENVIRONMENT(threads, INT_OR_NULL),
	ENVIRONMENT(numa_nodes, INT_OR_NULL),
	ENVIRONMENT(memory_bytes, INT64_OR_NULL),
	ENVIRONMENT(governor, TEXT_OR_NULL),
	ENVIRONMENT(smt, TEXT_OR_NULL),
	ENVIRONMENT(cgroup_mode, TEXT_OR_NULL),
	ENVIRONMENT(cgroup_controllers, TEXT_OR_NULL),
	ENVIRONMENT(hypervisor, TEXT_OR_NULL),
	ENVIRONMENT(thp, TEXT_OR_NULL),
	ENVIRONMENT(ksm, BOOL_OR_NULL),
	ENVIRONMENT(clocksource, TEXT_OR_NULL),
	ENVIRONMENT(libc, TEXT_OR_NULL),
	ENVIRONMENT(bench_version, TEXT_OR_NULL),
	ENVIRONMENT(compiler, TEXT_OR_NULL),
	ENVIRONMENT(build_type, TEXT_OR_NULL),
	ENVIRONMENT(agent_sha256, TEXT_OR_NULL),
	ENVIRONMENT(agent_bytes, INT64_OR_NULL),
	ENVIRONMENT(privileged, BOOL),
	{0},
};

#define DISTURBANCE(field, kind) JSON_FIELD(struct disturbance, field, kind)
static const struct json_field disturbance_fields[] = {
	DISTURBANCE(steal_ns, INT64_OR_NULL),        DISTURBANCE(procs_running, INT64_OR_NULL),
	DISTURBANCE(psi_cpu_some_ns, INT64_OR_NULL), DISTURBANCE(psi_memory_some_ns, INT64_OR_NULL),
	DISTURBANCE(psi_io_some_ns, INT64_OR_NULL),  DISTURBANCE(throttled_ns, INT64_OR_NULL),
	DISTURBANCE(spin_ns, INT64_OR_NULL),         {0},
};

#define BLOCK(field, kind) JSON_FIELD(struct block, field, kind)
static const struct json_field block_fields[] = {
	BLOCK(warmup, BOOL),
	BLOCK(tainted, BOOL),
	BLOCK(replaced, BOOL),
	BLOCK(taint_reason, TEXT_OPTIONAL),
	BLOCK(start_ns, INT64),
	BLOCK(duration_ns, INT64),
	{0},
};

json_t *result_json_plan(const struct run_plan *plan)
{
	return json_from_fields(plan_fields, plan);
}

int result_json_read_plan(const struct json_node *node, struct run_plan *ret, struct error *err)
{
	struct run_plan plan = {0};
	int r = json_read_fields(node, plan_fields, &plan, err);

	if (r == 0)
		*ret = plan;
	return r;
}

json_t *result_json_environment(const struct environment *environment)
{
	return json_from_fields(environment_fields, environment);
}

int result_json_read_environment(const struct json_node *node, struct environment *ret, struct error *err)
{
	struct environment environment = {0};
	int r = json_read_fields(node, environment_fields, &environment, err);

	if (r == 0)
		*ret = environment;
	return r;
}

json_t *result_json_block(const struct block *block)
{
	struct json_make make = json_make_begin();

	json_make_fields(&make, block_fields, block);
	json_make_set(&make, "disturbance", json_from_fields(disturbance_fields, &block->disturbance));
	return json_make_end(&make);
}

int result_json_read_block(const struct json_node *node, struct block *ret, struct error *err)
{
	struct block block = {0};
	struct json_node disturbance;
	int r = json_read_fields(node, block_fields, &block, err);

	if (r == 0)
		r = json_node_member(node, "disturbance", &disturbance, err);
	if (r == 0)
		r = json_read_fields(&disturbance, disturbance_fields, &block.disturbance, err);
	if (r == 0)
		*ret = block;
	return r;
}
