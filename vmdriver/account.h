/* Root, and libvirt's embedded driver.
 *
 * As root that driver works on the host at large: it makes folders below /run, looks at devices, and refuses to start where its distribution's
 * account for QEMU ("libvirt-qemu", "qemu") does not exist, even when told to use another. That account comes with the package of the
 * system daemon, which nothing here needs. As an ordinary user it does none of this.
 *
 * What is given up are root's capabilities, not its files: to the host, libvirt and QEMU are the same user as before. What they may reach is confine.h's
 * business. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>

/* Moves the calling process, which must be root and have one thread, into a user namespace where it is not root and has no capability over
 * the host, but still owns root's files, for the rest of its life: files of other users are then out of its reach. Where that cannot be done (namespaces are forbidden, a capability
 * is missing) the process stays as it was: *ret_left is false if libvirt's account exists, else it is an error. */
int account_leave_root(bool *ret_left, struct error *err);
