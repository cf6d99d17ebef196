#include "system.h"

#include <base/files.h>
#include <runtime/rootfs.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define ROOT "/newroot"

void system_say(const char *format, ...)
{
	char line[700];
	va_list ap;
	int length = snprintf(line, sizeof(line), "bench-guest: ");

	va_start(ap, format);
	vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, ap);
	va_end(ap);
	strcat(line, "\n");
	if (write(STDERR_FILENO, line, strlen(line)) > 0)
		tcdrain(STDERR_FILENO);
}

_Noreturn void system_end(void)
{
	const char *how = getenv("BENCH_POWEROFF");

	sync();
	reboot(how && strcmp(how, "reboot") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}

static int make_root(struct error *err)
{
	static const char *const folders[] = {ROOT "/dev", ROOT "/proc", ROOT "/sys", ROOT "/run", ROOT "/tmp", ROOT "/etc"};
	int rc = 0;

	if (mkdir(ROOT, 0755) < 0 || mount("tmpfs", ROOT, "tmpfs", MS_NODEV, "mode=755") < 0)
		return error_errno(err, "mount a tmpfs as the root");
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]) && rc == 0; i++)
		rc = mkdir(folders[i], 0755) < 0 ? error_errno(err, "make %s", folders[i]) : 0;
	return rc < 0 ? rc : runtime_rootfs_prepare(ROOT SYSTEM_CONTAINER_ROOT, "/init", err);
}

static int change_root(struct error *err)
{
	static const char *const along[][2] = {{"/dev", ROOT "/dev"}, {"/proc", ROOT "/proc"}, {"/sys", ROOT "/sys"}};

	for (size_t i = 0; i < sizeof(along) / sizeof(along[0]); i++)
		if (mount(along[i][0], along[i][1], NULL, MS_MOVE, NULL) < 0)
			return error_errno(err, "move %s", along[i][0]);
	if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return error_errno(err, "change to the new root");
	return 0;
}

/* One by one: a kernel without one of them has the others. What a container lacks by that, its plan notes. */
static int mount_groups(struct error *err)
{
	static const char *const controllers[] = {"+cpu", "+memory", "+pids", "+cpuset", "+io"};

	if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return error_errno(err, "mount control groups on /sys/fs/cgroup");
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
		file_write_kernel("/sys/fs/cgroup/cgroup.subtree_control", controllers[i], NULL);
	return 0;
}

int system_enter(struct error *err)
{
	int rc = make_root(err);

	if (rc == 0)
		rc = change_root(err);
	return rc < 0 ? rc : mount_groups(err);
}
