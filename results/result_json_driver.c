/* Who took part and who was left out: maps with free keys, bits, lists of names. */
#include "result_json.h"

#include "json_map.h"

#include <string.h>

#define LEFT_OUT(field, kind) JSON_FIELD(struct left_out, field, kind)
static const struct json_field left_out_fields[] = {LEFT_OUT(label, TEXT), LEFT_OUT(reason, TEXT), {0}};

#define VARIANT(field, kind) JSON_FIELD(struct variant, field, kind)
static const struct json_field variant_fields[] = {VARIANT(feature, TEXT_OPTIONAL), {0}};

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

static json_t *variant_json(const struct variant *variant)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "role", json_string(variant_role_names[variant->role]));
	json_make_fields(&make, variant_fields, variant);
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
	if (driver->info.steps.n > 0)
		json_make_set(&make, "steps", result_json_step_list(&driver->info.steps));
	if (driver->variant.role != VARIANT_NONE)
		json_make_set(&make, "variant", variant_json(&driver->variant));
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

/* An optional member; a driver without it is no variant of another. */
static int read_variant(const struct json_node *driver, struct variant *ret, struct error *err)
{
	struct json_node object, member;
	const char *text;
	int r;

	if (!json_object_get(driver->value, "variant"))
		return 0;
	r = json_node_member(driver, "variant", &object, err);
	if (r == 0)
		r = json_read_fields(&object, variant_fields, ret, err);
	if (r == 0)
		r = json_node_member(&object, "role", &member, err);
	if (r == 0)
		r = json_node_text(&member, 32, &text, err);
	for (int role = VARIANT_WHOLE; r == 0 && role < VARIANT_ROLE_COUNT; role++) {
		if (strcmp(text, variant_role_names[role]) == 0) {
			ret->role = (enum variant_role)role;
			return 0;
		}
	}
	return r < 0 ? r : json_node_fail(&member, err, "expected whole, again, without, with or floor");
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
		r = result_json_read_step_list(node, &info->steps, err);
	if (r == 0)
		r = read_variant(node, &driver.variant, err);
	if (r == 0)
		*ret = driver;
	return r;
}

json_t *result_json_left_out(const struct left_out *left_out)
{
	return json_from_fields(left_out_fields, left_out);
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
