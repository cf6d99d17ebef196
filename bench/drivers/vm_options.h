/* Options of the vm driver: their table, the kinds that are sets of them, and what they make of struct vm_options. */
#pragma once

#include "vm_container.h"
#include "vm_disk.h"

#include <bench/driver.h>
#include <limits.h>
#include <vmdriver/vm.h>

extern const struct driver_option vm_options_table[];
extern const char *const vm_kinds[];

/* What options point to and the command line does not hold. */
struct vm_texts {
	char cgroup[64];
	char agent[PATH_MAX];
};

/* Reads the options; `texts`, `source`, `container`, and the configuration keep what the result points to. Opens nothing. */
int vm_options_read(const struct driver_config *config, struct vm_texts *texts, struct vm_disk_source *source,
		    struct vm_container *container, struct vm_options *ret, struct error *err);
