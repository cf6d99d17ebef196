/* Tells Linux kernel images that QEMU can boot from everything else, and of which architecture they are. Reads headers, of an arm64 image all of it: its
 * version stands somewhere inside. */
#pragma once

#include <bench/error.h>

#include <stdint.h>

struct kernel_image {
	const char *format;  /* "bzImage", "ELF with PVH entry", "Image" or "Image, gzip" */
	const char *arch;    /* "x86_64" or "aarch64" */
	char version[128];   /* as the image says ("6.1.0-40-cloud-amd64 (…) #1 SMP …"), or empty */
	int64_t needs_bytes; /* memory that the kernel wants below itself while it unpacks; 0: not said */
	int64_t size_bytes;  /* of the file */
};

/* Looks at the file at `path`. Anything but a 64-bit Linux image for x86 or ARM is an error that names the file, what it is instead, and a remedy. */
int kernel_image_read(const char *path, struct kernel_image *ret, struct error *err);

/* Is it for guests of this architecture? Else -ENOEXEC, with the reason and a remedy. */
int kernel_image_check_arch(const struct kernel_image *image, const char *path, const char *arch, struct error *err);
