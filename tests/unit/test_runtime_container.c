/* Real containers: what is inside, what limits them, what is left. The program is a static busybox, fed with a script on its stdin.
 * Run it as root and as an ordinary user: both ways are tested. */
#include "runtime_fixture.h"

TestSuite(container, .init = setup, .fini = teardown, .timeout = 60);

static void check_inside(void)
{
	static const char script[] =
		"A=/busybox; echo pid=$$; echo host=$($A hostname); echo uid=$($A id -u):$($A id -G); echo env=$GREETING\n"
		"$A touch /x 2>&1; $A touch /tmp/y /run/y /dev/shm/y && echo scratch\n"
		"echo fds=; $A ls /proc/$$/fd; echo end\n"
		"$A grep -E '^(Cap|NoNew|Seccomp:|SigIgn|SigBlk)' /proc/self/status; echo session=$($A cut -d' ' -f5,6 /proc/$$/stat)\n"
		"$A ifconfig lo | $A grep -o 'addr:127.0.0.1'; echo net=$($A ls /sys/class/net)\n"
		"echo gone > /dev/null && $A head -c3 /dev/zero | $A wc -c\n"
		"$A cat /proc/keys; echo 1 2>&1 > /proc/sys/vm/drop_caches; $A mount -t tmpfs x /tmp 2>&1; $A unshare -n $A true 2>&1\n"
		"echo umask=$(umask) end; echo roots=$($A grep -c '^[^ ]* / ' /proc/self/mounts)\n";
	struct container_options options = options_here();
	char text[16384];

	run_script(&options, script, text, sizeof(text));
	EXPECT_LINE(text, "pid=1\n");
	EXPECT_LINE(text, "host=c-1\n");
	EXPECT_LINE(text, "uid=0:0");
	EXPECT_LINE(text, "env=hello\n");
	EXPECT_LINE(text, "/x: Read-only file system");
	EXPECT_LINE(text, "scratch\n");
	EXPECT_LINE(text, "fds=\n0\n1\n2\nend\n");
	EXPECT_LINE(text, "CapInh:\t0000000000000000");
	EXPECT_LINE(text, "CapPrm:\t00000000000004fb");
	EXPECT_LINE(text, "CapEff:\t00000000000004fb");
	EXPECT_LINE(text, "CapBnd:\t00000000000004fb");
	EXPECT_LINE(text, "CapAmb:\t0000000000000000");
	EXPECT_LINE(text, "NoNewPrivs:\t1");
	EXPECT_LINE(text, "Seccomp:\t2");
	EXPECT_LINE(text, "SigBlk:\t0000000000000000");
	EXPECT_LINE(text, "SigIgn:\t0000000000000000");
	EXPECT_LINE(text, "session=1 1\n");
	EXPECT_LINE(text, "addr:127.0.0.1");
	EXPECT_LINE(text, "net=lo\n");
	EXPECT_LINE(text, "\n3\n");
	EXPECT_LINE(text, "drop_caches: Read-only file system");
	EXPECT_LINE(text, "mount: ");
	EXPECT_LINE(text, "unshare(0x40000000): Operation not permitted");
	EXPECT_LINE(text, "umask=0022 end");
	EXPECT_LINE(text, "roots=1\n"); /* nothing of the host's lies below or above */
}

Test(container, is_isolated)
{
	signal(SIGUSR1, SIG_IGN);                   /* must not be inherited */
	int leaked = open("/etc/passwd", O_RDONLY); /* without O_CLOEXEC on purpose */

	cr_assert_geq(leaked, 3);
	check_inside();
	close(leaked);
}

Test(container, is_isolated_without_root)
{
	struct container_options options;
	struct error err = {0};

	become_ordinary();
	options = options_here();
	if (container_support(&options, &err) == CONTAINER_UNSUPPORTED)
		cannot_run(err.message);
	check_inside();

	struct run run = start(&options);
	const struct container_facts *facts = container_plan_facts(run.plan);
	cr_expect(facts->rootless);
	cr_expect_not_null(strstr(facts->namespaces, "user"));
	if (run.container.cgroup.n_dirs == 0) {
		cr_expect_str_eq(facts->limits, "none");
		cr_expect_gt(facts->n_notes, 0, "what is not limited is said");
	}
	end(&run);
}

Test(container, is_isolated_without_a_user_namespace)
{
	struct container_options options = options_here();
	char text[16384];

	if (geteuid() != 0)
		skip("needs root");
	options.userns = CONTAINER_OFF;
	run_script(&options, "/busybox cat /proc/self/uid_map /proc/self/mounts\n", text, sizeof(text));
	EXPECT_LINE(text, "4294967295\n");
	cr_expect_null(strstr(text, "ext4 rw"), "%s", text);
}

