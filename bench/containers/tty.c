#include "tty.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct tty tty_find(void)
{
	struct tty tty = TTY_NONE;

	for (int fd = 0; fd < 3 && tty.fd < 0; fd++)
		if (isatty(fd))
			tty.fd = fd;
	return tty;
}

int tty_raw(struct tty *tty, struct error *err)
{
	struct termios raw;

	if (tty->fd < 0 || tty->raw)
		return 0;
	if (tcgetattr(tty->fd, &tty->before) < 0)
		return error_errno(err, "modes of the terminal");
	raw = tty->before;
	cfmakeraw(&raw);
	if (tcsetattr(tty->fd, TCSADRAIN, &raw) < 0)
		return error_errno(err, "raw mode of the terminal");
	tty->raw = true;
	return 0;
}

void tty_restore(struct tty *tty)
{
	sigset_t background, before;

	if (!tty->raw)
		return;
	/* From the background this would stop us; to leave the terminal as it is would be worse. */
	sigemptyset(&background);
	sigaddset(&background, SIGTTOU);
	sigprocmask(SIG_BLOCK, &background, &before);
	while (tcsetattr(tty->fd, TCSADRAIN, &tty->before) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
	tty->raw = false;
}

void tty_copy_size(const struct tty *tty, int to)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};

	if (tty->fd >= 0) {
		struct winsize own;

		if (ioctl(tty->fd, TIOCGWINSZ, &own) == 0 && own.ws_row > 0 && own.ws_col > 0)
			size = own;
	}
	ioctl(to, TIOCSWINSZ, &size); /* tells its foreground job by SIGWINCH when it differs */
}
