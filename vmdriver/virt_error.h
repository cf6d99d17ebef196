/* The one bridge from libvirt's errors to ours. */
#pragma once

#include <bench/error.h>

/* "<context>: <libvirt's last error, on one line>". Call it right after the failed call, in the same thread. Returns -EIO. */
int virt_error(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Stops libvirt from printing its errors on stderr. */
void virt_error_silence(void);
