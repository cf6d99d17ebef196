/* The system call filter of a container as a classic BPF program, made once and installed by every child. Internal to runtime/. */
#pragma once

#include "filter_program.h"

#include <bench/error.h>

#include <linux/filter.h>
#include <stddef.h>

/* Builds the filter for the architecture that this program runs on; any other is killed. The caller frees *ret. */
int filter_build(struct sock_filter **ret, unsigned short *ret_count, struct error *err);

/* Up to the newest call that the library's tables name. Younger ones do not exist as far as a container can tell, so that libc falls back. */
enum { FILTER_CALLS = 451 };

/* What each call gets. */
void filter_verdicts(struct filter_verdict ret[FILTER_CALLS]);

/* Number of system calls that the filter lets through, some of them with conditions. */
size_t filter_allowed(void);
