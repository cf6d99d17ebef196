/* Options of the vm driver that are about disks: what the root file system is, the empty disk, limits. */
#pragma once

#include <bench/driver.h>
#include <image/image.h>
#include <limits.h>
#include <vmdriver/vm.h>

/* What a root file system is made from. */
struct vm_disk_source {
	const char *layer; /* the folder, or, before it is resolved, the image's name */
	char folder[PATH_MAX];
	bool is_image;
	struct image_store *store;
	struct image image;
	int hold_fd;
};

#define VM_DISK_SOURCE_NONE ((struct vm_disk_source){.hold_fd = -1})

/* Reads the options; `ret` and the spec keep what the result points to. Opens nothing. */
int vm_disk_read(const struct driver_spec *spec, struct vm_disk_source *ret_source, struct vm_options *ret, struct error *err);

/* Finds folder or image. The image stays until vm_disk_done(). */
int vm_disk_resolve(struct vm_disk_source *source, struct vm_options *ret, struct error *err);
void vm_disk_done(struct vm_disk_source *source);

void vm_disk_report(const struct vm_disk_source *source, const struct vm_facts *facts, struct driver_info *info);
