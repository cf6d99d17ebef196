/* Work inside another network namespace, done by a short-lived thread of its own: whatever fails, the caller's thread is where it was. */
#pragma once

#include <bench/error.h>

struct nl_sock;

/* A netlink socket inside the namespace behind `netns_fd`, usable from anywhere. It holds the namespace until it is closed. */
int netns_socket(int netns_fd, struct nl_sock **ret, struct error *err);

/* Runs `work` in a new, empty network namespace, which is gone when the thread has ended (and no socket of it is left). Returns what `work` does. */
int netns_try(int (*work)(void *arg, struct error *err), void *arg, struct error *err);
