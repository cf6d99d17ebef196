/* Tables of the parts of a result, and by hand what a table cannot say: maps with free keys, bits, the ladder. */
#include "result_json.h"

#include "json_map.h"

#include <inttypes.h>
#include <string.h>

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

#define LEFT_OUT(field, kind) JSON_FIELD(struct left_out, field, kind)
static const struct json_field left_out_fields[] = {LEFT_OUT(label, TEXT), LEFT_OUT(reason, TEXT), {0}};

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

#define FOOTPRINT(field, kind) JSON_FIELD(struct footprint, field, kind)
static const struct json_field footprint_fields[] = {
	FOOTPRINT(uss_bytes, INT64_OR_NULL),    FOOTPRINT(pss_bytes, INT64_OR_NULL),         FOOTPRINT(rss_bytes, INT64_OR_NULL),
	FOOTPRINT(cgroup_bytes, INT64_OR_NULL), FOOTPRINT(cgroup_peak_bytes, INT64_OR_NULL), {0},
};

#define SAMPLE(field, kind) JSON_FIELD(struct sample, field, kind)
static const struct json_field sample_place_fields[] = {
	SAMPLE(driver, COUNT), SAMPLE(block, COUNT), SAMPLE(position, COUNT), SAMPLE(warmup, BOOL), {0},
};

static const struct json_field sample_fields[] = {
	SAMPLE(reason, TEXT_OPTIONAL),
	SAMPLE(phases_disagree, BOOL),
	{0},
};

static const struct {
	const char *key;
	unsigned bit;
} caps[] = {
	{"same_kernel", DRIVER_SAME_KERNEL},
	{"no_agent", DRIVER_NO_AGENT},
	{"virtual_clock", DRIVER_VIRTUAL_CLOCK},
	{"is_guest", DRIVER_IS_GUEST},
};
enum { N_CAPS = sizeof(caps) / sizeof(caps[0]) };

/* ---- structs of one table ---- */

static json_t *from_fields(const struct json_field *fields, const void *from)
{
	struct json_make make = json_make_begin();

	json_make_fields(&make, fields, from);
	return json_make_end(&make);
}

json_t *result_json_plan(const struct run_plan *plan)
{
	return from_fields(plan_fields, plan);
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
	return from_fields(environment_fields, environment);
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
	json_make_set(&make, "disturbance", from_fields(disturbance_fields, &block->disturbance));
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

/* ---- drivers ---- */

static json_t *options_json(const struct driver_spec *spec)
{
	struct json_make make = json_make_begin();

	for (size_t i = 0; i < spec->n_options; i++)
		/* Given twice, the first one rules, as in driver_option(). */
		if (!json_object_get(make.object, spec->options[i].key))
			json_make_set(&make, spec->options[i].key, json_text_new(spec->options[i].value));
	return json_make_end(&make);
}

static json_t *info_json(const struct driver_info *info)
{
	struct json_make make = json_make_begin();

	for (size_t i = 0; i < info->n_pairs; i++)
		json_make_set(&make, info->pairs[i].key, json_text_new(info->pairs[i].value));
	return json_make_end(&make);
}

static json_t *notes_json(const struct driver_info *info)
{
	json_t *notes = json_array();

	for (size_t i = 0; notes && i < info->n_notes; i++) {
		if (json_array_append_new(notes, json_text_new(info->notes[i])) < 0) {
			json_decref(notes);
			return NULL;
		}
	}
	return notes;
}

static json_t *caps_json(unsigned bits)
{
	struct json_make make = json_make_begin();

	for (size_t i = 0; i < N_CAPS; i++)
		json_make_set(&make, caps[i].key, json_boolean(bits & caps[i].bit));
	return json_make_end(&make);
}

json_t *result_json_driver(const struct result_driver *driver)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "label", json_text_new(driver->spec.label));
	json_make_set(&make, "name", json_text_new(driver->spec.name));
	json_make_set(&make, "options", options_json(&driver->spec));
	json_make_set(&make, "caps", caps_json(driver->caps));
	json_make_set(&make, "info", info_json(&driver->info));
	json_make_set(&make, "notes", notes_json(&driver->info));
	return json_make_end(&make);
}

