/* The drivers there are, in one explicit table (a constructor would be dropped silently from a static library), and what people write to
 * choose them: "process,container,vm:machine=q35,memory=256M". */
#pragma once

#include <bench/driver.h>

/* All drivers, ended by NULL. */
extern const struct driver *const driver_registry[];

/* NULL when there is none of that name. */
const struct driver *driver_find(const char *name);

/* Parses a list of drivers with options into `ret` (at most `max`). A word with '=' that names no driver continues the options of the one before;
 * "\," is a comma inside a value. Unknown drivers and options and labels given twice are -EINVAL with the known ones in the hint.
 * Returns how many there are now, `count` of them having been there before. */
int driver_parse_list(const char *text, struct driver_spec *ret, size_t count, size_t max, struct error *err);

/* Sets options, "key=value,key=value", each in place of a value that it may have. -EINVAL when the driver does not know one, with those it knows in the hint;
 * -EALREADY when all of them have that value already. */
int driver_spec_apply(struct driver_spec *spec, const char *options, struct error *err);

/* Sets an option that came from a command-line flag; an option given in the list wins. Nothing happens to drivers that do not know it. */
int driver_spec_default(struct driver_spec *spec, const char *key, const char *value, struct error *err);
