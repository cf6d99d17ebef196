/* Process 1 of a guest that means ill: at each ping it asks fw_cfg for something, many thousand times, and only then answers. QEMU traces each. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <termios.h>
#include <unistd.h>

enum { FW_CFG_SELECT = 0x510, KEY_CMDLINE_DATA = 0x15, TIMES = 20000 };

static void say(int fd, const char *line)
{
	if (write(fd, line, strlen(line)) < 0)
		_exit(1);
}

int main(void)
{
	const char *control = getenv("BENCH_CONTROL");
	struct termios raw;
	char c;

	mount("dev", "/dev", "devtmpfs", 0, NULL);

	int fd = open(control ? control : "/dev/ttyS0", O_RDWR | O_NOCTTY);

	if (fd < 0 || tcgetattr(fd, &raw) < 0)
		return 1;
	cfmakeraw(&raw);
	tcsetattr(fd, TCSANOW, &raw);
	if (ioperm(FW_CFG_SELECT, 2, 1) < 0)
		return 1;
	say(fd, "hello bench-agent that floods\n");
	/* Each line is a ping. */
	while (read(fd, &c, 1) == 1)
		if (c == '\n') {
			for (int i = 0; i < TIMES; i++)
				outw(KEY_CMDLINE_DATA, FW_CFG_SELECT);
			say(fd, "pong\n");
		}
	return 0;
}
