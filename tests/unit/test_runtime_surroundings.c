/* Containers in places that are not a plain host: root folders on file systems mounted noexec, root of a user namespace. Each case happens in
 * a child with mounts and ids of its own, whose words are looked at here. */
#include "runtime_fixture.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

TestSuite(container_surroundings, .init = setup, .fini = teardown, .timeout = 60);

struct words {
	char text[16384];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	int length = vsnprintf(words->text + words->used, sizeof(words->text) - words->used, format, ap);
	va_end(ap);
	words->used += (size_t)length;
	if (words->used >= sizeof(words->text))
		words->used = sizeof(words->text) - 1;
}

static void say_plan(struct words *words, const struct container_plan *plan)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	container_plan_print(plan, out);
	fclose(out);
	say(words, "%srootless=%d\n", text, container_plan_facts(plan)->rootless);
	free(text);
}

/* Runs a script in a container; says the plan, what the script says, and every error. */
static void say_script(struct words *words, const struct container_options *options, const char *script)
{
	struct container_plan *plan = NULL;
	struct container container = CONTAINER_NONE;
	struct error err = {0};
	int pair[2];

	if (container_support(options, &err) == CONTAINER_UNSUPPORTED)
		say(words, "UNSUPPORTED %s\n", err.message);
	if (container_prepare(options, &plan, &err) < 0) {
		say(words, "REFUSED %s (%s)\n", err.message, err.hint);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    container_start(plan, "c-1", (int[]){pair[1], pair[1], pair[1]}, 0, &container, &err) < 0)
		say(words, "FAILED %s (%s)\n", err.message, err.hint);
	close(pair[1]);
	say_plan(words, plan);
	ssize_t got = send(pair[0], script, strlen(script), MSG_NOSIGNAL);
	shutdown(pair[0], SHUT_WR);
	while (got > 0 && (got = read(pair[0], words->text + words->used, sizeof(words->text) - 1 - words->used)) > 0)
		words->used += (size_t)got;
	if (container_stop(plan, &container, &err) < 0)
		say(words, "STOP %s\n", err.message);
	close(pair[0]);
	container_plan_free(plan);
}

static const char look[] =
	"A=/busybox; echo pid=$$ uid=$($A id -u); $A touch /x 2>&1; $A ls /; echo gone > /dev/null && $A head -c3 /dev/zero | $A wc -c\n"
	"$A chmod 666 /dev/null && echo changed; $A grep Cap /proc/self/status; $A grep ' / / ' /proc/self/mountinfo; $A true && echo "
	"ran\n";

/* The root folder on a tmpfs that is mounted noexec. Seen by the child alone. */
static bool make_noexec(struct words *words)
{
	struct error err = {0};
	struct statvfs st;
	char from[80], to[80];

	snprintf(from, sizeof(from), "%s/agent", root);
	snprintf(to, sizeof(to), "%s/busybox", root);
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") == 0 && statvfs(root, &st) == 0 &&
	    st.f_flag & ST_NOEXEC && runtime_rootfs_prepare(root, "/bin/busybox", &err) == 0 && rename(from, to) == 0)
		return true;
	say(words, "NOEXEC %s %s\n", strerror(errno), err.message);
	return false;
}

/* As `unshare --map-root-user` does. */
static bool become_nested_root(struct words *words)
{
	char map[64], groups[64];

	snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
	snprintf(groups, sizeof(groups), "0 %u 1", (unsigned)getegid());
	if (unshare(CLONE_NEWUSER) == 0 && file_write_kernel("/proc/self/setgroups", "deny", NULL) == 0 &&
	    file_write_kernel("/proc/self/uid_map", map, NULL) == 0 && file_write_kernel("/proc/self/gid_map", groups, NULL) == 0 &&
	    geteuid() == 0)
		return true;
	say(words, "NESTED %s\n", strerror(errno));
	return false;
}

