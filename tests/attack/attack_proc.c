/* /proc and /sys: what the kernel can be told, and what it tells. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <unistd.h>

#define EACH(list) (size_t i = 0; i < sizeof(list) / sizeof((list)[0]); i++)

void attack_core_pattern(struct verdict *verdict)
{
	static const char *const paths[] = {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
					    "/proc/sys/kernel/poweroff_cmd", "/proc/sys/kernel/usermodehelper/bset",
					    "/sys/kernel/uevent_helper",     "/proc/sys/fs/binfmt_misc/register"};

	for
		EACH(paths)
	no_write(verdict, paths[i]);
}

void attack_sysctls(struct verdict *verdict)
{
	static const char *const paths[] = {
		"/proc/sys/kernel/hostname",     "/proc/sys/kernel/sysrq",          "/proc/sys/kernel/randomize_va_space",
		"/proc/sys/kernel/panic",        "/proc/sys/kernel/shmmax",         "/proc/sys/kernel/pid_max",
		"/proc/sys/vm/drop_caches",      "/proc/sys/vm/overcommit_memory",  "/proc/sys/fs/file-max",
		"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/core/somaxconn",    "/proc/sys/user/max_user_namespaces",
		"/proc/sys/fs/suid_dumpable",    "/proc/sys/fs/protected_symlinks", "/proc/irq/default_smp_affinity"};

	for
		EACH(paths)
	no_write(verdict, paths[i]);
}

void attack_sysrq(struct verdict *verdict)
{
	no_write(verdict, "/proc/sysrq-trigger");
}

/* Covered files read as empty, covered folders have nothing of the kernel in them. */
void attack_masked_files(struct verdict *verdict)
{
	static const char *const paths[] = {"/proc/kcore",
					    "/proc/keys",
					    "/proc/timer_list",
					    "/proc/kpagecount",
					    "/proc/kpageflags",
					    "/proc/kpagecgroup",
					    "/proc/slabinfo",
					    "/proc/vmallocinfo",
					    "/proc/pagetypeinfo",
					    "/proc/sched_debug",
					    "/proc/latency_stats",
					    "/sys/firmware/memmap/0/start",
					    "/sys/firmware/acpi/tables/DSDT"};
	char text[64];

	for
		EACH(paths)
		{
			long got = read_text(paths[i], text, sizeof(text));

			if (got > 0)
				broke(verdict, "%s tells %ld bytes", paths[i], got);
			else
				saw(verdict, "%s: %s", paths[i], got == 0 ? "empty" : strerror(errno));
		}
}

/* "ffffffff81000000 T _text": an address is one where a digit is not 0. */
static void no_address(struct verdict *verdict, const char *path)
{
	char text[4096];
	long got = read_text(path, text, sizeof(text));

	if (got <= 0) {
		saw(verdict, "%s: %s", path, got == 0 ? "empty" : strerror(errno));
		return;
	}
	size_t digits = strspn(text, "0123456789abcdef");
	if (strspn(text, "0") < digits)
		broke(verdict, "%s shows %.*s", path, (int)digits, text);
	else
		saw(verdict, "%s: zeros", path);
}

void attack_kernel_addresses(struct verdict *verdict)
{
	char text[4096];

	no_address(verdict, "/proc/kallsyms");
	no_address(verdict, "/proc/iomem");
	refused(verdict, "dmesg", klogctl(3, text, sizeof(text)));
	no_read(verdict, "/dev/kmsg");
	no_read(verdict, "/dev/mem");
}

void attack_sysfs(struct verdict *verdict)
{
	static const char *const writes[] = {"/sys/power/state",        "/sys/kernel/mm/transparent_hugepage/enabled",
					     "/sys/kernel/mm/ksm/run",  "/sys/devices/system/cpu/cpu1/online",
					     "/sys/block/loop0/uevent", "/sys/class/net/lo/mtu",
					     "/sys/kernel/profiling"};
	static const char *const reads[] = {"/sys/fs/cgroup/cgroup.procs",         "/sys/fs/cgroup/memory/release_agent",
					    "/sys/fs/cgroup/unified/cgroup.procs", "/sys/kernel/debug/sched",
					    "/sys/kernel/tracing/trace",           "/sys/kernel/security/lsm"};

	for
		EACH(writes)
	no_write(verdict, writes[i]);
	for
		EACH(reads)
	no_read(verdict, reads[i]);
}

/* The canary's pid as the host counts, and our parent. In a pid namespace of our own there is no such process. */
void attack_host_processes(struct verdict *verdict)
{
	static const char *const names[] = {"root/", "cwd/", "mem", "environ", "fd/0", "maps", "ns/mnt", "task"};
	char path[64];

	for
		EACH(names)
		{
			snprintf(path, sizeof(path), "/proc/%ld/%s", host_number("HOST_PID"), names[i]);
			no_read(verdict, path);
		}
	snprintf(path, sizeof(path), "/proc/1/root%s", host_text("HOST_FILE"));
	no_read(verdict, path);
	if (getppid() != 0)
		broke(verdict, "our parent has a number here: %d", (int)getppid());
}

void attack_proc_self_files(struct verdict *verdict)
{
	static const char *const paths[] = {"/proc/self/timens_offsets", "/proc/self/uid_map", "/proc/self/gid_map",
					    "/proc/self/setgroups"};
	static const char *const levels[] = {"-1000", "-1"};

	for
		EACH(levels)
	refused(verdict, levels[i], write_text("/proc/self/oom_score_adj", levels[i]) ? 0 : -1);
	for
		EACH(paths)
	refused(verdict, paths[i], write_text(paths[i], "0 0 4294967295") ? 0 : -1);
}

/* The stage put files into the image where the runtime writes to /proc: maps, setgroups, labels. The runner looks at them afterwards. */
void attack_fake_proc(struct verdict *verdict)
{
	char text[256];

	if (read_text("/proc/self/uid_map", text, sizeof(text)) <= 0)
		broke(verdict, "/proc/self/uid_map is not the kernel's");
	else
		saw(verdict, "/proc is the kernel's, ids %.30s", text + strspn(text, " "));
}

/* The stage put links where the runtime could look for what it masks with. */
void attack_mask_source(struct verdict *verdict)
{
	struct stat st;

	if (stat("/dev/null", &st) < 0 || !S_ISCHR(st.st_mode))
		broke(verdict, "/dev/null is not the device");
	no_write(verdict, "/proc/sys/kernel/core_pattern");
	attack_masked_files(verdict);
}
