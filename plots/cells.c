/* Figures as table and report print them. */
#include "cells.h"

#include <base/units.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

char *cell_duration(double ns, char *ret, size_t size)
{
	if (!isfinite(ns) || fabs(ns) > 9e18)
		snprintf(ret, size, CELL_UNKNOWN);
	else
		format_duration((int64_t)llround(ns), ret, size);
	return ret;
}

/* Splits "1.90 ms" into number and unit; false when it is not of that form ("2 min 03 s"). */
static bool split_unit(const char *text, char *ret_number, size_t size, const char **ret_unit)
{
	const char *blank = strchr(text, ' ');

	if (!blank || strchr(blank + 1, ' ') || (size_t)(blank - text) >= size)
		return false;
	memcpy(ret_number, text, (size_t)(blank - text));
	ret_number[blank - text] = '\0';
	*ret_unit = blank + 1;
	return true;
}

char *cell_interval(struct estimate ns, char *ret, size_t size)
{
	char value[48], low[48], high[48];
	char number[3][48];
	const char *unit[3];

	cell_duration(ns.value, value, sizeof(value));
	if (!isfinite(ns.value) || !isfinite(ns.low) || !isfinite(ns.high)) {
		snprintf(ret, size, "%s", value);
		return ret;
	}
	cell_duration(ns.low, low, sizeof(low));
	cell_duration(ns.high, high, sizeof(high));
	bool simple = split_unit(value, number[0], sizeof(number[0]), &unit[0]) &&
		      split_unit(low, number[1], sizeof(number[1]), &unit[1]) && split_unit(high, number[2], sizeof(number[2]), &unit[2]);

	if (simple && strcmp(unit[0], unit[1]) == 0 && strcmp(unit[0], unit[2]) == 0)
		snprintf(ret, size, "%s [%s–%s] %s", number[0], number[1], number[2], unit[0]);
	else
		snprintf(ret, size, "%s [%s–%s]", value, low, high);
	return ret;
}

/* "+612", "−0.30" */
static char *signed_number(double value, int decimals, char *ret, size_t size)
{
	char digits[48];

	snprintf(digits, sizeof(digits), "%.*f", decimals, fabs(value));
	bool is_zero = strspn(digits, "0.") == strlen(digits);

	snprintf(ret, size, "%s%s", is_zero ? "" : value < 0 ? "−" : "+", digits);
	return ret;
}

char *cell_difference(struct estimate ns, char *ret, size_t size)
{
	static const char *const units[] = {"ns", "µs", "ms", "s"};
	char value[64], low[64], high[64];
	bool has_interval = isfinite(ns.low) && isfinite(ns.high);
	size_t unit = 0;
	double scale = 1;

	if (!isfinite(ns.value)) {
		snprintf(ret, size, CELL_UNKNOWN);
		return ret;
	}
	double most = has_interval ? fmax(fabs(ns.value), fmax(fabs(ns.low), fabs(ns.high))) : fabs(ns.value);

	while (unit + 1 < sizeof(units) / sizeof(units[0]) && most / scale >= 999.5) {
		scale *= 1000;
		unit++;
	}
	most /= scale;
	int decimals = unit == 0 || most >= 99.95 ? 0 : most >= 9.995 ? 1 : 2;

	signed_number(ns.value / scale, decimals, value, sizeof(value));
	if (has_interval)
		snprintf(ret, size, "%s [%s … %s] %s", value, signed_number(ns.low / scale, decimals, low, sizeof(low)),
			 signed_number(ns.high / scale, decimals, high, sizeof(high)), units[unit]);
	else
		snprintf(ret, size, "%s %s", value, units[unit]);
	return ret;
}

char *cell_share(double share, char *ret, size_t size)
{
	double percent = 100 * fabs(share);

	if (!isfinite(share))
		snprintf(ret, size, CELL_UNKNOWN);
	else if (percent < 0.05)
		snprintf(ret, size, percent > 0 ? "< 0.1 %%" : "0 %%");
	else
		snprintf(ret, size, "%s%.*f %%", share < 0 ? "−" : "", percent < 9.95 ? 1 : 0, percent);
	return ret;
}

char *cell_significant(double value, int digits, char *ret, size_t size)
{
	if (!isfinite(value)) {
		snprintf(ret, size, CELL_UNKNOWN);
		return ret;
	}
	int exponent = value == 0 ? 0 : (int)floor(log10(fabs(value)));

	if (exponent > 15 || exponent < -9) {
		snprintf(ret, size, "%.*g", digits, value);
		return ret;
	}
	double step = pow(10, exponent - digits + 1);
	double rounded = round(value / step) * step;

	if (fabs(rounded) >= pow(10, exponent + 1)) /* 9.996 became 10.0 */
		exponent++;
	snprintf(ret, size, "%.*f", exponent < digits - 1 ? digits - 1 - exponent : 0, rounded);
	return ret;
}

char *cell_ratio(struct estimate ratio, char *ret, size_t size)
{
	char value[48], low[48], high[48];

	if (!isfinite(ratio.value)) {
		snprintf(ret, size, CELL_UNKNOWN);
		return ret;
	}
	int digits = fabs(ratio.value) < 0.01 ? 2 : 3;

	cell_significant(ratio.value, digits, value, sizeof(value));
	if (isfinite(ratio.low) && isfinite(ratio.high))
		snprintf(ret, size, "× %s [%s–%s]", value, cell_significant(ratio.low, digits, low, sizeof(low)),
			 cell_significant(ratio.high, digits, high, sizeof(high)));
	else
		snprintf(ret, size, "× %s", value);
	return ret;
}

char *cell_bytes(double bytes, char *ret, size_t size)
{
	if (!isfinite(bytes) || bytes < 0 || bytes > 9e18)
		snprintf(ret, size, CELL_UNKNOWN);
	else
		format_bytes((int64_t)llround(bytes), ret, size);
	return ret;
}

char *cell_correlation(double value, char *ret, size_t size)
{
	if (!isfinite(value))
		snprintf(ret, size, CELL_UNKNOWN);
	else
		snprintf(ret, size, "%s%.2f", value < 0 ? "−" : "+", fabs(value));
	return ret;
}

char *cell_probability(double p, char *ret, size_t size)
{
	if (!isfinite(p))
		snprintf(ret, size, CELL_UNKNOWN);
	else if (p < 0.001)
		snprintf(ret, size, "< 0.001");
	else
		snprintf(ret, size, "%.3f", p);
	return ret;
}
