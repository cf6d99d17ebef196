/* Whose memory is QEMU's? That of the guest is one mapping of QEMU's, known by its size; the rest is the virtual machine monitor's own. */
#pragma once

#include <bench/error.h>

#include <stdint.h>
#include <stdio.h>

struct memory_split {
	int64_t ram_rss_bytes, ram_pss_bytes; /* of the guest's memory; -1: no such mapping */
	int64_t total_pss_bytes;              /* of all mappings */
};

/* From an open /proc/PID/smaps. `memory_bytes` is what the guest was given. -EIO when it is no such file. */
int memory_split_read(FILE *smaps, int64_t memory_bytes, struct memory_split *ret, struct error *err);

/* What a guest says of itself, in KiB, as bytes of the memory that it was given: it may say anything. */
int64_t memory_split_claim(uint64_t kib, int64_t memory_bytes);
