#include "anatomy.h"

#include "anatomy_variants.h"

#include <bench/cleanup.h>

#include <drivers/registry.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who takes part, under construction. */
struct cast {
	struct entrant entrants[RESULT_DRIVERS_MAX];
	size_t n_entrants;
	struct left_out left_out[RESULT_LEFT_OUT_MAX];
	size_t n_left_out;
};

static void leave_out(struct cast *cast, const char *label, const char *reason)
{
	if (cast->n_left_out == RESULT_LEFT_OUT_MAX)
		return;
	struct left_out *left_out = &cast->left_out[cast->n_left_out++];
	snprintf(left_out->label, sizeof(left_out->label), "%s", label);
	snprintf(left_out->reason, sizeof(left_out->reason), "%s", reason);
}

static struct entrant *add(struct cast *cast, const struct driver_spec *spec, enum variant_role role, const char *feature)
{
	/* One place is the null driver's. */
	if (cast->n_entrants == RESULT_DRIVERS_MAX - 1)
		return NULL;
	struct entrant *entrant = &cast->entrants[cast->n_entrants++];
	*entrant = (struct entrant){.spec = *spec, .variant.role = role};
	snprintf(entrant->variant.feature, sizeof(entrant->variant.feature), "%s", feature);
	return entrant;
}

/* The option label=…, if any, was the subject's. */
static void relabel(struct driver_spec *spec, const char *label)
{
	for (size_t i = 0; i < spec->n_options; i++)
		if (strcmp(spec->options[i].key, "label") == 0)
			spec->options[i] = spec->options[--spec->n_options];
	snprintf(spec->label, sizeof(spec->label), "%s", label);
}

/* One variant of the subject. Options that it does not know, or has already, leave it out: that is an answer, not an error. */
static void add_variant(struct cast *cast, const struct driver_spec *subject, const struct anatomy_variant *variant)
{
	struct driver_spec spec = *subject;
	struct error why = {0};

	if (driver_spec_apply(&spec, variant->options, &why) < 0) {
		leave_out(cast, variant->options, why.message);
		return;
	}
	relabel(&spec, variant->options);
	struct entrant *entrant = add(cast, &spec, variant->role, variant->feature);
	if (!entrant) {
		leave_out(cast, variant->options, "there is no room for more drivers in one run");
		return;
	}
	entrant->may_leave_out = true;
	if (variant->differs_in)
		snprintf(entrant->differs_in, sizeof(entrant->differs_in), "%s", variant->differs_in);
}

/* A wish is different: who types it wants to know what is wrong with it. */
static int add_wish(struct cast *cast, const struct driver_spec *subject, const struct anatomy_wish *wish, struct error *err)
{
	char feature[sizeof(((struct variant *)0)->feature)];
	const char *colon = strchr(wish->text, ':');
	struct driver_spec spec = *subject;

	if (!colon || colon == wish->text || (size_t)(colon - wish->text) >= sizeof(feature)) {
		error_set(err, EINVAL, "variant '%.200s': expected FEATURE:OPTION=VALUE,…, the feature in at most %zu bytes", wish->text,
			  sizeof(feature) - 1);
		return error_hint(err, "for example --without 'network namespace:net=host'");
	}
	snprintf(feature, sizeof(feature), "%.*s", (int)(colon - wish->text), wish->text);
	int rc = driver_spec_apply(&spec, colon + 1, err);
	if (rc < 0)
		return error_prefix(err, "variant '%s'", feature);
	relabel(&spec, feature);
	if (!add(cast, &spec, wish->role, feature))
		return error_set(err, E2BIG, "more than %d drivers and variants", RESULT_DRIVERS_MAX - 1);
	return 0;
}

/* The subject, the same again, its companions; then wishes, and what the table has. */
static int cast_make(struct cast *cast, const struct experiment_options *options, const struct anatomy_wish *wishes, size_t n_wishes,
		     struct error *err)
{
	const struct driver_spec *subject = &options->drivers[0];
	struct driver_spec again = *subject;
	int rc = 0;

	add(cast, subject, VARIANT_WHOLE, "");
	char label[sizeof(again.label)];

	snprintf(label, sizeof(label), "%.*s (again)", (int)sizeof(label) - 9, subject->label);
	relabel(&again, label);
	add(cast, &again, VARIANT_AGAIN, "noise: the same once more");
	for (size_t i = 1; i < options->n_drivers; i++) {
		bool is_floor = strcmp(options->drivers[i].name, "process") == 0;
		struct entrant *entrant = add(cast, &options->drivers[i], is_floor ? VARIANT_FLOOR : VARIANT_NONE,
					      is_floor ? "everything: a plain process" : "");

		if (!entrant)
			return error_set(err, E2BIG, "more than %d drivers", RESULT_DRIVERS_MAX - 1);
		entrant->may_leave_out = options->may_leave_out;
	}
	for (size_t i = 0; i < n_wishes && rc == 0; i++)
		rc = add_wish(cast, subject, &wishes[i], err);
	for (const struct anatomy_variant *variant = anatomy_variants; variant->driver && rc == 0; variant++)
		if (strcmp(variant->driver, subject->name) == 0)
			add_variant(cast, subject, variant);
	return rc;
}

/* Results tell drivers apart by their labels. */
static int check_labels(const struct cast *cast, struct error *err)
{
	for (size_t i = 0; i < cast->n_entrants; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(cast->entrants[i].spec.label, cast->entrants[j].spec.label) == 0)
				return error_set(err, EINVAL, "two variants or drivers are called '%s'", cast->entrants[i].spec.label);
	return 0;
}

int anatomy_run(const struct experiment_options *options, const struct anatomy_wish *wishes, size_t n_wishes,
		const struct experiment_observer *observer, struct result *ret, struct error *err)
{
	_cleanup_free_ struct cast *cast = calloc(1, sizeof(*cast));

	*ret = (struct result){0};
	if (!cast)
		return error_set(err, ENOMEM, "out of memory");
	if (options->n_drivers == 0)
		return error_set(err, EINVAL, "anatomy: of which driver?");
	int rc = cast_make(cast, options, wishes, n_wishes, err);
	if (rc == 0)
		rc = check_labels(cast, err);
	if (rc < 0)
		return rc;
	struct experiment experiment = {.name = "anatomy",
					.record_steps = true,
					.entrants = cast->entrants,
					.n_entrants = cast->n_entrants,
					.left_out = cast->left_out,
					.n_left_out = cast->n_left_out};
	return experiment_run(&experiment, options, observer, ret, err);
}