/* Who is root inside is nobody outside, and the files of the root are root's all the same. */
Test(container, ids_of_root_are_mapped)
{
	struct container_options options = options_here();
	char text[4096], path[64], want[64];
	struct stat st;

	if (geteuid() != 0)
		skip("needs root");
	struct run run = start(&options);
	cr_assert(run.plan->maps_ids, "no user namespace");
	snprintf(path, sizeof(path), "/proc/%d", (int)run.container.pid);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_uid, run.plan->ids.uid);
	cr_expect_eq(st.st_gid, run.plan->ids.gid);
	cr_expect_geq(st.st_uid, 65536);
	snprintf(want, sizeof(want), "user (0-65535 are %u-%u)", run.plan->ids.uid, run.plan->ids.uid + 65535);
	cr_expect_not_null(strstr(container_plan_facts(run.plan)->namespaces, want), "%s", container_plan_facts(run.plan)->namespaces);
	cr_expect_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1, "we are as we were");
	talk(&run,
	     "A=/busybox; $A stat -c 'root %u:%g' /busybox /dev/null; $A touch /tmp/x; $A stat -c 'mine %u:%g' /tmp /tmp/x /dev/shm\n"
	     "$A chown 5:6 /tmp/x && $A stat -c 'given %u:%g' /tmp/x; $A chown 70000 /tmp/x; $A chmod 777 /busybox; $A cat "
	     "/proc/vmallocinfo; $A "
	     "cat /proc/self/setgroups\n",
	     text, sizeof(text));
	/* Where the file system cannot show other owners, the root's files belong to nobody. */
	const char *mine = strstr(text, "mine ");
	bool mapped = true;
	for (size_t n = 0; n < container_plan_facts(run.plan)->n_notes; n++)
		mapped &= !strstr(container_plan_facts(run.plan)->notes[n], "cannot map ids");
	cr_expect(!mapped || strncmp(text, "root 0:0\nroot 0:0\n", 18) == 0, "%s", text);
	cr_assert_not_null(mine, "%s", text);
	cr_expect_str_eq(mine, "mine 0:0\nmine 0:0\nmine 0:0\ngiven 5:6\nchown: /tmp/x: Invalid argument\n"
			       "chmod: /busybox: Read-only file system\ncat: can't open '/proc/vmallocinfo': Permission denied\nallow\n");
	end(&run);
	snprintf(path, sizeof(path), "%s/busybox", root);
	cr_expect(stat(path, &st) == 0 && st.st_uid == 0, "no file of the host changes its owner");
}

/* The same steps as a kernel before 6.15 needs them. */
Test(container, mounts_that_are_attached_go_with_the_old_root)
{
	struct container_options options = options_here();
	struct run run = {.plan = plan_for(&options), .container = CONTAINER_NONE};
	struct error err = {0};
	char text[4096];
	int pair[2];

	run.plan->kernel = KERNEL_CLONES_DETACHED - 1;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(container_start(run.plan, "c-1", (int[]){pair[1], pair[1], pair[1]}, 0, &run.container, &err), 0, "%s", err.message);
	close(pair[1]);
	run.stream = pair[0];
	talk(&run, "/busybox grep -c '^[^ ]* / ' /proc/self/mounts; /busybox touch /tmp/x /run/x /dev/shm/x && echo scratch\n", text,
	     sizeof(text));
	cr_expect_str_eq(text, "1\nscratch\n");
	end(&run);
}

static void link_of(const char *path, char ret[64])
{
	ssize_t length = readlink(path, ret, 63);

	ret[length > 0 ? length : 0] = '\0';
}

Test(container, has_namespaces_of_its_own)
{
	static const char *const names[] = {"mnt", "pid", "net", "uts", "ipc", "cgroup", "time"};
	struct container_options options = options_here();
	struct run run = start(&options);
	char ours[64], theirs[64], path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strstr(container_plan_facts(run.plan)->namespaces, "time") && strcmp(names[i], "time") == 0)
			continue; /* an old kernel; a note says so */
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)run.container.pid, names[i]);
		link_of(path, theirs);
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		link_of(path, ours);
		cr_expect(theirs[0] && strcmp(ours, theirs) != 0, "%s: %s and %s", names[i], ours, theirs);
	}
	end(&run);
}

