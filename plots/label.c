/* How people call what results name by keys. */
#include "label.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char replacement[] = "\xef\xbf\xbd";

enum phase phase_of(const struct result_driver *driver, enum mark mark)
{
	bool guest = driver->caps & DRIVER_IS_GUEST;

	switch (mark) {
	case MARK_LAUNCHED:
		return PHASE_LAUNCH;
	case MARK_SANDBOX:
		return PHASE_SANDBOX;
	case MARK_KERNEL:
		return PHASE_FIRMWARE;
	case MARK_INIT:
		return guest ? PHASE_KERNEL : PHASE_INIT;
	case MARK_MAIN:
		return PHASE_MAIN;
	default:
		return PHASE_READY;
	}
}

/* Decodes one character; returns its length in bytes, 0 when it is not valid UTF-8. */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = length == 1 ? s[0] : length ? s[0] & (0xffu >> (length + 1)) : 0;

	for (size_t i = 1; i < length; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (!length || c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return length;
}

static bool is_printable(uint32_t c)
{
	bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
	bool direction = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f;

	return !control && !direction && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

char *label_clean(const char *text, char *ret, size_t size)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0;

	while (*s) {
		uint32_t c = 0;
		size_t length = decode(s, &c);
		bool fine = length && is_printable(c);
		const void *from = fine ? (const void *)s : replacement;
		size_t bytes = fine ? length : sizeof(replacement) - 1;

		if (used + bytes >= size)
			break;
		memcpy(ret + used, from, bytes);
		used += bytes;
		s += length ? length : 1;
	}
	ret[used] = '\0';
	return ret;
}

size_t label_length(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

char *label_shorten(char *text, size_t characters)
{
	if (label_length(text) <= characters || !characters)
		return text;

	size_t n = 0;
	char *s = text;

	for (; n < characters; s++)
		n += (*s & 0xc0) != 0x80;
	s--; /* first byte of the character that gives its place; the mark takes three bytes, so perhaps one more goes */
	while (s > text && (strlen(s) < 3 || (*s & 0xc0) == 0x80))
		s--;
	if (strlen(s) >= 3)
		memcpy(s, "…", sizeof("…"));
	return text;
}

const char *label_fact(const struct result_driver *driver, const char *key)
{
	for (size_t i = 0; i < driver->info.n_pairs && i < DRIVER_PAIRS_MAX; i++)
		if (strcmp(driver->info.pairs[i].key, key) == 0 && driver->info.pairs[i].value[0])
			return driver->info.pairs[i].value;
	return NULL;
}

bool label_is_emulated(const struct result_driver *driver)
{
	const char *accelerator = label_fact(driver, "accelerator");

	return (driver->caps & DRIVER_IS_GUEST) && accelerator && strcasecmp(accelerator, "tcg") == 0;
}

/* "TCG", or "TCG (emulated)" in full. */
static char *accelerator_words(const struct result_driver *driver, bool full, char *ret, size_t size)
{
	const char *accelerator = label_fact(driver, "accelerator");

	if (!accelerator)
		accelerator = "accelerator unknown";
	else if (strcasecmp(accelerator, "tcg") == 0)
		accelerator = full ? "TCG (emulated)" : "TCG";
	else if (strcasecmp(accelerator, "kvm") == 0)
		accelerator = full ? "KVM (hardware)" : "KVM";
	return label_clean(accelerator, ret, size);
}

/* "q35"; of another architecture than the host's "aarch64 virt". */
static char *machine_words(const struct result_driver *driver, char *ret, size_t size)
{
	const char *machine = label_fact(driver, "machine"), *arch = label_fact(driver, "emulated arch");
	char words[96];

	snprintf(words, sizeof(words), "%s%s%s", arch ? arch : "", arch && machine ? " " : "", machine ? machine : "");
	return label_clean(words, ret, size);
}

char *label_driver_within(const struct result_driver *driver, size_t characters, char *ret, size_t size)
{
	char name[3 * sizeof(driver->spec.label)], suffix[128] = "", accelerator[48], machine[48];

	if (driver->caps & DRIVER_IS_GUEST)
		snprintf(suffix, sizeof(suffix), " (%s%s%s)", accelerator_words(driver, false, accelerator, sizeof(accelerator)),
			 machine_words(driver, machine, sizeof(machine))[0] ? ", " : "", machine);
	else if (strcmp(driver->spec.name, "null") == 0)
		snprintf(suffix, sizeof(suffix), " (floor)");
	size_t taken = label_length(suffix);

	label_clean(driver->spec.label[0] ? driver->spec.label : driver->spec.name, name, sizeof(name));
	label_shorten(name, characters > taken + 8 ? characters - taken : 8);
	snprintf(ret, size, "%s%s", name, suffix);
	return ret;
}

char *label_driver(const struct result_driver *driver, char *ret, size_t size)
{
	return label_driver_within(driver, LABEL_MAX, ret, size);
}

/* Does a guest before `d` share its accelerator and, if asked, its machine type? */
static bool is_repeated(const struct result *result, size_t d, bool machine_too)
{
	char own[48], other[48];

	for (size_t i = 0; i < d; i++) {
		const struct result_driver *a = &result->drivers[d], *b = &result->drivers[i];

		if (!(b->caps & DRIVER_IS_GUEST) ||
		    strcmp(accelerator_words(a, true, own, sizeof(own)), accelerator_words(b, true, other, sizeof(other))) != 0)
			continue;
		if (!machine_too || strcmp(machine_words(a, own, sizeof(own)), machine_words(b, other, sizeof(other))) == 0)
			return true;
	}
	return false;
}

/* Appends the machine types of all guests with the accelerator of guest `d`: ", q35 / microvm". */
static void append_machines(const struct result *result, size_t d, char *ret, size_t size)
{
	char accelerator[48], other[48], machine[48];
	const char *separator = ", ";

	accelerator_words(&result->drivers[d], true, accelerator, sizeof(accelerator));
	for (size_t i = d; i < result->n_drivers; i++) {
		const struct result_driver *driver = &result->drivers[i];
		size_t used = strlen(ret);

		if (!(driver->caps & DRIVER_IS_GUEST) || strcmp(accelerator_words(driver, true, other, sizeof(other)), accelerator) != 0 ||
		    is_repeated(result, i, true) || !machine_words(driver, machine, sizeof(machine))[0])
			continue;
		snprintf(ret + used, size - used, "%s%s", separator, machine);
		separator = " / ";
	}
}

bool label_guests(const struct result *result, char *ret, size_t size)
{
	char all[LABEL_MAX] = "", accelerator[48];

	for (size_t i = 0; i < result->n_drivers; i++) {
		size_t used = strlen(all);

		if (!(result->drivers[i].caps & DRIVER_IS_GUEST) || is_repeated(result, i, false))
			continue;
		snprintf(all + used, sizeof(all) - used, "%s%s", used ? "; " : "",
			 accelerator_words(&result->drivers[i], true, accelerator, sizeof(accelerator)));
		append_machines(result, i, all, sizeof(all));
	}
	if (!all[0])
		return false;
	snprintf(ret, size, "VM figures: %s", all);
	return true;
}

struct text_locale text_locale_enter(void)
{
	struct text_locale locale = {.own = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0)};

	if (!locale.own) { /* a host without it: at least the decimal point */
		locale.own = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
		if (!locale.own)
			return locale;
	}
	locale.before = uselocale(locale.own);
	return locale;
}

void text_locale_leave(struct text_locale *locale)
{
	if (!locale->own)
		return;
	uselocale(locale->before);
	freelocale(locale->own);
}
