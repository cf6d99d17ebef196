/* How people call what results name by keys: drivers with accelerator and machine type, phases, text that others wrote.
 *
 * Everything that leaves here is valid UTF-8 without control characters. It is still text: HTML and gnuplot escape it again (escape.h). */
#pragma once

#include <bench/result.h>

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>

enum { LABEL_MAX = 256 };

/* What lies between two marks, in plain words. A guest's way to PID 1 is the boot of its kernel, a container's is an exec: hence not enum mark. */
enum phase { PHASE_LAUNCH, PHASE_SANDBOX, PHASE_FIRMWARE, PHASE_KERNEL, PHASE_INIT, PHASE_MAIN, PHASE_READY, PHASE_COUNT };

static const char *const phase_names[] = {"launch", "sandbox", "firmware", "kernel boot", "init", "main", "ready"};
_Static_assert(sizeof(phase_names) / sizeof(phase_names[0]) == PHASE_COUNT, "one name a phase");

/* The phase of `driver` that ends at `mark` (MARK_LAUNCHED … MARK_READY). */
enum phase phase_of(const struct result_driver *driver, enum mark mark);

/* Copies `text`; control characters, broken UTF-8 and characters that reverse the writing direction become U+FFFD. Cut at a whole character. */
char *label_clean(const char *text, char *ret, size_t size);

/* Shortens clean UTF-8 in place to at most `characters` (two or more), the last one being "…". */
char *label_shorten(char *text, size_t characters);

/* Number of characters (not bytes) of clean UTF-8. */
size_t label_length(const char *text);

/* "process", "vm (TCG, q35)", "null (floor)". */
char *label_driver(const struct result_driver *driver, char *ret, size_t size);

/* The same in at most about `characters`: it is the name that is shortened, never accelerator and machine. */
char *label_driver_within(const struct result_driver *driver, size_t characters, char *ret, size_t size);

/* "VM figures: TCG (emulated), q35"; false, and nothing written, when the result has no guest. */
bool label_guests(const struct result *result, char *ret, size_t size);

/* Value of a fact that the driver recorded, NULL when it recorded none. */
const char *label_fact(const struct result_driver *driver, const char *key);

/* True when the driver is a guest whose accelerator is emulation. */
bool label_is_emulated(const struct result_driver *driver);

/* UTF-8 and a decimal point whatever the person's locale is, for this thread until the end of the scope:
 *	_cleanup_(text_locale_leave) struct text_locale locale = text_locale_enter(); */
struct text_locale {
	locale_t own, before;
};

struct text_locale text_locale_enter(void);
void text_locale_leave(struct text_locale *locale);
