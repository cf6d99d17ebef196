/* The one table of variants. */
#include "anatomy_variants.h"

#include <stddef.h>

const struct anatomy_variant anatomy_variants[] = {
	{"container", "net=host", "network namespace", "namespaces", VARIANT_WITHOUT},
	{"container", "pid=host", "process namespace", "namespaces", VARIANT_WITHOUT},
	{"container", "ipc=host", "IPC namespace", "namespaces", VARIANT_WITHOUT},
	{"container", "uts=host", "host name namespace", "namespaces", VARIANT_WITHOUT},
	{"container", "cgroupns=host", "cgroup namespace", "namespaces", VARIANT_WITHOUT},
	{"container", "time=host", "time namespace", "namespaces", VARIANT_WITHOUT},
	{"container", "mount=host", "own mounts, pivot_root not chroot", "namespaces", VARIANT_WITHOUT},
	{"container", "userns=off", "user mapping", "namespaces", VARIANT_WITHOUT},
	{"container", "cgroup=off", "cgroup with its limits", "cgroup", VARIANT_WITHOUT},
	{"container", "cgroup-cpu=off", "cgroup controller cpu", "cgroup", VARIANT_WITHOUT},
	{"container", "cgroup-memory=off", "cgroup controller memory", "cgroup", VARIANT_WITHOUT},
	{"container", "cgroup-pids=off", "cgroup controller pids", "cgroup", VARIANT_WITHOUT},
	{"container", "seccomp=off", "system call filter", "seccomp", VARIANT_WITHOUT},
	{"container", "capabilities=all", "capabilities given up", "capabilities", VARIANT_WITHOUT},
	{"container", "root=overlay", "overlay instead of a read-only bind", NULL, VARIANT_WITH},
	{"container", "root=copy", "copy in a tmpfs instead of a read-only bind", NULL, VARIANT_WITH},
	{"container", "net=bridge", "veth into a bridge", NULL, VARIANT_WITH},
	{"container", "pool=4", "pool of prepared parts", NULL, VARIANT_WITH},
	{"container", "bare=on", "everything: bare clone and exec", NULL, VARIANT_FLOOR},
	{"vm", "machine=microvm", "machine microvm: no PCI, no BIOS", "machine", VARIANT_WITH},
	{"vm", "memory=1G", "1 GiB of memory", "memory", VARIANT_WITH},
	{"vm", "restore=on", "a saved state instead of a boot", "start", VARIANT_WITH},
	{"vm", "trace=off", "stamps made by QEMU (T3)", "trace", VARIANT_WITHOUT},
	{NULL, NULL, NULL, NULL, VARIANT_NONE},
};
