/* How root is left, and how not: a process that cannot leave stays whole. */
#include <bench/cleanup.h>
#include <criterion/criterion.h>
#include <vmdriver/account.h>

#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct outcome {
	int rc;
	bool left, same_namespace, owns_root;
	struct error error;
};

static bool drop_setfcap(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	data[0].effective &= ~(1u << CAP_SETFCAP);
	data[0].permitted &= ~(1u << CAP_SETFCAP);
	return syscall(SYS_capset, &header, data) == 0;
}

static ssize_t namespace_of_self(char *ret, size_t size)
{
	return readlink("/proc/self/ns/user", ret, size);
}

/* In a child of its own, for there is no way back. */
static struct outcome leave(bool crippled)
{
	struct outcome o = {0};
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	if (fork() == 0) {
		char before[64] = "", after[64] = "";

		if (crippled && !drop_setfcap())
			_exit(1);
		namespace_of_self(before, sizeof(before) - 1);
		o.left = true;
		o.rc = account_leave_root(&o.left, &o.error);
		namespace_of_self(after, sizeof(after) - 1);
		o.same_namespace = strcmp(before, after) == 0;
		o.owns_root = access("/root", R_OK | W_OK | X_OK) == 0;
		_exit(write(ends[1], &o, sizeof(o)) == sizeof(o) ? 0 : 1);
	}
	close(ends[1]);
	cr_assert_eq(read(ends[0], &o, sizeof(o)), sizeof(o), "the child gave no answer");
	close(ends[0]);
	wait(NULL);
	return o;
}

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("only root has something to leave");
}

Test(vm_account, root_is_left_for_a_user_who_owns_its_files)
{
	need_root();

	struct outcome o = leave(false);

	if (o.rc < 0 || !o.left)
		cr_skip_test("no user namespaces here: %s", o.error.message);
	cr_assert(!o.same_namespace);
	cr_assert(o.owns_root);
}

/* Since Linux 5.12 root's id can only be mapped by who may set file capabilities: the namespace is made, its map refused. */
Test(vm_account, where_the_map_is_refused_nothing_has_happened)
{
	need_root();

	struct outcome o = leave(true);

	if (o.rc == 0 && o.left)
		cr_skip_test("this kernel maps root without CAP_SETFCAP");
	cr_assert(o.same_namespace, "it sits in a namespace without a map");
	cr_assert(o.owns_root);
	if (getpwnam("libvirt-qemu") || getpwnam("qemu")) {
		cr_assert_eq(o.rc, 0, "%s", o.error.message);
		return;
	}
	cr_assert_lt(o.rc, 0);
	cr_assert(strstr(o.error.message, "uid_map"), "%s", o.error.message);
	cr_assert(strstr(o.error.hint, "useradd"), "%s", o.error.hint);
}
