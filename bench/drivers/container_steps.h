/* The steps of a container's start, from the runtime's plan and trace to what results know (bench/steps.h). The one place that knows both. */
#pragma once

#include <bench/driver.h>
#include <runtime/container.h>

/* Declares the steps of the plan, in its order. */
void container_steps_declare(const struct container_plan *plan, struct driver_info *info);

/* Fills in what the trace of one start has; `ret` may be NULL. */
void container_steps_report(const struct container_plan *plan, const struct container_trace *trace, struct step_times *ret);
