/* The guest's kernel: chosen, in its form, as a file of this run. */
#include "host.h"
#include "kernel_form.h"

#include <base/files.h>
#include <base/units.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a result says of it. */
#define AS_PACKED   "bzImage, unpacked by the guest"
#define AS_UNPACKED "vmlinux, entered by its PVH note: its address is not randomised"
#define AS_IMAGE    "Image, entered directly"
#define AS_GZIP     "Image, unpacked by QEMU"

static void note_form(struct vm_host *host, bool unpacked)
{
	snprintf(host->facts.kernel_form, sizeof(host->facts.kernel_form), "%s", unpacked ? AS_UNPACKED : AS_PACKED);
}

/* A complete system keeps what its distribution starts with. An unpacked kernel that was named is what it is. */
static bool wants_unpacked(const struct vm_options *o)
{
	return o->kernel_form == VM_KERNEL_VMLINUX || (o->kernel_form == VM_KERNEL_AUTO && o->os == VM_OS_NONE);
}

static int put_kernel(struct vm_host *host, const struct vm_options *o, const struct kernel_choice *kernel, struct error *err)
{
	bool packed = strcmp(kernel->image.format, "bzImage") == 0;
	struct kernel_image unpacked;
	struct error why = {0};
	int rc = -ENOTSUP;

	if (strcmp(kernel->image.arch, "aarch64") == 0) {
		snprintf(host->facts.kernel_form, sizeof(host->facts.kernel_form), "%s",
			 strcmp(kernel->image.format, "Image") == 0 ? AS_IMAGE : AS_GZIP);
		return file_copy(kernel->path, host->kernel, 0600, err);
	}
	if (!packed && o->kernel_form == VM_KERNEL_BZIMAGE) {
		error_set(err, EINVAL, "kernel %s is not packed", kernel->path);
		return error_hint(err, "leave kernel_form out");
	}
	if (packed && wants_unpacked(o)) {
		rc = kernel_form_unpack(kernel->path, host->kernel, &unpacked, &why);
		/* What another form would not mend is told; else it stays packed, unless it was asked for. */
		if (rc < 0 && (rc == -ENOSPC || o->kernel_form == VM_KERNEL_VMLINUX)) {
			if (err)
				*err = why;
			return rc;
		}
	}
	if (rc == 0) {
		note_form(host, true);
		return 0;
	}
	note_form(host, !packed);
	return file_copy(kernel->path, host->kernel, 0600, err);
}

int host_prepare_kernel(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	struct kernel_choice kernel;
	int rc = kernel_choose(host->arch, o->os ? host->os.kernel : o->kernel, o->cache_dir, o->note, o->note_arg, &kernel, err);

	if (rc < 0)
		return rc;
	/* Before the first boot: below this the kernel cannot even unpack itself, and the guest would just fall silent. */
	if (o->memory_bytes < kernel.image.needs_bytes) {
		char has[32], needs[32];

		error_set(err, ENOMEM, "memory of %s is too small: kernel %.60s needs %s to unpack itself",
			  format_bytes(o->memory_bytes, has, sizeof(has)), kernel.image.version[0] ? kernel.image.version : kernel.path,
			  format_bytes(kernel.image.needs_bytes, needs, sizeof(needs)));
		return error_hint(err, "use memory=80M or more");
	}
	snprintf(host->facts.kernel_version, sizeof(host->facts.kernel_version), "%s",
		 kernel.image.version[0] ? kernel.image.version : kernel.image.format);
	host->kernel_needs_bytes = kernel.image.needs_bytes;
	snprintf(host->facts.kernel_source, sizeof(host->facts.kernel_source), "%s",
		 o->os ? "the one that is installed in the guest's system" : kernel.source);
	/* A copy of our own: a daemon that changes owners would change those of the host's file. */
	rc = path_format(host->kernel, sizeof(host->kernel), err, "%s/kernel", host->dir);
	return rc < 0 ? rc : put_kernel(host, o, &kernel, err);
}
