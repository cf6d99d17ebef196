/* apt for packages of another architecture than the host's, downloaded only: its lists and state are in a folder of ours, and neither dpkg nor apt of the
 * host learn of that architecture. Where packages come from (sources, keys, proxies) is the host's own configuration. */
#pragma once

#include <bench/error.h>

#include <stddef.h>

/* Makes <dir>/apt with lists of Debian architecture `deb` ("arm64"), which takes some seconds and megabytes, and says which configuration file
 * apt-get and apt-cache are to be called with (-c). Whoever removes `dir` removes all of it. */
int apt_foreign_prepare(const char *dir, const char *deb, char *ret_config, size_t size, struct error *err);

/* The configuration alone, as text. */
int apt_foreign_config(const char *dir, const char *deb, char *ret, size_t size, struct error *err);