Test(container, shares_what_it_is_told_to)
{
	struct container_options options = options_here();
	char ours[64], theirs[64], path[64];

	options.namespaces = CONTAINER_NS_ALL & ~(unsigned)(CONTAINER_NS_NET | CONTAINER_NS_UTS);
	struct run run = start(&options);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)run.container.pid);
	link_of(path, theirs);
	link_of("/proc/self/ns/net", ours);
	cr_expect_str_eq(ours, theirs);
	end(&run);
}

Test(container, every_single_namespace_can_be_left_out)
{
	for (unsigned flag = 1; flag < CONTAINER_NS_ALL; flag <<= 1) {
		struct container_options options = options_here();
		char text[256];

		options.namespaces = CONTAINER_NS_ALL & ~flag;
		run_script(&options, "echo alive\n", text, sizeof(text));
		EXPECT_LINE(text, "alive");
	}
}

/* Nothing of the host's mounts is left, below whatever else. */
Test(container, sees_no_mount_of_the_host)
{
	static const enum container_root roots[] = {CONTAINER_ROOT_READ_ONLY, CONTAINER_ROOT_OVERLAY};

	char known[4096] = "";
	file_read("", "/proc/filesystems", known, sizeof(known), NULL);
	size_t n_roots = strstr(known, "\toverlay") ? 2 : 1;
	for (size_t i = 0; i < n_roots; i++) {
		struct container_options options = options_here();
		char text[8192], *save = NULL;
		int at_root = 0;

		options.root = roots[i];
		run_script(&options, "while read -r line; do echo \"$line\"; done < /proc/self/mounts\n", text, sizeof(text));
		for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			at_root += strstr(line, " / ") != NULL;
			cr_expect_null(strstr(line, " cgroup"), "%s", line);
			cr_expect_null(strstr(line, " /dev devtmpfs"), "%s", line);
		}
		cr_expect_eq(at_root, 1, "%d mounts at /", at_root);
	}
}

/* ---- cgroups ---- */

static struct run start_limited(void)
{
	struct container_options options = options_here();
	struct run run = start(&options);
	static const enum cgroup_controller needed[] = {CGROUP_CPU, CGROUP_MEMORY, CGROUP_PIDS};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (run.plan->tree.dir_of[needed[i]] < 0) {
			char reason[300];

			snprintf(reason, sizeof(reason), "%s", run.plan->tree.note);
			end(&run);
			if (geteuid() == 0)
				cannot_run(reason);
			skip(reason);
		}
	return run;
}

static void expect_value(const struct run *run, enum cgroup_controller controller, const char *v1_file, const char *v1_value,
			 const char *v2_file, const char *v2_value)
{
	bool v2 = run->plan->tree.ops == &cgroup_v2_ops;
	char path[PATH_MAX], text[128];

	snprintf(path, sizeof(path), "%s/%s", run->container.cgroup.dirs[run->plan->tree.dir_of[controller]], v2 ? v2_file : v1_file);
	cr_assert_geq(file_read("", path, text, sizeof(text), NULL), 0, "%s", path);
	cr_expect_str_eq(text, v2 ? v2_value : v1_value, "%s: %s", path, text);
}

Test(container, limits_are_set_and_it_is_a_member)
{
	struct run run = start_limited();
	char path[64], text[4096], own[4096];

	expect_value(&run, CGROUP_MEMORY, "memory.limit_in_bytes", "67108864", "memory.max", "67108864");
	expect_value(&run, CGROUP_CPU, "cpu.cfs_quota_us", "150000", "cpu.max", "150000 100000");
	expect_value(&run, CGROUP_CPU, "cpu.shares", "2048", "cpu.weight", "200");
	expect_value(&run, CGROUP_PIDS, "pids.max", "20", "pids.max", "20");
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)run.container.pid);
	cr_assert_geq(file_read("", path, text, sizeof(text), NULL), 0);
	snprintf(path, sizeof(path), "/%s/c-1", group_name);
	size_t found = 0;
	for (const char *at = text; (at = strstr(at, path)); at++)
		found++;
	cr_expect_eq(found, run.container.cgroup.n_dirs, "%s", text);
	talk(&run, "/busybox cat /proc/self/cgroup\n", own, sizeof(own));
	cr_expect_null(strstr(own, group_name), "its own group is the root of what it sees:\n%s", own);
	end(&run);
}

Test(container, memory_limit_bites)
{
	struct run run = start_limited();
	char text[1024];

	talk(&run, "/busybox dd if=/dev/zero of=/dev/null bs=200M count=1; echo status=$?\n", text, sizeof(text));
	EXPECT_LINE(text, "status=137");
	end(&run);
}

