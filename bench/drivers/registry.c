/* The table of drivers. A new driver: one file here, one line below (HACKING.md). */
#include "registry.h"

#include <string.h>

extern const struct driver null_driver;
extern const struct driver mock_driver;
extern const struct driver process_driver;
extern const struct driver container_driver;
extern const struct driver vm_driver;
extern const struct driver command_driver;

const struct driver *const driver_registry[] = {&process_driver, &container_driver, &vm_driver, &command_driver,
						&null_driver,    &mock_driver,      NULL};

const struct driver *driver_find(const char *name)
{
	for (size_t i = 0; driver_registry[i]; i++)
		if (strcmp(driver_registry[i]->name, name) == 0)
			return driver_registry[i];
	return NULL;
}
