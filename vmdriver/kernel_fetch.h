/* Gets a distribution's kernel as a package and takes the image out, without installing anything and without being root. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>

/* Where kernels are kept, below the cache folder. Files are named vmlinuz-<version> and are complete: they get their name last. */
#define KERNEL_FETCH_DIR "vm/kernels"

/* Is there a package tool that we know? Its name for a message ("apt-get"), or NULL. */
const char *kernel_fetch_tool(void);

/* Downloads and unpacks into <cache_dir>/vm/kernels. One at a time a cache: others wait. What a killed download left is removed. */
int kernel_fetch(const char *cache_dir, void (*note)(void *arg, const char *text), void *note_arg, struct error *err);

/* Takes the kernel image out of a .deb or .rpm file and writes it as <dir>/vmlinuz-<version>. */
int kernel_unpack(const char *package, const char *dir, struct error *err);

/* Downloads a package of Debian's kind into a folder and says where it is. */
int kernel_fetch_package(const char *package, const char *dir, char *ret, size_t size, struct error *err);

/* Takes the modules `names` (ended by NULL) out of a .deb or .rpm file and writes each as <dir>/<name>.ko, not compressed. Returns how many there were. */
int kernel_unpack_modules(const char *package, const char *const *names, const char *dir, struct error *err);

/* The name in a path of a module ("virtio_net" of "…/virtio-net.ko.xz" or "…/virtio_net.ko"); false: it is none. */
bool kernel_module_name(const char *path, char *ret, size_t size);

/* Writes the content of a module file, which may be compressed, to <dir>/<name>.ko. */
int kernel_module_write(const void *data, size_t size, const char *name, const char *dir, struct error *err);
