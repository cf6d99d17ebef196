/* The mark that what a run makes at a libvirt daemon bears: names of machines and of volumes begin with it. By it they are found again. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>

enum { MARK_SIZE = 40 };

/* Is it one that nothing but a run of ours can bear: "bench-", eight hexadecimal digits, "-", a number? */
bool mark_is_valid(const char *mark);

/* Is `name` the mark, "-", and something more? */
bool mark_is_on(const char *mark, const char *name);

/* A random one. */
int mark_make(char *ret, struct error *err);
