/* Which machine programs are for: this host's name in OCI's words, and what an ELF header says. */
#pragma once

#include <bench/error.h>

#include <stddef.h>

/* The architecture of the programs in a root (of its shell, its loader, its init) in OCI's words; "" where none was found. */
void platform_of_root(int root_fd, char *ret, size_t size);

/* "amd64" for "x86_64" and so on; the name itself where it is not known. */
const char *platform_oci_name(const char *machine);