/* Copies a text member of at most size - 1 bytes; an empty one names nothing. */
static int read_name(const struct json_node *object, const char *key, char *ret, size_t size, struct error *err)
{
	struct json_node member;
	const char *text;
	int r = json_node_member(object, key, &member, err);

	if (r == 0)
		r = json_node_text(&member, size, &text, err);
	if (r < 0)
		return r;
	if (!*text)
		return json_node_fail(&member, err, "empty");
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

/* A map of free keys to text, handed to `add` one pair at a time. Keys are shorter than key_size, values than value_size. */
static int read_map(const struct json_node *parent, const char *name, size_t max, size_t key_size, size_t value_size,
		    void (*add)(void *arg, const char *key, const char *value), void *arg, struct error *err)
{
	struct json_node map;
	const char *key;
	json_t *value;
	int r = json_node_member(parent, name, &map, err);

	if (r == 0)
		r = json_node_expect_object(&map, err);
	if (r < 0)
		return r;
	if (json_object_size(map.value) > max)
		return json_node_fail(&map, err, "more than %zu members", max);
	json_object_foreach(map.value, key, value)
	{
		struct json_node member = {.source = map.source, .parent = &map, .key = key, .value = value};
		const char *text;

		if (!*key || strlen(key) >= key_size || !json_text_is_plain(key))
			return json_node_fail(&map, err, "a member's name is empty, longer than %zu bytes or has control characters",
					      key_size - 1);
		r = json_node_text(&member, value_size, &text, err);
		if (r < 0)
			return r;
		add(arg, key, text);
	}
	return 0;
}

static void add_option(void *arg, const char *key, const char *value)
{
	struct driver_spec *spec = arg;
	struct driver_option_value *option = &spec->options[spec->n_options++];

	memcpy(option->key, key, strlen(key) + 1);
	memcpy(option->value, value, strlen(value) + 1);
}

static void add_pair(void *arg, const char *key, const char *value)
{
	struct driver_info *info = arg;
	size_t i = info->n_pairs++;

	memcpy(info->pairs[i].key, key, strlen(key) + 1);
	memcpy(info->pairs[i].value, value, strlen(value) + 1);
}

static int read_notes(const struct json_node *driver, struct driver_info *ret, struct error *err)
{
	struct json_node notes;
	int r = json_node_member(driver, "notes", &notes, err);

	if (r < 0)
		return r;
	if (!json_is_array(notes.value))
		return json_node_fail(&notes, err, "expected an array");
	if (json_array_size(notes.value) > DRIVER_NOTES_MAX)
		return json_node_fail(&notes, err, "more than %d elements", DRIVER_NOTES_MAX);
	for (size_t i = 0; i < json_array_size(notes.value); i++) {
		struct json_node note = {.source = notes.source, .parent = &notes, .index = i, .value = json_array_get(notes.value, i)};
		const char *text;

		r = json_node_text(&note, sizeof(ret->notes[i]), &text, err);
		if (r < 0)
			return r;
		memcpy(ret->notes[ret->n_notes++], text, strlen(text) + 1);
	}
	return 0;
}

static int read_caps(const struct json_node *driver, unsigned *ret, struct error *err)
{
	struct json_node object, member;
	unsigned bits = 0;
	int r = json_node_member(driver, "caps", &object, err);

	for (size_t i = 0; r == 0 && i < N_CAPS; i++) {
		bool set = false;

		r = json_node_member(&object, caps[i].key, &member, err);
		if (r == 0)
			r = json_node_bool(&member, &set, err);
		bits |= set ? caps[i].bit : 0;
	}
	if (r == 0)
		*ret = bits;
	return r;
}

int result_json_read_driver(const struct json_node *node, struct result_driver *ret, struct error *err)
{
	struct result_driver driver = {0};
	struct driver_spec *spec = &driver.spec;
	struct driver_info *info = &driver.info;
	int r = read_name(node, "label", spec->label, sizeof(spec->label), err);

	if (r == 0)
		r = read_name(node, "name", spec->name, sizeof(spec->name), err);
	if (r == 0)
		r = read_map(node, "options", DRIVER_OPTIONS_MAX, sizeof(spec->options[0].key), sizeof(spec->options[0].value), add_option,
			     spec, err);
	if (r == 0)
		r = read_caps(node, &driver.caps, err);
	if (r == 0)
		r = read_map(node, "info", DRIVER_PAIRS_MAX, sizeof(info->pairs[0].key), sizeof(info->pairs[0].value), add_pair, info, err);
	if (r == 0)
		r = read_notes(node, info, err);
	if (r == 0)
		*ret = driver;
	return r;
}

json_t *result_json_left_out(const struct left_out *left_out)
{
	return from_fields(left_out_fields, left_out);
}

int result_json_read_left_out(const struct json_node *node, struct left_out *ret, struct error *err)
{
	struct left_out left_out = {0};
	int r = read_name(node, "label", left_out.label, sizeof(left_out.label), err);

	if (r == 0)
		r = json_read_fields(node, left_out_fields, &left_out, err);
	if (r == 0)
		*ret = left_out;
	return r;
}

/* ---- samples ---- */

/* The time that marks are relative to: the request, or the clock's own zero where there was none. */
static int64_t base_of(const struct timeline *tl)
{
	return timeline_has(tl, MARK_REQUEST) ? tl->at_ns[MARK_REQUEST] : 0;
}

static json_t *marks_json(const struct timeline *tl)
{
	struct json_make make = json_make_begin();

	for (int mark = 0; mark < MARK_COUNT; mark++)
		if (timeline_has(tl, (enum mark)mark))
			json_make_set(&make, mark_names[mark],
				      json_integer((json_int_t)((uint64_t)tl->at_ns[mark] - (uint64_t)base_of(tl))));
	return json_make_end(&make);
}

json_t *result_json_sample(const struct sample *sample)
{
	struct json_make make = json_make_begin();
	const struct timeline *tl = &sample->timeline;

	json_make_fields(&make, sample_place_fields, sample);
	json_make_set(&make, "status", json_string(sample_status_names[sample->status]));
	json_make_fields(&make, sample_fields, sample);
	json_make_set(&make, "request_ns", timeline_has(tl, MARK_REQUEST) ? json_integer(tl->at_ns[MARK_REQUEST]) : json_null());
	json_make_set(&make, "marks", marks_json(tl));
	json_make_set(&make, "footprint", from_fields(footprint_fields, &sample->footprint));
	return json_make_end(&make);
}

static int read_status(const struct json_node *sample, enum sample_status *ret, struct error *err)
{
	struct json_node member;
	const char *text;
	int r = json_node_member(sample, "status", &member, err);

	if (r == 0)
		r = json_node_text(&member, 32, &text, err);
	if (r < 0)
		return r;
	for (int status = 0; status < SAMPLE_STATUS_COUNT; status++) {
		if (strcmp(text, sample_status_names[status]) == 0) {
			*ret = (enum sample_status)status;
			return 0;
		}
	}
	return json_node_fail(&member, err, "expected ok, censored or failed");
}

/* One mark, relative to `base`; the sum must be a time. */
static int read_mark(const struct json_node *marks, enum mark mark, int64_t base, struct timeline *ret, struct error *err)
{
	struct json_node member;
	int64_t relative, at;
	int r = json_node_member(marks, mark_names[mark], &member, err);

	if (r == 0)
		r = json_node_integer(&member, INT64_MIN, INT64_MAX, &relative, err);
	if (r < 0)
		return r;
	if (__builtin_add_overflow(base, relative, &at) || at < 0)
		return json_node_fail(&member, err, "%" PRId64 " ns from the request is no time of the clock", relative);
	timeline_mark_at(ret, mark, at);
	return 0;
}

static int read_timeline(const struct json_node *sample, struct timeline *ret, struct error *err)
{
	struct timeline tl = {0};
	struct json_node request, marks;
	size_t known = 0;
	int64_t base = 0;
	int r = json_node_member(sample, "request_ns", &request, err);

	if (r == 0 && !json_is_null(request.value))
		r = json_node_integer(&request, 0, INT64_MAX, &base, err);
	if (r == 0)
		r = json_node_member(sample, "marks", &marks, err);
	if (r == 0)
		r = json_node_expect_object(&marks, err);
	for (int mark = 0; r == 0 && mark < MARK_COUNT; mark++) {
		if (json_object_get(marks.value, mark_names[mark])) {
			known++;
			r = read_mark(&marks, (enum mark)mark, base, &tl, err);
		}
	}
	if (r < 0)
		return r;
	if (json_object_size(marks.value) != known)
		return json_node_fail(&marks, err, "unknown mark");
	if (timeline_has(&tl, MARK_REQUEST) == json_is_null(request.value) ||
	    (timeline_has(&tl, MARK_REQUEST) && tl.at_ns[MARK_REQUEST] != base))
		return json_node_fail(&marks, err, "request must be 0 where request_ns is known, and absent where it is null");
	*ret = tl;
	return 0;
}

int result_json_read_sample(const struct json_node *node, struct sample *ret, struct error *err)
{
	struct sample sample = {0};
	struct json_node footprint;
	int r = json_read_fields(node, sample_place_fields, &sample, err);

	if (r == 0)
		r = read_status(node, &sample.status, err);
	if (r == 0)
		r = json_read_fields(node, sample_fields, &sample, err);
	if (r == 0)
		r = read_timeline(node, &sample.timeline, err);
	if (r == 0)
		r = json_node_member(node, "footprint", &footprint, err);
	if (r == 0)
		r = json_read_fields(&footprint, footprint_fields, &sample.footprint, err);
	if (r == 0)
		*ret = sample;
	return r;
}