Test(container, pids_limit_bites)
{
	struct run run = start_limited();
	char text[4096];

	talk(&run, "i=0; while [ $i -lt 40 ]; do /busybox sleep 100 & i=$((i+1)); done; echo all started\n", text, sizeof(text));
	EXPECT_LINE(text, "can't fork");
	end(&run); /* and ends all that is still asleep */
}

Test(container, whole_family_ends_without_a_pid_namespace)
{
	static const char sleeper[] = "/busybox sleep 1000 & echo x\n";
	struct container_options options = options_here();
	char byte;

	options.namespaces = CONTAINER_NS_ALL & ~(unsigned)CONTAINER_NS_PID;
	if (geteuid() != 0)
		skip("without root nothing but the pid namespace ends a family");
	struct run run = start(&options);
	if (run.container.cgroup.n_dirs == 0) {
		end(&run);
		cannot_run("no cgroup");
	}
	cr_assert_eq(write(run.stream, sleeper, sizeof(sleeper) - 1), (ssize_t)sizeof(sleeper) - 1);
	cr_assert_eq(read(run.stream, &byte, 1), 1);
	end(&run); /* teardown finds the cgroup gone, so the sleeper is too */
}

/* On a hybrid host the unified hierarchy has no controllers, but being born in it, killing and removing work the same. */
Test(container, is_born_in_a_v2_group)
{
	struct container_options options = options_here();
	struct cgroup_layout layout;
	struct error err = {0};
	char path[64], want[128], text[4096];

	cr_assert_eq(cgroup_detect("", &layout, &err), 0, "%s", err.message);
	if (!layout.v2[0] || faccessat(AT_FDCWD, layout.v2, W_OK, AT_EACCESS) < 0)
		skip("no unified hierarchy that this user may write to");
	options.cgroup = CONTAINER_OFF;
	options.namespaces = CONTAINER_NS_ALL & ~(unsigned)CONTAINER_NS_PID;
	struct run run = {.plan = plan_for(&options), .stream = -1};
	use_v2_group(run.plan, &layout);
	int pair[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(container_start(run.plan, "c-1", (int[]){pair[1], pair[1], pair[1]}, 0, &run.container, &err), 0, "%s", err.message);
	close(pair[1]);
	run.stream = pair[0];
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)run.container.pid);
	snprintf(want, sizeof(want), "0::/%s/c-1", group_name);
	cr_assert_geq(file_read("", path, text, sizeof(text), NULL), 0);
	EXPECT_LINE(text, want);
	talk(&run, "/busybox sleep 1000 >/dev/null 2>&1 <&- & echo left a sleeper behind\n", text, sizeof(text));
	snprintf(want, sizeof(want), "%s", run.plan->tree.dirs[0]);
	end(&run);
	cr_expect_not(path_exists(want), "%s is left", want);
}

/* ---- many ---- */

/* Its own /dev/null: what is said there is gone, and its mode is not for anybody to change. */
Test(container, a_missing_stream_is_its_own_null)
{
	static const char script[] =
		"echo lost >&2; echo rc=$?; exec 4>&2; /busybox chmod 600 /proc/1/fd/4 2>&1; /busybox cat <&2; echo here\n";
	struct container_options options = options_here();
	struct run run = {.plan = plan_for(&options), .container = CONTAINER_NONE, .stream = -1};
	struct error err = {0};
	struct stat host, theirs;
	char text[256], path[64];
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(container_start(run.plan, "c-1", (int[]){pair[1], pair[1], -1}, 0, &run.container, &err), 0, "%s", err.message);
	close(pair[1]);
	run.stream = pair[0];
	snprintf(path, sizeof(path), "/proc/%d/fd/2", (int)run.container.pid);
	/* A user namespace cannot make nodes: without a /dev to clone (Linux 6.15) it binds the host's, which is read-only by that. */
	bool bound = run.plan->own_dev && run.plan->clone_flags & CLONE_NEWUSER;
	if (geteuid() == 0)
		cr_expect(stat("/dev/null", &host) == 0 && stat(path, &theirs) == 0 && theirs.st_rdev == host.st_rdev &&
			  (theirs.st_dev == host.st_dev) == bound);
	talk(&run, script, text, sizeof(text));
	cr_expect_str_eq(text, "rc=0\nchmod: /proc/1/fd/4: Read-only file system\nhere\n");
	end(&run);
}

