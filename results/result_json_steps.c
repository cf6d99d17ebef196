/* The steps of a start: their names with a driver, their times with a sample. */
#include "result_json.h"

#include "json_map.h"

#include <inttypes.h>
#include <string.h>

/* Appends and takes over; false without memory. */
static bool append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) == 0;
}

json_t *result_json_step_list(const struct step_list *steps)
{
	json_t *array = json_array();
	bool fine = array;

	for (size_t i = 0; fine && i < steps->n; i++) {
		struct json_make make = json_make_begin();

		json_make_set(&make, "name", json_text_new(steps->at[i].name));
		json_make_set(&make, "lane", json_string(step_lane_names[steps->at[i].lane]));
		fine = append(array, json_make_end(&make));
	}
	if (fine)
		return array;
	json_decref(array);
	return NULL;
}

/* [begin, end] from the base on; up to the last step that is present, null for those before it that are not. */
json_t *result_json_step_times(const struct step_times *times, int64_t base)
{
	json_t *array = json_array();
	bool fine = array;

	for (size_t i = 0; fine && i < STEPS_MAX && times->present >> i; i++) {
		json_t *pair = step_times_has(times, i) ? json_array() : json_null();

		if (pair && step_times_has(times, i)) {
			fine &= append(pair, json_integer((json_int_t)((uint64_t)times->at[i].begin_ns - (uint64_t)base)));
			fine &= append(pair, json_integer((json_int_t)((uint64_t)times->at[i].end_ns - (uint64_t)base)));
		}
		fine &= append(array, pair);
	}
	if (fine)
		return array;
	json_decref(array);
	return NULL;
}

/* The elements of an optional list of at most STEPS_MAX; *ret_n is 0 where there is none. */
static int open_list(const struct json_node *parent, struct json_node *ret, size_t *ret_n, struct error *err)
{
	int r;

	*ret_n = 0;
	if (!json_object_get(parent->value, "steps"))
		return 0;
	r = json_node_member(parent, "steps", ret, err);
	if (r < 0)
		return r;
	if (!json_is_array(ret->value))
		return json_node_fail(ret, err, "expected an array");
	if (json_array_size(ret->value) > STEPS_MAX)
		return json_node_fail(ret, err, "more than %d elements", STEPS_MAX);
	*ret_n = json_array_size(ret->value);
	return 0;
}

static struct json_node element(const struct json_node *list, size_t index)
{
	return (struct json_node){.source = list->source, .parent = list, .index = index, .value = json_array_get(list->value, index)};
}

static int read_lane(const struct json_node *step, enum step_lane *ret, struct error *err)
{
	struct json_node member;
	const char *text;
	int r = json_node_member(step, "lane", &member, err);

	if (r == 0)
		r = json_node_text(&member, 32, &text, err);
	for (int lane = 0; r == 0 && lane < STEP_LANE_COUNT; lane++) {
		if (strcmp(text, step_lane_names[lane]) == 0) {
			*ret = (enum step_lane)lane;
			return 0;
		}
	}
	return r < 0 ? r : json_node_fail(&member, err, "expected parent, child or helper");
}

/* Names are unique, and not empty. */
static int read_step(const struct json_node *step, struct step_list *list, struct error *err)
{
	struct json_node member;
	const char *text;
	int r = json_node_expect_object(step, err);

	if (r == 0)
		r = json_node_member(step, "name", &member, err);
	if (r == 0)
		r = json_node_text(&member, STEP_NAME_MAX, &text, err);
	if (r < 0)
		return r;
	if (!*text)
		return json_node_fail(&member, err, "empty");
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->at[i].name, text) == 0)
			return json_node_fail(&member, err, "is that of steps[%zu]", i);
	memcpy(list->at[list->n].name, text, strlen(text) + 1);
	r = read_lane(step, &list->at[list->n].lane, err);
	list->n += r == 0;
	return r;
}

int result_json_read_step_list(const struct json_node *driver, struct step_list *ret, struct error *err)
{
	struct step_list steps = {0};
	struct json_node list;
	size_t n;
	int r = open_list(driver, &list, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct json_node step = element(&list, i);

		r = read_step(&step, &steps, err);
	}
	if (r == 0)
		*ret = steps;
	return r;
}

/* A time of the clock from what was written relative to the base. */
static int read_stamp(const struct json_node *pair, size_t index, int64_t base, int64_t *ret, struct error *err)
{
	struct json_node node = element(pair, index);
	int64_t relative;
	int r = json_node_integer(&node, INT64_MIN, INT64_MAX, &relative, err);

	if (r < 0)
		return r;
	if (__builtin_add_overflow(base, relative, ret) || *ret < 0)
		return json_node_fail(&node, err, "%" PRId64 " ns from the request is no time of the clock", relative);
	return 0;
}

int result_json_read_step_times(const struct json_node *sample, int64_t base, struct step_times *ret, struct error *err)
{
	struct step_times times = {0};
	struct json_node list;
	size_t n;
	int r = open_list(sample, &list, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct json_node pair = element(&list, i);
		int64_t begin, end;

		if (json_is_null(pair.value))
			continue;
		if (!json_is_array(pair.value) || json_array_size(pair.value) != 2)
			return json_node_fail(&pair, err, "expected [begin, end] or null");
		r = read_stamp(&pair, 0, base, &begin, err);
		if (r == 0)
			r = read_stamp(&pair, 1, base, &end, err);
		if (r == 0 && end < begin)
			return json_node_fail(&pair, err, "ends before it begins");
		if (r == 0)
			step_times_set(&times, i, begin, end);
	}
	if (r == 0)
		*ret = times;
	return r;
}
