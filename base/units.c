#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A decimal number at the start of text; hexadecimal, "inf", "nan", signs and exponents are not for people's limits. */
static bool number_prefix(const char *text, double *ret, const char **ret_rest)
{
	size_t digits = strspn(text, "0123456789.");
	char copy[32];

	if (digits == 0 || digits >= sizeof(copy) || !isdigit((unsigned char)text[0]))
		return false;
	memcpy(copy, text, digits);
	copy[digits] = '\0';
	char *end;
	*ret = strtod(copy, &end);
	*ret_rest = text + digits;
	return *end == '\0';
}

int parse_bytes(const char *text, int64_t *ret, struct error *err)
{
	static const char letters[] = "KMGT";
	const char *rest;
	double value;
	int shift = 0;

	if (!number_prefix(text, &value, &rest))
		return error_set(err, EINVAL, "'%s' is not a size; expected e.g. 256M or 1.5G", text);
	const char *letter = *rest ? strchr(letters, toupper((unsigned char)*rest)) : NULL;
	if (letter) {
		shift = 10 * (int)(letter - letters + 1);
		rest++;
		if (*rest == 'i')
			rest++;
	}
	if (*rest == 'B')
		rest++;
	value = ldexp(value, shift);
	if (*rest != '\0' || value > 9e18)
		return error_set(err, EINVAL, "'%s' is not a size; expected e.g. 256M or 1.5G", text);
	*ret = (int64_t)value;
	return 0;
}

int parse_duration_ns(const char *text, int64_t *ret, struct error *err)
{
	static const struct {
		const char *name;
		double factor;
	} unit[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}};
	const char *rest;
	double value;

	if (number_prefix(text, &value, &rest))
		for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++)
			if (strcmp(rest, unit[i].name) == 0 && value * unit[i].factor < 9e18) {
				*ret = (int64_t)(value * unit[i].factor);
				return 0;
			}
	return error_set(err, EINVAL, "'%s' is not a duration; expected e.g. 30s, 500ms or 2m", text);
}

int parse_integer(const char *what, const char *text, int64_t min, int64_t max, int64_t *ret, struct error *err)
{
	char *end;

	errno = 0;
	int64_t value = strtoll(text, &end, 10);
	bool is_number = end != text && *end == '\0' && !isspace((unsigned char)text[0]) && text[0] != '+';
	if (!is_number || errno || value < min || value > max)
		return error_set(err, EINVAL, "%s '%s': expected a whole number from %lld to %lld", what, text, (long long)min,
				 (long long)max);
	*ret = value;
	return 0;
}

/* Three significant digits: 1.67, 12.3, 840. */
static void three_digits(double value, const char *unit, char *ret, size_t size)
{
	int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(ret, size, "%.*f %s", decimals, value, unit);
}

char *format_duration(int64_t ns, char *ret, size_t size)
{
	double value = (double)ns;
	double magnitude = fabs(value);

	if (magnitude < 1e3)
		snprintf(ret, size, "%lld ns", (long long)ns);
	else if (magnitude < 999.5e3)
		three_digits(value / 1e3, "µs", ret, size);
	else if (magnitude < 999.5e6)
		three_digits(value / 1e6, "ms", ret, size);
	else if (magnitude < 120e9)
		three_digits(value / 1e9, "s", ret, size);
	else
		snprintf(ret, size, "%lld min %02lld s", (long long)(ns / 60000000000), (long long)(ns / 1000000000 % 60));
	return ret;
}

char *format_bytes(int64_t bytes, char *ret, size_t size)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t i = 0;

	while (value >= 1023.5 && i + 1 < sizeof(unit) / sizeof(unit[0])) {
		value /= 1024;
		i++;
	}
	if (i == 0)
		snprintf(ret, size, "%lld B", (long long)bytes);
	else
		three_digits(value, unit[i], ret, size);
	return ret;
}
