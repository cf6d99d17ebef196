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

const char *const os_recipe_options[] = {
	"--variant=" OS_RECIPE_VARIANT,
	"--include=" OS_RECIPE_PACKAGES,
	"--aptopt=Acquire::Languages \"none\"",
	"--dpkgopt=path-exclude=/usr/share/doc/*",
	"--dpkgopt=path-exclude=/usr/share/man/*",
	"--dpkgopt=path-exclude=/usr/share/locale/*",
	NULL,
};
