#include "anatomy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int anatomy_subject(const struct summary *summary)
{
	if (summary->whole >= 0 && summary->drivers[summary->whole].n_steps > 0)
		return summary->whole;
	for (size_t d = 0; d < summary->n_drivers; d++)
		if (summary->drivers[d].n_steps > 0)
			return (int)d;
	return -1;
}

char *anatomy_feature(const struct result_driver *variant, bool with_label, char *ret, size_t size)
{
	char feature[3 * sizeof(variant->variant.feature)], label[3 * sizeof(variant->spec.label)];

	label_clean(variant->variant.feature, feature, sizeof(feature));
	label_clean(variant->spec.label, label, sizeof(label));
	bool more = with_label && label[0] && strcmp(feature, label) != 0;

	snprintf(ret, size, "%s%s%s%s", variant->variant.role == VARIANT_WITH ? "+ " : "", feature, more ? ", " : "", more ? label : "");
	return ret;
}

/* Features of either kind first. */
static int rank(const struct result *result, const struct feature_cost *cost)
{
	enum variant_role role = result->drivers[cost->driver].variant.role;

	return role == VARIANT_AGAIN ? 1 : role == VARIANT_FLOOR ? 2 : 0;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct feature_cost *x = a, *y = b;
	int ranks = rank(arg, x) - rank(arg, y);
	double dx = isfinite(x->start.ns.value) ? x->start.ns.value : -INFINITY;
	double dy = isfinite(y->start.ns.value) ? y->start.ns.value : -INFINITY;

	if (ranks || dx > dy || dx < dy)
		return ranks ? ranks : dx > dy ? -1 : 1;
	return (x->driver > y->driver) - (x->driver < y->driver);
}

size_t anatomy_sort_costs(const struct result *result, const struct summary *summary, struct feature_cost *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < summary->n_costs && n < RESULT_DRIVERS_MAX; i++)
		if (summary->drivers[summary->costs[i].driver].total.n > 0)
			ret[n++] = summary->costs[i];
	qsort_r(ret, n, sizeof(ret[0]), compare, (void *)result);
	return n;
}
