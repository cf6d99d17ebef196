/* The steps of a machine's start: what libvirt, QEMU, firmware, kernel and init do from the request to the first answer, one after the other. */
#pragma once

#include <bench/driver.h>
#include <vmdriver/vm.h>

/* Which machines: booted, booted where nobody sees the kernel begin, restored, booted with the agent in a container inside, or a container in a machine that runs. */
enum vm_steps { VM_STEPS_BOOT, VM_STEPS_DIRECT, VM_STEPS_RESTORE, VM_STEPS_CONTAINER, VM_STEPS_SHARED, VM_STEPS_COUNT };

void vm_steps_declare(enum vm_steps which, struct driver_info *info);

/* Fills in what is known once the instance has answered; instance->steps may be NULL. What was not seen has no step: the gap is told as such. */
void vm_steps_report(enum vm_steps which, const struct vm_view *view, const struct instance *instance, const struct timeline *timeline);
