#include "account.h"

#include <base/files.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* "nobody": it has an entry in every /etc/passwd, and libvirt looks for the one of the user it runs as. */
enum { INSIDE_ID = 65534 };

static int write_maps(uid_t uid, gid_t gid, struct error *err)
{
	char text[64];
	int rc = file_write_kernel("/proc/self/setgroups", "deny", err);

	snprintf(text, sizeof(text), "%d %u 1", INSIDE_ID, (unsigned)uid);
	if (rc == 0)
		rc = file_write_kernel("/proc/self/uid_map", text, err);
	snprintf(text, sizeof(text), "%d %u 1", INSIDE_ID, (unsigned)gid);
	return rc < 0 ? rc : file_write_kernel("/proc/self/gid_map", text, err);
}

static int enter(struct error *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER) < 0)
		return error_errno(err, "make a user namespace");
	return write_maps(uid, gid, err);
}

/* Does it work here? Found out by a child, because there is no way back out of a namespace whose maps could not be written. */
static int try_in_child(struct error *err)
{
	struct error why = {0};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, "pipe");

	pid_t child = fork();

	if (child == 0) {
		enter(&why);
		_exit(write(ends[1], &why, sizeof(why)) == sizeof(why) ? 0 : 1);
	}
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return error_errno(err, "fork");
	}

	ssize_t got = read(ends[0], &why, sizeof(why));

	close(ends[0]);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (got != sizeof(why))
		return error_set(err, ECHILD, "the process that tried a user namespace died");
	if (!why.code)
		return 0;
	if (err)
		*err = why;
	return -why.code;
}

int account_leave_root(bool *ret_left, struct error *err)
{
	bool has_account = getpwnam("libvirt-qemu") || getpwnam("qemu");
	struct error why = {0};

	if (try_in_child(&why) == 0) {
		int rc = enter(err);

		if (rc < 0)
			return rc;
		*ret_left = true;
		return 0;
	}
	if (has_account) {
		*ret_left = false;
		return 0;
	}
	error_set(err, why.code,
		  "libvirt as root wants its account for QEMU (libvirt-qemu), which does not exist, and a user namespace to do without it "
		  "cannot be had: %s",
		  why.message);
	return error_hint(err,
			  "create it: useradd --system --no-create-home --user-group --shell /usr/sbin/nologin libvirt-qemu; or run as "
			  "an ordinary user");
}
