#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

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

int guest_hand_over(const char *init)
{
	char *const argv[] = {(char *)init, NULL};

	unsetenv("BENCH_INIT"); /* the rest stays: systemd hands BENCH_CONTROL on to the agent's service */
	execv(init, argv);
	return 1;
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

_Noreturn void guest_end(const char *how)
{
	sync();
	reboot(how && strcmp(how, "reboot") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}
