/* Modules of the guest's kernel for virtio devices. Distributions build these drivers as modules, which a guest without a disk gets in its initramfs:
 * /modules/0.ko, /modules/1.ko, … in the order in which they are to be loaded. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>

struct virtio_modules_options {
	const char *kernel_version;                /* "6.1.0-40-amd64", more may follow after a blank */
	const char *cache_dir;                     /* they are kept in <cache_dir>/vm/modules/<version> */
	bool net, balloon;                         /* devices that it has */
	bool mmio;                                 /* the machine has no PCI */
	void (*note)(void *arg, const char *text); /* may be NULL */
	void *note_arg;
};

/* Appends what these devices need. Modules come from /lib/modules, from the cache, or, once, from the distribution's package of that kernel.
 * What the kernel has built in is left out. -ENOENT with a remedy when there is no driver. */
int virtio_modules_append(const char *initramfs, const struct virtio_modules_options *options, struct error *err);
