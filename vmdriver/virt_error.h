/* The one bridge from libvirt's errors to ours. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>

/* "<context>: <libvirt's last error, on one line>". Where libvirt quotes QEMU, QEMU's own words stand alone. Call it right after the failed
 * call, in the same thread. Returns -EIO, or -ECONNRESET when libvirt knows only that QEMU is gone, and QEMU said nothing. */
int virt_error(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first complaint of QEMU's that libvirt quotes in `text` (lines "<time> qemu-<name>: <words>"; warnings are none), without what stands
 * before it, or false: `ret` is then as it was. */
bool virt_error_qemu_words(const char *text, char *ret, size_t size);

/* Stops libvirt from printing its errors on stderr. */
void virt_error_silence(void);