static void in_child(void (*act)(struct words *words), struct words *ret)
{
	int channel[2];
	size_t used = 0;
	ssize_t got;

	cr_assert_eq(pipe2(channel, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct words words = {.text = ""};

		act(&words);
		_exit(write(channel[1], words.text, words.used) == (ssize_t)words.used ? 0 : 1);
	}
	close(channel[1]);
	while ((got = read(channel[0], ret->text + used, sizeof(ret->text) - 1 - used)) > 0)
		used += (size_t)got;
	ret->text[used] = '\0';
	close(channel[0]);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void expect_inside(const struct words *words)
{
	static const char *const wrong[] = {"UNSUPPORTED", "REFUSED", "FAILED", "STOP", "NOEXEC", "NESTED"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_null(strstr(words->text, wrong[i]), "%s", words->text);
	EXPECT_LINE(words->text, "pid=1 uid=0\n");
	EXPECT_LINE(words->text, "/x: Read-only file system");
	EXPECT_LINE(words->text, "busybox\ndev\nproc\nrun\nsys\ntmp\n");
	EXPECT_LINE(words->text, "\n3\n");
	EXPECT_LINE(words->text, "CapEff:\t00000000000004fb");
	EXPECT_LINE(words->text, "CapBnd:\t00000000000004fb");
	EXPECT_LINE(words->text, "ran\n");
}

static void needs_root(void)
{
	if (geteuid() != 0)
		skip("needs root");
}

static void noexec_as_root(struct words *words)
{
	struct container_options options = options_here();

	if (!make_noexec(words))
		return;
	say_script(words, &options, look);
	options.namespaces &= ~(unsigned)CONTAINER_NS_MOUNT;
	say(words, "chroot: ");
	if (container_prepare(&options, &(struct container_plan *){NULL}, &(struct error){0}) == -EACCES)
		say(words, "cannot\n");
}

Test(container_surroundings, root_on_noexec_as_root)
{
	struct words words;

	needs_root();
	in_child(noexec_as_root, &words);
	expect_inside(&words);
	EXPECT_LINE(words.text, "child   root               /tmp");
	EXPECT_LINE(words.text, "chmod: /dev/null: Read-only file system"); /* shared by the containers of a plan */
	EXPECT_LINE(words.text, "rootless=0");
	EXPECT_LINE(words.text, "chroot: cannot\n");
}

static void noexec_without_root(struct words *words)
{
	if (!make_noexec(words))
		return;
	if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		say(words, "NOEXEC ids\n");
	prctl(PR_SET_DUMPABLE, 1);
	struct container_options options = options_here();
	options.root_is_program = true;
	say_script(words, &options, look);
	options.root_is_program = false;
	struct container_plan *plan = NULL;
	struct error err = {0};
	if (container_prepare(&options, &plan, &err) < 0)
		say(words, "another root: %s\n", err.message);
}

Test(container_surroundings, root_on_noexec_without_root)
{
	struct words words;

	needs_root(); /* to mount it */
	in_child(noexec_without_root, &words);
	expect_inside(&words);
	EXPECT_LINE(words.text, "child   root-copy          /busybox");
	EXPECT_LINE(words.text, "note    root in a tmpfs");
	EXPECT_LINE(words.text, "chmod: /dev/null: Read-only file system");
	EXPECT_LINE(words.text, "rootless=1");
	EXPECT_LINE(words.text, "another root: root folder /tmp");
	EXPECT_LINE(words.text, "mounted noexec, outside our user namespace");
}

static void nested_root(struct words *words)
{
	if (!become_nested_root(words))
		return;
	struct container_options options = options_here();
	say_script(words, &options, look);
}

Test(container_surroundings, root_of_a_user_namespace)
{
	struct words words;

	in_child(nested_root, &words);
	expect_inside(&words);
	EXPECT_LINE(words.text, "parent  clone              mount pid net uts ipc cgroup");
	cr_expect_null(strstr(words.text, "cgroup user"), "it is root enough already");
	EXPECT_LINE(words.text, "chmod: /dev/null: Read-only file system");
	EXPECT_LINE(words.text, "rootless=1");
	cr_expect_null(strstr(words.text, "drop-groups"), "setgroups is denied here");
}

static void nested_root_on_noexec(struct words *words)
{
	if (!become_nested_root(words) || !make_noexec(words))
		return;
	struct container_options options = options_here();
	options.root_is_program = true;
	say_script(words, &options, look);
}

Test(container_surroundings, root_of_a_user_namespace_on_noexec)
{
	struct words words;

	in_child(nested_root_on_noexec, &words);
	expect_inside(&words);
	EXPECT_LINE(words.text, "child   root-copy          /busybox");
}

/* A container around us may have taken capabilities away. */
static void few_capabilities(struct words *words)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		say(words, "FAILED capget\n");
	uint32_t lost = 1u << CAP_MKNOD | 1u << CAP_SETPCAP | 1u << CAP_NET_BIND_SERVICE;
	data[0].effective &= ~lost;
	data[0].permitted &= ~lost;
	data[0].inheritable = data[1].inheritable = 0;
	if (syscall(SYS_capset, &header, data) < 0)
		say(words, "FAILED capset\n");
	struct container_options options = options_here();
	options.userns = CONTAINER_OFF;
	say_script(words, &options, look);
}

Test(container_surroundings, root_with_few_capabilities)
{
	struct words words;

	needs_root();
	in_child(few_capabilities, &words);
	cr_assert_null(strstr(words.text, "FAILED"), "%s", words.text);
	cr_assert_null(strstr(words.text, "UNSUPPORTED"), "%s", words.text);
	EXPECT_LINE(words.text, "ran\n");
	EXPECT_LINE(words.text, "CapPrm:\t00000000000000fb");
	EXPECT_LINE(words.text, "CapEff:\t00000000000000fb");
	EXPECT_LINE(words.text, "chmod: /dev/null: Read-only file system"); /* bound, as it could not be made */
}

/* The root folder on a mount that is shared, as systemd makes all of them. */
static void shared_mounts(struct words *words)
{
	struct container_options options = options_here();
	char before[32768], after[32768];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(root, root, NULL, MS_BIND, NULL) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		say(words, "FAILED to share: %s\n", strerror(errno));
	file_read("", "/proc/self/mountinfo", before, sizeof(before), NULL);
	for (enum container_choice choice = CONTAINER_AUTO; choice <= CONTAINER_OFF; choice++) {
		options.userns = choice;
		say_script(words, &options, look);
		file_read("", "/proc/self/mountinfo", after, sizeof(after), NULL);
		if (strcmp(before, after) != 0)
			say(words, "FAILED: mounts reached the host:\n%.4000s\n", after);
	}
}

Test(container_surroundings, root_on_a_shared_mount)
{
	struct words words;

	needs_root();
	in_child(shared_mounts, &words);
	cr_assert_null(strstr(words.text, "FAILED"), "%s", words.text);
	expect_inside(&words);
}

/* A kernel before 5.12, as far as a filter can play it. */
static void old_kernel(struct words *words)
{
	struct sock_filter no_mount_setattr[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount_setattr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = no_mount_setattr};
	struct container_options options = options_here();

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		say(words, "no filter: %s\n", strerror(errno));
	say_script(words, &options, look);
}

Test(container_surroundings, kernel_that_is_too_old)
{
	struct words words;

	in_child(old_kernel, &words);
	EXPECT_LINE(words.text, "UNSUPPORTED this kernel has no mount_setattr");
	EXPECT_LINE(words.text, "REFUSED this kernel has no mount_setattr (Linux 5.12 or newer");
}

static void chrooted(struct words *words)
{
	struct container_options options = options_here();
	struct error err = {0};
	char path[80];

	snprintf(path, sizeof(path), "%s/proc", root);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("proc", path, "proc", 0, NULL) < 0 ||
	    chroot(root) < 0 || chdir("/") < 0)
		say(words, "no chroot: %s\n", strerror(errno));
	if (container_support(&options, &err) == CONTAINER_UNSUPPORTED)
		say(words, "%s (%s)\n", err.message, err.hint);
}

Test(container_surroundings, host_that_is_a_chroot)
{
	struct words words;

	needs_root();
	in_child(chrooted, &words);
	EXPECT_LINE(words.text, ": Invalid argument (the root of this host cannot be left behind (an initramfs, or a chroot)");
}
