#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PORT_TICKS = 100000 }; /* ten a millisecond */

static int connect_control(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = strlen(path) < sizeof(address.sun_path) ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

	if (fd < 0)
		return -1;
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

int guest_open_control(const char *device)
{
	struct stat st;
	struct termios raw;

	if (stat(device, &st) == 0 && S_ISSOCK(st.st_mode))
		return connect_control(device);

	int fd = open(device, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && tcgetattr(fd, &raw) == 0) {
		cfmakeraw(&raw);
		cfsetspeed(&raw, B115200); /* emulated serial ports keep to the speed that is set */
		tcsetattr(fd, TCSANOW, &raw);
	}
	return fd;
}

bool guest_control_is_port(const char *device)
{
	return strncmp(device, "/dev/vport", 10) == 0;
}

/* Its driver learns of a port from the host, in its own time, and makes the device a moment before it can be opened. */
int guest_open_port(const char *device)
{
	char path[32] = "";
	char *number;
	int fd = -1;

	strncpy(path, device, sizeof(path) - 1);
	number = strchr(path, '?');
	for (int tick = 0; tick < PORT_TICKS && fd < 0; tick++) {
		if (number)
			*number = (char)('0' + tick % 10);
		fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && tick % 10 == 9)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return fd;
}

/* ---- modules ---- */

struct entry { /* struct linux_dirent64 */
	uint64_t inode, offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

static void complain(const char *what, const char *name, const char *how, int code)
{
	char text[160];
	int length = snprintf(text, sizeof(text), "bench-agent: %s %.100s cannot be %s: %s\n", what, name, how, strerror(code));

	if (write(STDERR_FILENO, text, (size_t)length) == length)
		tcdrain(STDERR_FILENO);
}

/* Whether the kernel has it already, or the hardware that it is for is not there, is no matter: what then lacks is missed by its user. */
static int load_module(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : (int)syscall(SYS_finit_module, fd, "", 0);
	int code = rc == 0 || errno == EEXIST || errno == ENODEV ? 0 : errno;

	if (fd >= 0)
		close(fd);
	if (code)
		complain("module", name, "loaded", code);
	return code ? -1 : 0;
}

/* Names begin with two digits: for each number the entries are looked through, without memory of our own. */
int guest_load_modules(void)
{
	static _Alignas(struct entry) char entries[8192];
	int dir = open("/modules", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long got = 0, more = 1;
	int rc = 0;

	/* The kernel may give them in parts. */
	while (dir >= 0 && more > 0) {
		more = syscall(SYS_getdents64, dir, entries + got, sizeof(entries) - (size_t)got);
		got += more > 0 ? more : 0;
	}
	if (more < 0) {
		complain("folder", "/modules", "read", errno);
		rc = -1;
	}

	for (int number = 0; rc == 0 && number < 100; number++)
		for (long at = 0; rc == 0 && at < got;) {
			const struct entry *entry = (const struct entry *)(entries + at);

			at += entry->length;
			if (entry->name[0] == '0' + number / 10 && entry->name[1] == '0' + number % 10)
				rc = load_module(dir, entry->name);
		}
	if (dir >= 0)
		close(dir);
	return rc;
}

int guest_hand_over(const char *init)
{
	char *const argv[] = {(char *)init, NULL};

	unsetenv("BENCH_INIT"); /* the rest stays: systemd hands BENCH_CONTROL on to the agent's service */
	execv(init, argv);
	return 1;
}

void guest_become_runtime(const char *program, int control)
{
	char *const argv[] = {(char *)program, NULL};

	if (dup2(control, STDIN_FILENO) == STDIN_FILENO && dup2(control, STDOUT_FILENO) == STDOUT_FILENO)
		execv(program, argv);
	complain("runtime", program, "started", errno);
}

void guest_prepare(void)
{
	static const struct {
		const char *type, *path;
	} mounts[] = {{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}};

	for (unsigned i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].path, 0755);
		mount(mounts[i].type, mounts[i].path, mounts[i].type, MS_NOSUID | MS_NOEXEC, NULL);
	}
	signal(SIGCHLD, SIG_IGN);
}

static int meminfo_bytes(const char *text, const char *key, uint64_t *ret)
{
	const char *at = strstr(text, key);

	if (!at)
		return -1;
	*ret = strtoull(at + strlen(key), NULL, 10) * 1024;
	return 0;
}

int guest_memory(uint64_t *ret_total, uint64_t *ret_available)
{
	char text[512]; /* both stand in the first three lines */
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return -1;
	text[got] = '\0';
	return meminfo_bytes(text, "MemTotal:", ret_total) < 0 || meminfo_bytes(text, "MemAvailable:", ret_available) < 0 ? -1 : 0;
}

_Noreturn void guest_end(const char *how)
{
	sync();
	reboot(how && strcmp(how, "reboot") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}
