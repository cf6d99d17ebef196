/* Options of drivers as people write them, and the facts that a driver reports. */
#include "registry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *driver_option(const struct driver_spec *spec, const char *key, const char *fallback)
{
	for (size_t i = 0; i < spec->n_options; i++)
		if (strcmp(spec->options[i].key, key) == 0)
			return spec->options[i].value;
	return fallback;
}

void driver_info_set(struct driver_info *info, const char *key, const char *format, ...)
{
	size_t i = 0;

	while (i < info->n_pairs && strcmp(info->pairs[i].key, key) != 0)
		i++;
	if (i == DRIVER_PAIRS_MAX)
		return;

	va_list ap;

	va_start(ap, format);
	vsnprintf(info->pairs[i].value, sizeof(info->pairs[i].value), format, ap);
	va_end(ap);
	snprintf(info->pairs[i].key, sizeof(info->pairs[i].key), "%s", key);
	if (i == info->n_pairs)
		info->n_pairs++;
}

void driver_info_note(struct driver_info *info, const char *format, ...)
{
	if (info->n_notes == DRIVER_NOTES_MAX)
		return;

	va_list ap;

	va_start(ap, format);
	vsnprintf(info->notes[info->n_notes], sizeof(info->notes[0]), format, ap);
	va_end(ap);
	info->n_notes++;
}

const char *driver_info_get(const struct driver_info *info, const char *key)
{
	for (size_t i = 0; i < info->n_pairs; i++)
		if (strcmp(info->pairs[i].key, key) == 0)
			return info->pairs[i].value;
	return NULL;
}

size_t driver_info_step(struct driver_info *info, enum step_lane lane, const char *format, ...)
{
	struct step_list *steps = &info->steps;
	va_list ap;

	if (steps->n == STEPS_MAX)
		return STEPS_MAX;
	va_start(ap, format);
	vsnprintf(steps->at[steps->n].name, sizeof(steps->at[0].name), format, ap);
	va_end(ap);
	steps->at[steps->n].lane = lane;
	/* Names are unique: of those that are alike (cut, perhaps), the later ones bear their number. */
	for (size_t i = 0; i < steps->n; i++) {
		char *name = steps->at[steps->n].name;
		size_t length = strnlen(name, STEP_NAME_MAX - 5);

		if (strcmp(steps->at[i].name, name) == 0)
			snprintf(name + length, STEP_NAME_MAX - length, " #%zu", steps->n + 1);
	}
	return steps->n++;
}

static bool knows_option(const struct driver *driver, const char *key)
{
	if (strcmp(key, "label") == 0)
		return true;
	for (const struct driver_option *option = driver->options; option && option->name; option++)
		if (strcmp(option->name, key) == 0)
			return true;
	return false;
}

static int unknown_option(const struct driver *driver, const char *key, struct error *err)
{
	char known[200] = "label";

	for (const struct driver_option *option = driver->options; option && option->name; option++) {
		size_t used = strlen(known);

		snprintf(known + used, sizeof(known) - used, ", %s", option->name);
	}
	error_set(err, EINVAL, "driver '%s' has no option '%s'", driver->name, key);
	return error_hint(err, "it knows: %s", known);
}

static int set_option(struct driver_spec *spec, const char *key, const char *value, struct error *err)
{
	const struct driver *driver = driver_find(spec->name);

	if (!knows_option(driver, key))
		return unknown_option(driver, key, err);
	if (driver_option(spec, key, NULL))
		return error_set(err, EINVAL, "driver '%s': option '%s' is given twice", spec->name, key);
	if (spec->n_options == DRIVER_OPTIONS_MAX || strlen(value) >= sizeof(spec->options[0].value))
		return error_set(err, E2BIG, "driver '%s': too many options, or value of '%s' too long", spec->name, key);
	struct driver_option_value *option = &spec->options[spec->n_options++];
	snprintf(option->key, sizeof(option->key), "%s", key);
	snprintf(option->value, sizeof(option->value), "%s", value);
	if (strcmp(key, "label") != 0)
		return 0;
	if (*value == '\0' || strlen(value) >= sizeof(spec->label) || strpbrk(value, "\n\t\r"))
		return error_set(err, EINVAL, "driver '%s': a label has 1 to %zu characters on one line", spec->name,
				 sizeof(spec->label) - 1);
	snprintf(spec->label, sizeof(spec->label), "%s", value);
	return 0;
}

int driver_spec_default(struct driver_spec *spec, const char *key, const char *value, struct error *err)
{
	if (!knows_option(driver_find(spec->name), key) || driver_option(spec, key, NULL))
		return 0;
	return set_option(spec, key, value, err);
}

