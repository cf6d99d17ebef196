/* What a result says of the machines of a run: facts and notes. */
#pragma once

#include <bench/driver.h>
#include <vmdriver/vm.h>

/* `limit_bytes`: the run's limit of memory, which a machine's own may exceed. */
void vm_report(const struct vm_facts *facts, const struct vm_options *options, int64_t limit_bytes, struct driver_info *info);
