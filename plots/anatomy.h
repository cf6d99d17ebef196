/* What tables and charts of an anatomy share: which driver it is of, features in words and in order. Internal to plots/. */
#pragma once

#include "label.h"

#include <results/summary.h>

/* The driver whose steps are shown: the whole, else the first that told of any; -1: none did. */
int anatomy_subject(const struct summary *summary);

/* "network namespace", for one that is added "+ veth into a bridge"; with its label behind it, ", net=host", when that says more. */
char *anatomy_feature(const struct result_driver *variant, bool with_label, char *ret, size_t size);

/* Costs as they are shown: features, the dearest first; then noise; then floors. Those of which nothing was measured are left out. `ret` has
 * RESULT_DRIVERS_MAX places. Returns how many. */
size_t anatomy_sort_costs(const struct result *result, const struct summary *summary, struct feature_cost *ret);
