#include "os_recipe.h"

#include <stddef.h>

/* Ordered after the target that wants it: when the agent answers, multi-user is reached. It runs as root with nothing taken away, as it does
 * everywhere else, and dies without ceremony. */
const char os_recipe_unit[] = "[Unit]\n"
			      "Description=Agent of bench\n"
			      "After=multi-user.target\n"
			      "\n"
			      "[Service]\n"
			      "PassEnvironment=BENCH_CONTROL\n"
			      "ExecStart=/usr/lib/bench/agent\n"
			      "StandardInput=null\n"
			      "StandardOutput=null\n"
			      "TimeoutStopSec=1\n"
			      "\n"
			      "[Install]\n"
			      "WantedBy=multi-user.target\n";

/* An empty machine-id is made up at boot; "uninitialized" would be a first boot, with questions. What looks for updates by the clock would run in
 * the middle of a measurement. */
const char os_recipe_hook[] = "set -e\n"
			      "units=\"$1/etc/systemd/system\"\n"
			      "mkdir -p \"$1/usr/lib/bench\" \"$units/multi-user.target.wants\"\n"
			      ": >\"$1/usr/lib/bench/agent\"\n"
			      "chmod 755 \"$1/usr/lib/bench/agent\"\n"
			      "cat \"$BENCH_UNIT\" >\"$units/bench-agent.service\"\n"
			      "ln -sf ../bench-agent.service \"$units/multi-user.target.wants/bench-agent.service\"\n"
			      "for timer in apt-daily apt-daily-upgrade; do ln -sf /dev/null \"$units/$timer.timer\"; done\n"
			      ": >\"$1/etc/machine-id\"\n"
			      ": >\"$1/etc/fstab\"\n"
			      "rm -f \"$1/etc/resolv.conf\" \"$1/var/lib/dbus/machine-id\"\n"
			      "echo debian >\"$1/etc/hostname\"\n";

/* Before the kernel comes, with the new root as $1: the initramfs shall hold the drivers of the disk that a virtual machine has, not those of every
 * disk in the world. */
#define ESSENTIAL_HOOK                                                                                                                     \
	"set -eu; etc=$1/etc/initramfs-tools; mkdir -p \"$etc/conf.d\" \"$etc/hooks\"; echo MODULES=list >\"$etc/conf.d/bench\"; "         \
	"printf '%s\\n' '#!/bin/sh' '[ \"$1\" != prereqs ] || exit 0' '. /usr/share/initramfs-tools/hook-functions' "                      \
	"'manual_add_modules virtio_pci virtio_mmio virtio_blk ext4' >\"$etc/hooks/bench\"; chmod 755 \"$etc/hooks/bench\""

const char *const os_recipe_options[] = {
	"--variant=" OS_RECIPE_VARIANT,
	"--include=" OS_RECIPE_PACKAGES,
	"--essential-hook=" ESSENTIAL_HOOK,
	"--aptopt=Acquire::Languages \"none\"",
	"--dpkgopt=path-exclude=/usr/share/doc/*",
	"--dpkgopt=path-exclude=/usr/share/man/*",
	"--dpkgopt=path-exclude=/usr/share/locale/*",
	NULL,
};
