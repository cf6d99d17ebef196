/* Tells Linux kernel images that QEMU can boot from everything else. Reads headers only. */
#pragma once

#include <bench/error.h>

#include <stdint.h>

struct kernel_image {
	const char *format;  /* "bzImage" or "ELF with PVH entry" */
	char version[128];   /* as the image says ("6.1.0-40-cloud-amd64 (…) #1 SMP …"), or empty */
	int64_t needs_bytes; /* memory that the kernel wants below itself while it unpacks; 0: not said */
	int64_t size_bytes;  /* of the file */
};

/* Looks at the file at `path`. Anything but a 64-bit x86 Linux image is an error that names the file, what it is instead, and a remedy. */
int kernel_image_read(const char *path, struct kernel_image *ret, struct error *err);
