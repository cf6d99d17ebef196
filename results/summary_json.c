/* The summary of a result as JSON. */
#include "summary_json.h"

#include "json_map.h"

#include <math.h>

/* The largest double below 2^63. */
#define INT64_LIMIT 9223372036854774784.0

static json_t *whole(double value)
{
	return isfinite(value) && fabs(value) <= INT64_LIMIT ? json_integer(llround(value)) : json_null();
}

static json_t *real(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *count(size_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *estimate_json(const struct estimate *estimate, json_t *(*number)(double value))
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "value", number(estimate->value));
	json_make_set(&make, "low", number(estimate->low));
	json_make_set(&make, "high", number(estimate->high));
	return json_make_end(&make);
}

static json_t *distribution_json(const struct distribution *d)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "n", count(d->n));
	json_make_set(&make, "censored", count(d->censored));
	json_make_set(&make, "median_ns", estimate_json(&d->median, whole));
	json_make_set(&make, "p90_ns", whole(d->p90));
	json_make_set(&make, "p99_ns", whole(d->p99));
	json_make_set(&make, "mad_ns", whole(d->mad));
	json_make_set(&make, "min_ns", whole(d->min));
	json_make_set(&make, "max_ns", whole(d->max));
	return json_make_end(&make);
}

static json_t *phases_json(const struct driver_summary *driver)
{
	struct json_make make = json_make_begin();

	for (int mark = MARK_LAUNCHED; mark <= MARK_READY; mark++)
		if (driver->phases[mark].n > 0)
			json_make_set(&make, mark_names[mark], distribution_json(&driver->phases[mark]));
	return json_make_end(&make);
}

/* Appends and takes over; NULL without memory. */
static json_t *append(json_t *array, json_t *value)
{
	if (array && json_array_append_new(array, value) == 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *steps_json(const struct step_list *list, const struct driver_summary *driver)
{
	json_t *steps = json_array();

	for (size_t i = 0; steps && i < driver->n_steps; i++) {
		struct json_make make = json_make_begin();

		json_make_set(&make, "name", json_text_new(list->at[i].name));
		json_make_set(&make, "lane", json_string(step_lane_names[list->at[i].lane]));
		json_make_set(&make, "duration", distribution_json(&driver->steps[i].duration));
		json_make_set(&make, "begin_ns", whole(driver->steps[i].begin_ns));
		json_make_set(&make, "end_ns", whole(driver->steps[i].end_ns));
		json_make_set(&make, "share", real(driver->steps[i].share));
		steps = append(steps, json_make_end(&make));
	}
	return steps;
}

static json_t *driver_json(const struct result_driver *entry, const struct driver_summary *driver)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "label", json_text_new(entry->spec.label));
	json_make_set(&make, "total", distribution_json(&driver->total));
	json_make_set(&make, "stop", distribution_json(&driver->stop));
	json_make_set(&make, "phases", phases_json(driver));
	if (driver->n_steps > 0) {
		json_make_set(&make, "steps", steps_json(&entry->info.steps, driver));
		json_make_set(&make, "before_steps", distribution_json(&driver->before_steps));
		json_make_set(&make, "between_steps", distribution_json(&driver->between_steps));
		json_make_set(&make, "after_steps", distribution_json(&driver->after_steps));
	}
	json_make_set(&make, "ratio", estimate_json(&driver->ratio, real));
	json_make_set(&make, "first_ns", whole(driver->first_ns));
	json_make_set(&make, "drift_rho", real(driver->drift_rho));
	json_make_set(&make, "drift_p", real(driver->drift_p));
	json_make_set(&make, "lag1", real(driver->lag1));
	json_make_set(&make, "first_half_ns", whole(driver->first_half));
	json_make_set(&make, "second_half_ns", whole(driver->second_half));
	json_make_set(&make, "outliers", count(driver->outliers));
	json_make_set(&make, "failed", count(driver->failed));
	json_make_set(&make, "warmups", count(driver->warmups));
	json_make_set(&make, "pss_bytes", whole(driver->pss_bytes));
	json_make_set(&make, "uss_bytes", whole(driver->uss_bytes));
	json_make_set(&make, "cgroup_bytes", whole(driver->cgroup_bytes));
	if (isfinite(driver->guest_ram_bytes))
		json_make_set(&make, "guest_ram_bytes", whole(driver->guest_ram_bytes));
	if (isfinite(driver->vmm_pss_bytes))
		json_make_set(&make, "vmm_pss_bytes", whole(driver->vmm_pss_bytes));
	if (isfinite(driver->guest_used_bytes))
		json_make_set(&make, "guest_used_bytes", whole(driver->guest_used_bytes));
	return json_make_end(&make);
}

static json_t *drivers_json(const struct result *result, const struct summary *summary)
{
	json_t *drivers = json_array();

	for (size_t i = 0; drivers && i < summary->n_drivers; i++)
		drivers = append(drivers, driver_json(&result->drivers[i], &summary->drivers[i]));
	return drivers;
}

static json_t *cost_json(const struct cost *cost)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "ns", estimate_json(&cost->ns, whole));
	json_make_set(&make, "verdict", json_string(cost_verdict_names[cost->verdict]));
	return json_make_end(&make);
}

static json_t *costs_json(const struct result *result, const struct summary *summary)
{
	json_t *costs = json_array();

	for (size_t i = 0; costs && i < summary->n_costs; i++) {
		const struct result_driver *driver = &result->drivers[summary->costs[i].driver];
		struct json_make make = json_make_begin();

		json_make_set(&make, "label", json_text_new(driver->spec.label));
		json_make_set(&make, "role", json_string(variant_role_names[driver->variant.role]));
		json_make_set(&make, "feature", json_text_new(driver->variant.feature));
		json_make_set(&make, "start", cost_json(&summary->costs[i].start));
		json_make_set(&make, "stop", cost_json(&summary->costs[i].stop));
		costs = append(costs, json_make_end(&make));
	}
	return costs;
}

json_t *summary_json(const struct result *result, const struct summary *summary)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, "baseline",
		      summary->baseline < 0 ? json_null() : json_text_new(result->drivers[summary->baseline].spec.label));
	json_make_set(&make, "tainted_blocks", count(summary->tainted_blocks));
	json_make_set(&make, "replaced_blocks", count(summary->replaced_blocks));
	if (summary->whole >= 0) {
		json_make_set(&make, "whole", json_text_new(result->drivers[summary->whole].spec.label));
		json_make_set(&make, "start_noise_ns", whole(summary->start_noise_ns));
		json_make_set(&make, "stop_noise_ns", whole(summary->stop_noise_ns));
	}
	json_make_set(&make, "drivers", drivers_json(result, summary));
	if (summary->whole >= 0)
		json_make_set(&make, "costs", costs_json(result, summary));
	return json_make_end(&make);
}
