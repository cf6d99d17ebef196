/* The kind "container" of the vm driver: the agent in a container of our own runtime, inside a machine (<bench/guest.h>). Each start boots a machine of its own,
 * or, with shared=on, is a container in one machine that runs already.
 *
 * Order: vm_container_read() with the other options, vm_container_open() once the host is open; of a shared machine start, stop, between; close before the
 * host's. */
#pragma once

#include <bench/driver.h>
#include <vmdriver/vm.h>

#include <limits.h>

struct vm_container {
	bool used, shared;
	int64_t guest_bytes; /* of memory of the guest; 0: what its container needs. Set before the rest is read */
	int64_t limit_bytes; /* of the container */
	char runtime[PATH_MAX], words[96];
	/* of a shared machine */
	struct vm *vm; /* NULL: there is none */
	unsigned count;
	struct error why; /* it could not be booted again */
};

/* Finds the program for the guest and fills in what of the options depends on it: their memory is the container's so far, and the guest's then. `ret` stays where it is as long as the options are used. */
int vm_container_read(const struct driver_config *config, struct vm_container *ret, struct vm_options *options, struct error *err);

/* Boots a machine, has a container started in it, and takes down what is in force for that; a shared machine goes on. Outside of all measurement. */
int vm_container_open(struct vm_container *container, struct vm_host *host, const struct driver_config *config, struct driver_info *info,
		      struct error *err);
void vm_container_close(struct vm_container *container);

/* ---- of a shared machine ---- */

/* Asks for a container; the stream to its agent is the machine's. */
int vm_container_start(struct vm_container *container, struct instance *instance, struct error *err);

/* Has it ended and waits until the guest says that nothing of it is left. A machine that does not say so is ended itself. */
int vm_container_stop(struct vm_container *container, struct instance *instance, struct error *err);

/* A machine that has ended is booted again, for the next start. */
void vm_container_between(struct vm_container *container, struct vm_host *host);

/* Empty while the guest lives: what it says of a container is the reason then. */
void vm_container_diagnose(struct vm_container *container, char *ret, size_t size);
