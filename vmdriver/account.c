#include "account.h"

#include <base/files.h>
#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
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

int account_leave_root(bool *ret_left, struct error *err)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	bool has_account = getpwnam("libvirt-qemu") || getpwnam("qemu");

	if (unshare(CLONE_NEWUSER) == 0) {
		int rc = write_maps(uid, gid, err);

		*ret_left = rc == 0;
		return rc;
	}
	if (has_account) {
		*ret_left = false;
		return 0;
	}
	error_errno(err, "libvirt's account for QEMU (libvirt-qemu) does not exist, and a user namespace to do without it cannot be made");
	return error_hint(err, "create it: useradd --system --no-create-home --user-group --shell /usr/sbin/nologin libvirt-qemu");
}
