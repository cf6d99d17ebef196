/* One sample: its place, the ladder, the steps, the footprint. */
#include "result_json.h"

#include "json_map.h"

#include <inttypes.h>
#include <string.h>

#define FOOTPRINT(field, kind) JSON_FIELD(struct footprint, field, kind)
static const struct json_field footprint_fields[] = {
	FOOTPRINT(uss_bytes, INT64_OR_NULL),    FOOTPRINT(pss_bytes, INT64_OR_NULL),         FOOTPRINT(rss_bytes, INT64_OR_NULL),
	FOOTPRINT(cgroup_bytes, INT64_OR_NULL), FOOTPRINT(cgroup_peak_bytes, INT64_OR_NULL), {0},
};

#define GUEST(field) JSON_FIELD(struct footprint_guest, field, INT64_OR_NULL)
static const struct json_field guest_fields[] = {
	GUEST(ram_bytes),
	GUEST(vmm_pss_bytes),
	GUEST(total_bytes),
	GUEST(used_bytes),
	GUEST(balloon_bytes),
	GUEST(balloon_unused_bytes),
	{0},
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

json_t *result_json_sample(const struct sample *sample, const struct step_times *steps)
{
	struct json_make make = json_make_begin();
	const struct timeline *tl = &sample->timeline;

	json_make_fields(&make, sample_place_fields, sample);
	json_make_set(&make, "status", json_string(sample_status_names[sample->status]));
	json_make_fields(&make, sample_fields, sample);
	json_make_set(&make, "request_ns", timeline_has(tl, MARK_REQUEST) ? json_integer(tl->at_ns[MARK_REQUEST]) : json_null());
	json_make_set(&make, "marks", marks_json(tl));
	if (steps)
		json_make_set(&make, "steps", result_json_step_times(steps, base_of(tl)));
	json_make_set(&make, "footprint", json_from_fields(footprint_fields, &sample->footprint));
	if (footprint_has_guest(&sample->footprint))
		json_make_set(&make, "guest_memory", json_from_fields(guest_fields, &sample->footprint.guest));
	return json_make_end(&make);
}

static int read_guest(const struct json_node *sample, struct footprint_guest *ret, struct error *err)
{
	struct json_node member;

	*ret = FOOTPRINT_GUEST_NONE;
	if (!json_object_get(sample->value, "guest_memory"))
		return 0;
	int r = json_node_member(sample, "guest_memory", &member, err);
	return r < 0 ? r : json_read_fields(&member, guest_fields, ret, err);
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

int result_json_read_sample(const struct json_node *node, struct sample *ret, struct step_times *ret_steps, struct error *err)
{
	struct sample sample = {0};
	struct step_times steps = {0};
	struct json_node footprint;
	int r = json_read_fields(node, sample_place_fields, &sample, err);

	if (r == 0)
		r = read_status(node, &sample.status, err);
	if (r == 0)
		r = json_read_fields(node, sample_fields, &sample, err);
	if (r == 0)
		r = read_timeline(node, &sample.timeline, err);
	if (r == 0)
		r = result_json_read_step_times(node, base_of(&sample.timeline), &steps, err);
	if (r == 0)
		r = json_node_member(node, "footprint", &footprint, err);
	if (r == 0)
		r = json_read_fields(&footprint, footprint_fields, &sample.footprint, err);
	if (r == 0)
		r = read_guest(node, &sample.footprint.guest, err);
	if (r == 0) {
		*ret = sample;
		*ret_steps = steps;
	}
	return r;
}
