/* Linux kernel images for arm64 (Documentation/arch/arm64/booting.rst): "Image", as it is or in a gzip file. QEMU boots both. */
#pragma once

#include "kernel_image.h"

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By the first bytes. */
bool kernel_arm64_is(const uint8_t *head, size_t length);
bool kernel_arm64_is_gzip(int fd, const uint8_t *head, size_t length);

/* Fills in all but the file's size, which is there. The error says what is wrong with it, without its name. */
int kernel_arm64_read(int fd, struct kernel_image *ret, struct error *err);
int kernel_arm64_read_gzip(int fd, struct kernel_image *ret, struct error *err);
