/* What the agent does beside its work: it opens the stream that BENCH_CONTROL names; as PID 1 of a virtual machine it is its init. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Is the control stream a port of virtio, for which a module is needed? */
bool guest_control_is_port(const char *device);

/* Opens it as soon as it is there, in some seconds at most; '?' in its name is any digit. Returns the descriptor or -1. */
int guest_open_port(const char *device);

/* Opens the control device, a terminal in raw mode, or connects to it where it is a socket. Returns the descriptor or -1. */
int guest_open_control(const char *device);

/* Makes the init of a whole system PID 1 in this program's place; its service manager starts the agent again later. Returns only when that
 * fails. */
int guest_hand_over(const char *init);

/* Makes the runtime for containers PID 1 in this program's place, with the control stream as its descriptors 0 and 1; it starts the agent again, in a
 * container. Returns only when that fails: then the reason has been written to the console. */
void guest_become_runtime(const char *program, int control);

/* Loads all of /modules in the order of their names. Returns 0; else the file's name and the error number have been written to the console. */
int guest_load_modules(void);

/* Mounts /proc, /sys and /dev; lets the kernel reap orphans. What cannot be mounted is left out. */
void guest_prepare(void);

/* MemTotal and MemAvailable of /proc/meminfo, in bytes. Returns 0, or -1 when they cannot be read. */
int guest_memory(uint64_t *ret_total, uint64_t *ret_available);

/* Ends the machine: "poweroff" or "reboot" (for machine types without ACPI that exit on reboot). Does not return. */
_Noreturn void guest_end(const char *how);
