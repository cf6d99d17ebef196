#include "deliver.h"

#include <base/files.h>
#include <base/units.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <unistd.h>

int deliver_parse(const char *text, int *ret, struct error *err)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	int64_t number;

	if (parse_integer("signal", text, 1, SIGRTMAX, &number, NULL) == 0) {
		*ret = (int)number;
		return 0;
	}
	for (int i = 1; i < NSIG; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcasecmp(known, name) == 0) {
			*ret = i;
			return 0;
		}
	}
	error_set(err, EINVAL, "'%.40s' is no signal", text);
	return error_hint(err, "give a name or a number: TERM, SIGKILL, 10");
}

static bool ends_by_default(int number)
{
	static const int harmless[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (harmless[i] == number)
			return false;
	return true;
}

/* While a process waits by sigtimedwait, the kernel takes what it waits for out of the mask that it shows. */
static bool is_waiting_for_signals(pid_t pid)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	return file_read("", path, text, sizeof(text), NULL) > 0 && strtol(text, NULL, 10) == SYS_rt_sigtimedwait;
}

/* Does the process know of this signal: handled, ignored, or blocked (then it waits for it)? */
static bool is_known_to(pid_t pid, int number)
{
	static const char *const masks[] = {"SigCgt", "SigIgn", "SigBlk"};
	char path[64], text[8192], mask[32];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read("", path, text, sizeof(text), NULL) < 0)
		return true;
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
		if (!text_field(text, masks[i], mask, sizeof(mask)) || strtoull(mask, NULL, 16) & UINT64_C(1) << (number - 1))
			return true;
	return is_waiting_for_signals(pid);
}

int deliver_signal(pid_t pid, int pidfd, bool own_pids, int number, struct error *err)
{
	bool instead = own_pids && number != SIGKILL && ends_by_default(number) && !is_known_to(pid, number);

	if (syscall(SYS_pidfd_send_signal, pidfd, instead ? SIGKILL : number, NULL, 0) < 0)
		return error_errno(err, "signal %d to process %d", number, (int)pid);
	return instead;
}