Test(container, trace_tells_every_step)
{
	struct container_options options = options_here();
	int64_t before_ns = clock_now_ns();
	struct run run = start(&options);
	int64_t last_ns = run.container.trace.cloned_ns;

	cr_expect_geq(last_ns, before_ns);
	cr_expect_eq(run.container.trace.n_done, (int)container_plan_steps(run.plan) - 1, "all but the exec");
	for (int i = 0; i < run.container.trace.n_done; i++) {
		cr_expect_geq(run.container.trace.done_ns[i], last_ns);
		last_ns = run.container.trace.done_ns[i];
	}
	cr_expect_eq(container_sandbox_ns(run.plan, &run.container.trace), last_ns);
	end(&run);
}

Test(container, many_live_and_many_follow)
{
	enum { AT_ONCE = 8, ROUNDS = 10 };
	struct container_options options = options_here();
	struct container_plan *plan = plan_for(&options);
	struct container many[AT_ONCE];
	struct error err = {0};

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < AT_ONCE; i++) {
			int pair[2];
			char id[16];

			snprintf(id, sizeof(id), "m-%d", i);
			many[i] = CONTAINER_NONE;
			cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
			cr_assert_eq(container_start(plan, id, (int[]){pair[0], 1, 2}, 0, &many[i], &err), 0, "%s", err.message);
			close(pair[0]);
			close(pair[1]);
		}
		for (int i = 0; i < AT_ONCE; i++)
			cr_assert_eq(container_stop(plan, &many[i], &err), 0, "%s", err.message);
	}
	container_plan_free(plan);
}

/* The first folder has no such program, the second one that may not be run, the third the right one. */
Test(container, a_name_without_slash_is_searched_in_path)
{
	static const char *const argv[] = {"busybox", "sh", NULL};
	static const char *const path[] = {"PATH=/none:/tmp2:/", NULL}, *const wrong[] = {"PATH=/none:/tmp2", NULL};
	struct container_options options = options_here();
	struct container_plan *plan;
	struct error err = {0};
	char dir[96], file[128], text[4096];

	snprintf(dir, sizeof(dir), "%s/tmp2", root);
	snprintf(file, sizeof(file), "%s/busybox", dir);
	cr_assert_eq(dir_make(dir, 0755, &err), 0, "%s", err.message);
	cr_assert_eq(file_write_atomic(file, "x", 1, 0644, &err), 0, "%s", err.message);
	options.argv = argv;
	options.envp = path;
	run_script(&options, "echo found\n", text, sizeof(text));
	EXPECT_LINE(text, "found\n");

	options.envp = wrong;
	cr_assert_eq(container_prepare(&options, &plan, &err), 0, "%s", err.message);
	struct container container = CONTAINER_NONE;
	cr_expect_eq(container_start(plan, "c-1", (const int[]){-1, -1, -1}, 0, &container, &err), -EACCES, "%s", err.message);
	cr_expect_not_null(strstr(err.message, "step exec busybox"), "%s", err.message);
	container_plan_free(plan);
}

Test(container, takes_as_many_arguments_as_the_kernel)
{
	enum { ARGUMENTS = 2000 };
	static const char *argv[ARGUMENTS + 4] = {"/busybox", "sh", "-s"};
	struct container_options options = options_here();
	char text[4096];

	for (int i = 3; i < ARGUMENTS + 3; i++)
		argv[i] = "x";
	options.argv = argv;
	run_script(&options, "echo n=$#\n", text, sizeof(text));
	EXPECT_LINE(text, "n=2000\n");
}

/* A process between us and the container dies by SIGKILL; the container goes with it, without cgroup and journal. */
Test(container, dies_with_its_parent)
{
	static const char *const argv[] = {"/busybox", "sleep", "1000", NULL};
	struct container_options options = options_here();
	pid_t inner = 0;
	int pair[2], status;

	options.argv = argv;
	options.die_with_parent = true;
	options.cgroup = CONTAINER_OFF;
	cr_assert_eq(pipe(pair), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t between = fork();
	if (between == 0) {
		struct container container = CONTAINER_NONE;
		struct container_plan *plan;

		if (container_prepare(&options, &plan, NULL) < 0 ||
		    container_start(plan, "c-1", (const int[]){-1, -1, -1}, 0, &container, NULL) < 0)
			_exit(1);
		if (write(pair[1], &container.pid, sizeof(container.pid)) < 0)
			_exit(2);
		pause();
		_exit(3);
	}
	cr_assert_eq(read(pair[0], &inner, sizeof(inner)), sizeof(inner));
	kill(between, SIGKILL);
	cr_expect_eq(waitpid(between, &status, 0), between);
	cr_expect_eq(waitpid(inner, &status, 0), inner); /* the suite has a time limit */
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	close(pair[0]);
	close(pair[1]);
}
