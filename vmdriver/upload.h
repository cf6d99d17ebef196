/* Files of a run on another host: volumes of a storage pool there. */
#pragma once

#include <bench/error.h>

#include <libvirt/libvirt.h>
#include <stddef.h>

#define UPLOAD_POOL_DEFAULT "default"

/* Copies the file `path` into a new volume "<mark>-<name>" of the pool (a folder, and running). `ret` gets its path on that host. Nothing is left on
 * failure. */
int upload_file(virConnectPtr connection, const char *pool, const char *mark, const char *name, const char *path, char *ret, size_t size,
		struct error *err);

/* Removes all volumes with the mark. That there is no such pool is success. */
int upload_remove(virConnectPtr connection, const char *pool, const char *mark, struct error *err);
