/* A view of /proc/sys to set the quotas of user namespaces by. Internal to the runtime.
 *
 * Every user namespace has entries of its own in /proc/sys/user, and the kernel keeps all of them under one name: to find one of
 * thousands it walks them all, so that a start would cost the more, the more containers run. An instance of procfs of our own, which only this
 * descriptor holds, keeps that list short: it is left for a new one after some uses. */
#pragma once

/* Opens /proc/sys below host_root ("" is the host): in an instance of our own where we may mount one, else the host's. Returns the descriptor
 * (O_PATH), or -errno. */
int sysctl_open(const char *host_root);

/* Counts a use of *fd; after many it is replaced, if that can be done. */
void sysctl_used(int *fd, unsigned *uses);
