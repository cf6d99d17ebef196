/* What is in the image. Plain text, and all of it counts for the image's key. */
#pragma once

#define OS_RECIPE_SUITE   "bookworm"
#define OS_RECIPE_VARIANT "minbase"
/* Kernel and what makes its initramfs are for machines; a container leaves them alone. */
#define OS_RECIPE_PACKAGES "systemd-sysv,dbus,udev,kmod,iproute2,procps,initramfs-tools,linux-image-cloud-amd64"

extern const char os_recipe_unit[]; /* of the agent */
extern const char os_recipe_hook[]; /* a shell script, run on the host with the root folder as $1; BENCH_UNIT names a file with the unit */
extern const char *const os_recipe_options[]; /* of mmdebstrap; ends with NULL */
