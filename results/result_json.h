/* The parts of a result as JSON objects, and back. Shared by the result file and the journal of samples, so that both speak one language.
 * The makers return the caller's object, NULL when there is no memory. The readers touch nothing on failure (-EBADMSG, with the place). */
#pragma once

#include "json_node.h"

#include <bench/result.h>

json_t *result_json_plan(const struct run_plan *plan);
json_t *result_json_environment(const struct environment *environment);
json_t *result_json_driver(const struct result_driver *driver);
json_t *result_json_left_out(const struct left_out *left_out);
json_t *result_json_block(const struct block *block);
/* `steps`: of this sample, or NULL. */
json_t *result_json_sample(const struct sample *sample, const struct step_times *steps);

int result_json_read_plan(const struct json_node *node, struct run_plan *ret, struct error *err);
int result_json_read_environment(const struct json_node *node, struct environment *ret, struct error *err);
int result_json_read_driver(const struct json_node *node, struct result_driver *ret, struct error *err);
int result_json_read_left_out(const struct json_node *node, struct left_out *ret, struct error *err);
int result_json_read_block(const struct json_node *node, struct block *ret, struct error *err);
/* Indexes of driver and block are not checked: what they count may come later. ret->steps stays 0: the caller keeps *ret_steps where any is present. */
int result_json_read_sample(const struct json_node *node, struct sample *ret, struct step_times *ret_steps, struct error *err);

/* ---- steps (result_json_steps.c), used by the two above: the optional member "steps" of a driver and of a sample ---- */

json_t *result_json_step_list(const struct step_list *steps);
json_t *result_json_step_times(const struct step_times *times, int64_t base);
int result_json_read_step_list(const struct json_node *driver, struct step_list *ret, struct error *err);
int result_json_read_step_times(const struct json_node *sample, int64_t base, struct step_times *ret, struct error *err);