/* "key=value" at `word` (NUL-terminated, may be changed). */
static int parse_option(struct driver_spec *spec, char *word, struct error *err)
{
	char *equals = strchr(word, '=');
	const struct driver *driver = driver_find(spec->name);

	/* Rows of different presets are told apart without a label. */
	if (!equals && driver->preset && *word) {
		if (!driver_option(spec, "label", NULL))
			snprintf(spec->label, sizeof(spec->label), "%s:%.40s", spec->name, word);
		return set_option(spec, driver->preset, word, err);
	}
	if (!equals || equals == word)
		return error_set(err, EINVAL, "driver '%s': expected option=value, got '%s'", spec->name, word);
	*equals = '\0';
	return set_option(spec, word, equals + 1, err);
}

static int unknown_driver(const char *name, struct error *err)
{
	char known[200] = "";

	for (size_t i = 0; driver_registry[i]; i++) {
		size_t used = strlen(known);

		snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", driver_registry[i]->name);
	}
	error_set(err, EINVAL, "unknown driver '%s'", name);
	return error_hint(err, "drivers: %s (see 'bench doctor')", known);
}

/* "name" or "name:key=value" starts a driver. */
static int parse_driver(struct driver_spec *ret, char *word, struct error *err)
{
	char *colon = strchr(word, ':');

	if (colon)
		*colon = '\0';
	const struct driver *driver = driver_find(word);
	if (!driver)
		return unknown_driver(word, err);
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->name, sizeof(ret->name), "%s", driver->name);
	snprintf(ret->label, sizeof(ret->label), "%s", driver->name);
	return colon && colon[1] ? parse_option(ret, colon + 1, err) : 0;
}

/* Cuts the next word off at a comma that is not escaped; takes the backslashes before commas away. */
static char *next_word(char **rest)
{
	char *word = *rest, *to = word, *from = word;

	if (!word)
		return NULL;
	for (; *from && *from != ','; from++) {
		if (from[0] == '\\' && from[1] == ',')
			from++;
		*to++ = *from;
	}
	*rest = *from == ',' ? from + 1 : NULL;
	*to = '\0';
	return word;
}

static bool continues_options(const char *word)
{
	const char *equals = strchr(word, '='), *colon = strchr(word, ':');

	return equals && (!colon || equals < colon);
}

int driver_parse_list(const char *text, struct driver_spec *ret, size_t count, size_t max, struct error *err)
{
	char copy[4096], *rest = copy, *word;
	size_t first = count;
	int rc = 0;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return error_set(err, E2BIG, "the list of drivers is longer than %zu bytes", sizeof(copy) - 1);
	while ((word = next_word(&rest))) {
		if (count > first && continues_options(word)) {
			rc = parse_option(&ret[count - 1], word, err);
		} else {
			if (count == max)
				return error_set(err, E2BIG, "more than %zu drivers", max);
			rc = parse_driver(&ret[count], word, err);
			count++;
		}
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(ret[i].label, ret[j].label) == 0) {
				error_set(err, EINVAL, "two drivers are labelled '%s'", ret[i].label);
				return error_hint(err, "give one of them a label, e.g. %s:label=%s-2", ret[i].name, ret[i].name);
			}
	return (int)count;
}

static void remove_option(struct driver_spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->n_options; i++)
		if (strcmp(spec->options[i].key, key) == 0) {
			spec->options[i] = spec->options[--spec->n_options];
			return;
		}
}

int driver_spec_apply(struct driver_spec *spec, const char *options, struct error *err)
{
	char copy[DRIVER_SPEC_MAX], *rest = copy, *word;
	struct driver_spec changed = *spec;
	bool differs = false;

	if (snprintf(copy, sizeof(copy), "%s", options) >= (int)sizeof(copy))
		return error_set(err, E2BIG, "options are longer than %zu bytes", sizeof(copy) - 1);
	while ((word = next_word(&rest))) {
		char *equals = strchr(word, '=');

		if (equals) {
			*equals = '\0';
			const char *before = driver_option(spec, word, NULL);
			differs |= !before || strcmp(before, equals + 1) != 0;
			remove_option(&changed, word);
			*equals = '=';
		}
		/* What a variant changes is named: a word alone would make another kind of instance of it. */
		int rc = equals ? parse_option(&changed, word, err)
				: error_set(err, EINVAL, "driver '%s': expected option=value, got '%s'", spec->name, word);
		if (rc < 0)
			return rc;
	}
	if (!differs)
		return error_set(err, EALREADY, "driver '%s' has %s already", spec->name, options);
	*spec = changed;
	return 0;
}
