/* Numbers as people write and read them. */
#pragma once

#include <bench/error.h>

#include <stddef.h>
#include <stdint.h>

/* "256M", "1.5G", "4096": bytes, binary units (K, M, G, T, with or without "iB"/"B"). -EINVAL says what is expected. */
int parse_bytes(const char *text, int64_t *ret, struct error *err);

/* "30s", "500ms", "2m", "1.5": nanoseconds; a bare number is seconds. */
int parse_duration_ns(const char *text, int64_t *ret, struct error *err);

/* A whole decimal number inside [min, max]; nothing before or behind it. `what` names it in the error. */
int parse_integer(const char *what, const char *text, int64_t min, int64_t max, int64_t *ret, struct error *err);

/* "1.67 ms", "12.3 s", "840 ns": three significant digits. Returns `ret`. */
char *format_duration(int64_t ns, char *ret, size_t size);

/* "340 KiB", "1.24 GiB". */
char *format_bytes(int64_t bytes, char *ret, size_t size);
