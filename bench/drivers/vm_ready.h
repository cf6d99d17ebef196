/* Is the agent of a guest ready? Asked where a machine is about to be saved, outside of any measurement. */
#pragma once

#include <bench/error.h>

#include <stddef.h>
#include <stdint.h>

/* The next line, without its end; what does not fit is dropped. */
int vm_ready_line(int control_fd, int64_t deadline_ns, char *ret, size_t size, struct error *err);

/* Waits for its greeting and for the answer to a ping. The stream is then silent: nothing is on its way, in neither direction. -ETIMEDOUT at the deadline. */
int vm_ready(void *unused, int control_fd, int64_t deadline_ns, struct error *err);
