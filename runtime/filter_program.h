/* From a verdict for every system call to a BPF program: a binary search over ranges of equal verdicts, with a few instructions at the leaves
 * that look at an argument. What the kernel does with a filter at every start (check, convert, compile, try every call against it) grows with its
 * length and depth, so both are kept small. Internal to runtime/. */
#pragma once

#include <bench/error.h>

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a call gets: SECCOMP_RET_*, decided by its number alone or by one argument. */
struct filter_verdict {
	uint32_t action;                     /* where no condition holds */
	const struct filter_condition *when; /* NULL: none */
};

/* Of one argument. The kernel's own view is 32 or 64 bits wide, depending on the call. */
struct filter_condition {
	unsigned argument;
	bool whole;             /* 64 bits are compared: with any high bit set, no value matches */
	const uint32_t *values; /* `then` where the low half is one of them, or has one of these bits */
	size_t n_values;
	bool is_mask; /* values[0] is a mask, and matches where all of its bits are 0 */
	uint32_t then;
};

/* `verdicts[n]` is that of call n, `beyond` that of all higher numbers; another architecture's calls kill. `ret` is allocated. */
int filter_program(const struct filter_verdict *verdicts, size_t count, uint32_t beyond, uint32_t arch, struct sock_filter **ret,
		   unsigned short *ret_count, struct error *err);
