/* The steps of a machine's start: what libvirt, QEMU, firmware, kernel and init do from the request to the first answer, one after the other. */
#pragma once

#include <bench/driver.h>
#include <vmdriver/vm.h>

/* Declares them; a restored machine has fewer. */
void vm_steps_declare(const struct vm_facts *facts, struct driver_info *info);

/* Fills in what is known once the instance has answered; `ret` may be NULL. What was not seen has no step: the gap is told as such. */
void vm_steps_report(const struct vm_facts *facts, const struct vm_view *view, const struct timeline *timeline, struct step_times *ret);
