/* What a container can have: volumes, devices, another user, a working folder, a terminal; in each way in which one can be started. */
#include "runtime_ways.h"

#include <sys/ioctl.h>

TestSuite(container_features, .init = setup, .fini = finish, .timeout = 120);

/* ---- volumes ---- */

static char shared[80];

static void make_shared(void)
{
	char path[128];

	snprintf(shared, sizeof(shared), "%s/shared", root);
	cr_assert_eq(mkdir(shared, 0755), 0);
	snprintf(path, sizeof(path), "%s/file", shared);
	write_text(path, "from the host\n");
	if (geteuid() == 0)
		cr_assert_eq(chmod(shared, 0777), 0);
}

static void check_volumes(struct container_options *options)
{
	char file[128], path[128];
	struct stat st;

	snprintf(file, sizeof(file), "%s/file", shared);
	const struct container_mount mounts[] = {{shared, "/data/deep", false}, {shared, "/rw", true}, {file, "/etc/one", false}};
	options->root = CONTAINER_ROOT_OVERLAY;
	options->mounts = mounts;
	options->n_mounts = 3;
	expect_script(
		options,
		"A=/busybox; $A cat /data/deep/file /etc/one; $A touch /data/deep/x; echo inside > /rw/made && $A cat /data/deep/made; "
		"echo y > "
		"/etc/one; $A rm /rw/made; echo left > /rw/left; $A grep -c 'nosuid,nodev' /proc/self/mounts | $A sed 's/.*/flags/'\n",
		"from the host\nfrom the host\ntouch: /data/deep/x: Read-only file system\ninside\nsh: can't create /etc/one: Read-only "
		"file "
		"system\nflags\n");
	snprintf(path, sizeof(path), "%s/left", shared);
	cr_expect(stat(path, &st) == 0 && st.st_uid == geteuid(), "owner %u", st.st_uid);
	unlink(path);
}

Test(container_features, volumes)
{
	make_shared();
	in_all_ways(check_volumes);
}

/* A bare root has no place to make targets in; what is there, or lies in the tmpfs, will do. */
static void check_bare_volumes(struct container_options *options)
{
	struct container container = CONTAINER_NONE;
	struct container_mount mount = {shared, "/run/data", false};
	struct error err = {0};

	options->mounts = &mount;
	options->n_mounts = 1;
	expect_script(options, "/busybox cat /run/data/file\n", "from the host\n");
	mount.target = "/nowhere/here";
	struct container_plan *plan = plan_for(options);
	cr_expect_eq(container_start(plan, "c-1", (int[]){-1, -1, -1}, 0, &container, &err), -EROFS, "%s", err.message);
	cr_expect_not_null(strstr(err.message, "read-only-volume /nowhere/here: Read-only file system"), "%s", err.message);
	cr_expect_not_null(strstr(err.hint, "root=overlay"), "%s", err.hint);
	container_plan_free(plan);
}

Test(container_features, volumes_of_a_bare_root)
{
	make_shared();
	in_all_ways(check_bare_volumes);
}

static void refuse(const struct container_options *options, const char *words)
{
	struct container_plan *plan = NULL;
	struct error err = {0};

	cr_expect_lt(container_prepare(options, &plan, &err), 0, "not refused: %s", words);
	cr_expect_not_null(strstr(err.message, words), "'%s' lacks '%s'", err.message, words);
	if (plan)
		container_plan_free(plan);
}

Test(container_features, what_makes_no_sense_is_refused)
{
	static const char *const targets[] = {"/",      "/proc",    "/proc/sys", "/sys/fs", "/dev",
					      "/dev/x", "relative", "/a/../b",   "/a//b",   "/./a"};
	static const char *const no_node[] = {"/dev/fd", NULL}, *const outside[] = {"/dev/../etc/passwd", NULL},
				 *const none[] = {"/dev/nope", NULL};
	struct container_options options = options_here();
	struct container_mount mount = {"/tmp", "/x", false};

	options.mounts = &mount;
	options.n_mounts = 1;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		mount.target = targets[i];
		refuse(&options, "mount target ");
	}
	mount = (struct container_mount){"/nope", "/x", false};
	refuse(&options, "mount source /nope: No such file");
	mount = (struct container_mount){"/dev/null", "/x", false};
	refuse(&options, "neither a folder, a file nor a socket");
	options = options_here();
	options.devices = no_node;
	refuse(&options, "no device node");
	options.devices = outside;
	refuse(&options, "not a path below /dev");
	options.devices = none;
	refuse(&options, "device /dev/nope: No such file");
	options = options_here();
	options.root = CONTAINER_ROOT_UPPER;
	refuse(&options, "needs a folder for what is written");
	options.upper = "/nope";
	refuse(&options, "no folder 'upper'");
	options = options_here();
	options.working_dir = "tmp";
	refuse(&options, "working folder tmp: not an absolute path");
	options.working_dir = NULL;
	options.run_uid = 70000;
	if (geteuid() != 0 || !container_options_default().userns)
		refuse(&options, "user 70000, group 0: this container has ids from 0 to ");
}

