/* Options of the vm driver: their table, the kinds that are sets of them, and what they make of struct vm_options. */
#pragma once

#include "vm_container.h"
#include "vm_disk.h"

#include <bench/driver.h>
#include <vmdriver/vm.h>

extern const struct driver_option vm_options_table[];

/* Reads the options; `name`, `source`, `container`, and the configuration keep what the result points to. Opens nothing. */
int vm_options_read(const struct driver_config *config, char name[64], struct vm_disk_source *source, struct vm_container *container,
		    struct vm_options *ret, struct error *err);
