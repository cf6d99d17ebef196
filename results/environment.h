/* The environment fingerprint: what machine and programs a result comes from. Readers take a root prefix ("" on a live host). */
#pragma once

#include <bench/error.h>
#include <bench/result.h>

/* Fills all but agent_*, cores/packages/threads/numa_nodes (hwloc's, by the caller) and bench_version/compiler/build_type, which it leaves as they
 * are: initialise *ret. A fact that is not found is unknown; only a kernel without a version is an error (-ENOENT: no /proc). */
int environment_read(const char *root, struct environment *ret, struct error *err);

/* SHA-256 of a file as 64 hex digits and NUL, and its size in bytes. */
int file_sha256(const char *path, char ret_hex[65], int64_t *ret_bytes, struct error *err);