/* A target that the image makes a link stays inside the root; over a link to "/" or /proc nothing of the runtime's own is lost. */
static void check_linked_targets(struct container_options *options)
{
	const struct container_mount mounts[] = {{shared, "/out/data", false}, {shared, "/to-proc", false}};

	options->root = CONTAINER_ROOT_OVERLAY;
	options->mounts = mounts;
	options->n_mounts = 2;
	expect_script(options, "/busybox ls /made/data; /busybox test -d /proc/self && /busybox cat /proc/self/comm\n", "file\nbusybox\n");
}

Test(container_features, targets_behind_links)
{
	char path[128];

	make_shared();
	snprintf(path, sizeof(path), "%s/out", root);
	cr_assert_eq(symlink("../../../made", path), 0);
	snprintf(path, sizeof(path), "%s/made", root);
	cr_assert_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/to-proc", root);
	cr_assert_eq(symlink("/proc", path), 0);
	in_all_ways(check_linked_targets);
}

/* ---- devices ---- */

static void check_device(struct container_options *options)
{
	static const char *const devices[] = {"/dev/kmsg", "/dev/null", "/dev/kmsg", NULL}; /* one of them twice */
	struct run run;
	char text[1024];

	options->devices = devices;
	run = start(options);
	cr_expect(run.plan->limits.devices_closed);
	cr_expect_eq(run.plan->limits.n_devices, 2);
	cr_expect_eq(run.plan->limits.devices[0].device_major, 1u);
	cr_expect_eq(run.plan->limits.devices[0].device_minor, 11u);
	talk(&run, "/busybox stat -c '%F %t:%T' /dev/kmsg; echo x > /dev/null && echo fine\n", text, sizeof(text));
	cr_expect_str_eq(text, "character special file 1:b\nfine\n", "%s", text);
	end(&run);
}

Test(container_features, devices_that_are_given)
{
	if (!path_exists("/dev/kmsg"))
		skip("no /dev/kmsg");
	in_all_ways(check_device);
}

/* ---- who the program is, and where ---- */

Test(container_features, another_user)
{
	for (enum container_choice userns = CONTAINER_AUTO; userns <= CONTAINER_OFF && geteuid() == 0; userns++) {
		struct container_options options = options_here();

		options.userns = userns;
		options.run_uid = 1000;
		options.run_gid = 1001;
		expect_script(&options,
			      "A=/busybox; $A id -u; $A id -g; $A id -G; $A grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status; $A "
			      "touch /run/x; $A "
			      "touch /tmp/y && $A stat -c %u:%g /tmp/y; $A test -w /dev/null && echo null\n",
			      "1000\n1001\n1001\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
			      "CapBnd:\t00000000000004fb\nCapAmb:\t0000000000000000\ntouch: /run/x: Permission denied\n1000:1001\nnull\n");
	}
	become_owner();
	struct container_options options = options_here();
	options.run_uid = 1000;
	refuse(&options, "user 1000, group 0: this container has ids from 0 to 0");
}

static void check_capabilities(struct container_options *options)
{
	options->capabilities_add = UINT64_C(1) << CAP_NET_RAW;
	options->capabilities_drop = UINT64_C(1) << CAP_CHOWN;
	expect_script(options, "/busybox grep CapEff /proc/self/status\n", "CapEff:\t00000000000024fa\n");
	options->capabilities_add = 0;
	options->capabilities_drop = UINT64_MAX;
	expect_script(options, "/busybox grep CapBnd /proc/self/status\n", "CapBnd:\t0000000000000000\n");
}

Test(container_features, capabilities_added_and_dropped)
{
	in_all_ways(check_capabilities);
}

static void check_working_dir(struct container_options *options)
{
	struct container container = CONTAINER_NONE;
	struct error err = {0};

	options->working_dir = "/tmp";
	expect_script(options, "/busybox pwd\n", "/tmp\n");
	options->working_dir = "/made/here";
	struct container_plan *plan = plan_for(options);
	cr_expect_eq(container_start(plan, "c-1", (int[]){-1, -1, -1}, 0, &container, &err), -ENOENT, "%s", err.message);
	container_plan_free(plan);
	options->root = CONTAINER_ROOT_OVERLAY;
	expect_script(options, "/busybox pwd\n", "/made/here\n");
	/* Descriptors of the host that the start has open lead nowhere (CVE-2024-21626). */
	options->root = CONTAINER_ROOT_READ_ONLY;
	for (int fd = 3; fd < 32; fd++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		options->working_dir = path;
		plan = plan_for(options);
		cr_expect_lt(container_start(plan, "c-1", (int[]){-1, -1, -1}, 0, &container, &err), 0, "%s leads somewhere", path);
		container_plan_free(plan);
	}
}

