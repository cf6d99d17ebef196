/* Confines this process, and all that it starts, by Landlock: libvirt's threads and QEMU read what running a machine takes, and write below our own
 * folders and to the devices of a machine, whoever they run as. A guest that takes over its QEMU has no more than that. It is for good, and for threads
 * and processes that are made later; descriptors that are open stay usable.
 *
 * Source: Documentation/userspace-api/landlock.rst. Linux 5.13 confines files; 6.7 TCP, too; 6.12 signals and abstract sockets, too. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>

struct confine_options {
	const char *const *writable; /* folders, with all that is below them; what is missing is left out */
	size_t n_writable;
	const char *const *readable; /* beside the system's own */
	size_t n_readable;
	bool network; /* connect and listen by TCP */
};

/* `ret_level`: what is in force, in words ("files, TCP, signals"); empty where the kernel has no Landlock, which is no error. One thread alone. */
int confine(const struct confine_options *options, char *ret_level, size_t size, struct error *err);
