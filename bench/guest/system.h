/* The guest as a system that containers can be started in: a root that can be left behind, control groups, its end. */
#pragma once

#include <bench/error.h>

/* Where the container's root is prepared, once the system is entered. */
#define SYSTEM_CONTAINER_ROOT "/container"

/* A container's root is pivoted to, which the kernel does not permit from an initramfs: what is needed goes to a tmpfs that becomes the root. /proc, /sys
 * and /dev are mounted by then, and moved along. Mounts control groups, version 2, and hands their controllers on. The agent is /init. */
int system_enter(struct error *err);

/* One line on the console, which the host quotes. */
void system_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the machine, as BENCH_POWEROFF says. */
_Noreturn void system_end(void);
