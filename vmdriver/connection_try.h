/* Does libvirt answer at a URI, and why not? */
#pragma once

#include <bench/error.h>

/* Connects in a process apart, and hangs up. A daemon that takes the connection and then says nothing is given CONNECTION_TRY_MS, one of another host
 * CONNECTION_TRY_REMOTE_MS. Not for the embedded driver. The error has a hint. */
int connection_try(const char *uri, struct error *err);

enum { CONNECTION_TRY_MS = 5000, CONNECTION_TRY_REMOTE_MS = 20000 };

/* The hint for an error on the way to a daemon. */
int connection_hint(const char *uri, struct error *err);
