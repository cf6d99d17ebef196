/* Something asked of libvirt in a process of its own: it may hang, it starts threads, and it changes the environment; none of that stays. */
#pragma once

#include <bench/error.h>

/* Forks a child that plays `act`, and waits for its result: what it returned, with its error. After timeout_ms the child is killed (-ETIMEDOUT).
 * libvirt is silent in it and starts no daemon. The caller has one thread. */
int apart(int (*act)(void *arg, struct error *err), void *arg, int timeout_ms, struct error *err);
