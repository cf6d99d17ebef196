/* A kernel in the form in which it starts fastest. Distributions ship it packed (bzImage): the guest's processor unpacks it, which takes a third of a
 * second where that is emulated. Unpacked by the host (vmlinux) it is entered directly, by the address in its PVH note. What the guest's own unpacker
 * would have done is then not done: the kernel's address is not randomised (KASLR). */
#pragma once

#include "kernel_image.h"

#include <bench/error.h>

/* Writes the ELF kernel inside the bzImage `from` to the new file `to` (0600) and says in `ret` what it is. -ENOTSUP when it is packed in a way that is
 * not known here, or has no PVH entry; -EBADMSG when it is damaged. On failure there is no file. */
int kernel_form_unpack(const char *from, const char *to, struct kernel_image *ret, struct error *err);