Test(container_features, working_folder)
{
	int outside = open("/", O_RDONLY | O_DIRECTORY); /* to be inherited, on purpose */

	in_all_ways(check_working_dir);
	close(outside);
}

/* ---- terminal ---- */

/* Collects what the terminal says until `want` is seen. */
static bool hears(int fd, const char *want, char *text, size_t size)
{
	int64_t deadline_ns = clock_now_ns() + INT64_C(20000000000);
	size_t used = strlen(text);

	while (!strstr(text, want) && clock_now_ns() < deadline_ns) {
		struct pollfd look = {.fd = fd, .events = POLLIN};
		ssize_t got = poll(&look, 1, 1000) == 1 ? read(fd, text + used, size - 1 - used) : 0;

		if (got < 0)
			return false;
		used += (size_t)got;
		text[used] = '\0';
	}
	return strstr(text, want) != NULL;
}

/* The interrupt key reaches what runs in the foreground; pressed until it does, as nobody says when that runs. */
static void expect_interrupt(int terminal)
{
	static const char wait[] = "trap \"echo cau''ght\" INT; echo slee''ping; /busybox sleep 1000\n";
	int64_t deadline_ns = clock_now_ns() + INT64_C(20000000000);
	char text[8192] = "";

	cr_assert_eq(write(terminal, wait, sizeof(wait) - 1), (ssize_t)sizeof(wait) - 1);
	cr_assert(hears(terminal, "sleeping", text, sizeof(text)), "%s", text); /* before that the key would delete the line */
	while (!strstr(text, "caught") && clock_now_ns() < deadline_ns && strlen(text) < sizeof(text) - 1024) {
		struct pollfd look = {.fd = terminal, .events = POLLIN};
		size_t used = strlen(text);

		cr_assert_eq(write(terminal, "\003", 1), 1);
		ssize_t got = poll(&look, 1, 200) == 1 ? read(terminal, text + used, 512) : 0;
		cr_assert_geq(got, 0);
		text[used + (size_t)got] = '\0';
	}
	cr_expect_not_null(strstr(text, "caught"), "%s", text);
}

static void check_terminal(struct container_options *options)
{
	static const char script[] =
		"A=/busybox; $A stty -echo; echo now; $A tty; $A test -t 0 && $A test -t 2 && echo both; $A stty size; $A stat -c "
		"'%t:%T' /dev/console; echo ctty > /dev/tty; $A cut -d' ' -f7 /proc/self/stat; $A ls -1 /dev/pts; echo do''ne\n";
	struct container container = CONTAINER_NONE;
	struct container_plan *plan;
	struct error err = {0};
	char text[8192] = "";

	options->terminal = true;
	plan = plan_for(options);
	cr_assert_eq(container_start(plan, "c-1", (int[]){-1, -1, -1}, 0, &container, &err), 0, "%s", err.message);
	cr_assert_geq(container.terminal_fd, 0);
	cr_expect_neq(fcntl(container.terminal_fd, F_GETFD) & FD_CLOEXEC, 0);
	struct winsize size = {.ws_row = 33, .ws_col = 77};
	cr_expect_eq(ioctl(container.terminal_fd, TIOCSWINSZ, &size), 0);
	cr_assert_eq(write(container.terminal_fd, script, sizeof(script) - 1), (ssize_t)sizeof(script) - 1);
	cr_assert(hears(container.terminal_fd, "done\r\n", text, sizeof(text)), "%s", text);
	EXPECT_LINE(text, "/dev/pts/0\r\nboth\r\n33 77\r\n88:0\r\nctty\r\n34816\r\n0\r\nptmx\r\n");
	expect_interrupt(container.terminal_fd);
	close(container.terminal_fd);
	cr_expect_eq(container_stop(plan, &container, &err), 0, "%s", err.message);
	container_plan_free(plan);
}

Test(container_features, terminal)
{
	in_all_ways(check_terminal);
}

Test(container_features, terminal_of_another_user)
{
	struct container_options options = options_here();

	if (geteuid() != 0)
		skip("needs root");
	options.run_uid = 1000;
	options.run_gid = 1000;
	options.root = CONTAINER_ROOT_OVERLAY;
	check_terminal(&options);
}
