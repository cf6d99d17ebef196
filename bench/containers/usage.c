#include "usage.h"

#include "control.h"

#include <cgroup/cgroup.h>
#include <results/json_map.h>

#include <errno.h>

int usage_read(const struct container_state *state, struct cgroup_usage *ret, struct error *err)
{
	struct cgroup_tree tree;
	struct cgroup group;
	int rc = control_cgroup(state, &tree, &group, err);

	return rc < 0 ? rc : cgroup_usage_read(&tree, &group, ret, err);
}

static const struct json_field fields[] = {
	JSON_FIELD(struct cgroup_usage, cpu_ns, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, cpu_user_ns, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, cpu_system_ns, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, periods, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, throttled_periods, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, throttled_ns, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, memory_bytes, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, memory_peak_bytes, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, swap_bytes, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, kernel_bytes, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, high_events, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, oom_kills, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, pids, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage, pids_max_events, INT64_OR_NULL),
	{0},
};

static const struct json_field io_fields[] = {
	JSON_FIELD(struct cgroup_usage_io, read_bytes, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage_io, write_bytes, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage_io, read_ops, INT64_OR_NULL),
	JSON_FIELD(struct cgroup_usage_io, write_ops, INT64_OR_NULL),
	{0},
};

json_t *usage_json(const struct cgroup_usage *usage)
{
	struct json_make make = json_make_begin(), io = json_make_begin();

	json_make_fields(&make, fields, usage);
	json_make_fields(&io, io_fields, &usage->io);
	json_make_set(&make, "io", json_make_end(&io));
	return json_make_end(&make);
}
