/* Cold, warm and bare starts: a warm container is what a cold one is and shares nothing with the one before it; a bare one is the floor. */
#include "runtime_fixture.h"

TestSuite(container_classes, .init = setup, .fini = teardown, .timeout = 60);

static const char *const namespace_names[] = {"cgroup", "ipc", "mnt", "net", "pid", "uts", "user", "time"};
enum { NAMESPACE_NAMES = sizeof(namespace_names) / sizeof(namespace_names[0]) };

/* All that a container can see of what it is. */
static const char look[] =
	"id; hostname; umask; pwd; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups;"
	"grep -E 'Cap|NoNewPrivs|Seccomp|Groups' /proc/self/status;"
	"while read a b c d point options rest; do echo $d $point $options ${rest#* - }; done </proc/self/mountinfo | sort;"
	"cat /proc/self/cgroup | sed s/bench.*//; cat /proc/self/limits; ls /sys/class/net; ls -la /dev /run /tmp /proc/self/fd |"
	"sed 's/[A-Z][a-z][a-z] .[0-9].*[0-9] / /; s/pipe.*//; s/socket.*//';"
	"cat /sys/class/net/lo/flags; cat /proc/acpi /proc/keys; ls /sys/firmware;"
	"echo x >/x; echo x >/proc/sys/kernel/domainname; echo x >/sys/class/net/lo/mtu; echo end\n";

static struct container_options warm_options(void)
{
	struct container_options options = options_here();

	if (geteuid() != 0)
		cannot_run("a pool needs root");
	options.hostname = "same";
	options.pool = 2;
	return options;
}

Test(container_classes, a_warm_container_is_like_a_cold_one)
{
	struct container_options options = warm_options();
	char cold[16384], warm[16384];

	run_script(&options, look, warm, sizeof(warm));
	options.pool = 0;
	run_script(&options, look, cold, sizeof(cold));
	EXPECT_LINE(cold, "end\n");
	cr_expect_str_eq(warm, cold);
}

/* The same in the host's user namespace. */
Test(container_classes, without_a_user_namespace)
{
	struct container_options options = warm_options();
	char cold[16384], warm[16384];

	options.userns = CONTAINER_OFF;
	run_script(&options, look, warm, sizeof(warm));
	options.pool = 0;
	run_script(&options, look, cold, sizeof(cold));
	EXPECT_LINE(cold, "end\n");
	cr_expect_str_eq(warm, cold);
}

/* "NAME:[INODE]" of each namespace of a process. */
static void read_namespaces(pid_t pid, char ret[NAMESPACE_NAMES][64])
{
	char path[64];

	for (int i = 0; i < NAMESPACE_NAMES; i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, namespace_names[i]);
		ssize_t length = readlink(path, ret[i], 63);
		cr_assert_gt(length, 0, "%s", path);
		ret[i][length] = '\0';
	}
}

/* More starts than slots: refilled, and not. */
Test(container_classes, no_slot_serves_twice)
{
	enum { STARTS = 5 };
	struct container_options options = warm_options();
	struct container_plan *plan = plan_for(&options);
	struct container many[STARTS];
	char names[STARTS + 1][NAMESPACE_NAMES][64];
	struct error err = {0};
	int pair[2];

	read_namespaces(getpid(), names[STARTS]);
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	for (int i = 0; i < STARTS; i++) {
		char id[16];

		snprintf(id, sizeof(id), "c-%d", i);
		cr_assert_eq(container_start(plan, id, (int[]){pair[0], -1, -1}, 0, &many[i], &err), 0, "%s", err.message);
		read_namespaces(many[i].pid, names[i]);
		if (i == 1)
			cr_assert_eq(container_plan_refill(plan, &err), 0, "%s", err.message);
		for (int before = -1; before < i; before++)
			for (int n = 0; n < NAMESPACE_NAMES; n++)
				cr_expect_str_neq(names[i][n], names[before < 0 ? STARTS : before][n]);
	}
	for (int i = 0; i < STARTS; i++)
		cr_expect_eq(container_stop(plan, &many[i], &err), 0, "%s", err.message);
	container_plan_free(plan);
	close(pair[0]);
	close(pair[1]);
}

Test(container_classes, a_pool_says_what_it_is)
{
	struct container_options options = warm_options();
	struct run run = start(&options);
	const struct container_facts *facts = container_plan_facts(run.plan);
	bool told = false;

	cr_expect_eq(strncmp(facts->start_class, "warm: ", 6), 0, "%s", facts->start_class);
	for (size_t i = 0; i < facts->n_notes; i++)
		told |= strstr(facts->notes[i], "pool of 2: a slot takes ") != NULL;
	cr_expect(told, "cost of a slot");
	end(&run);
}

Test(container_classes, a_pool_is_refused_where_it_would_not_be_the_same)
{
	struct container_options options = warm_options();
	struct container_plan *plan = NULL;
	struct error err = {0};

	options.root = CONTAINER_ROOT_OVERLAY;
	cr_expect_eq(container_prepare(&options, &plan, &err), -EINVAL);
	options = warm_options();
	options.namespaces &= ~(unsigned)CONTAINER_NS_NET;
	cr_expect_eq(container_prepare(&options, &plan, &err), -EINVAL);
	options = warm_options();
	become_ordinary();
	options.uid = geteuid();
	cr_expect_eq(container_prepare(&options, &plan, &err), -EPERM);
	cr_expect_not_null(strstr(err.hint, "without pool"));
}

Test(container_classes, a_bare_start_has_the_namespaces_and_the_host_root)
{
	struct container_options options = options_here();
	char host[NAMESPACE_NAMES][64], inside[NAMESPACE_NAMES][64], text[256];
	static const char *const cat[] = {"/busybox", "cat", NULL};

	options.bare = true;
	options.argv = cat;
	struct run run = start(&options);
	read_namespaces(getpid(), host);
	read_namespaces(run.container.pid, inside);
	for (int i = 0; i < NAMESPACE_NAMES; i++)
		cr_expect_str_neq(host[i], inside[i]);
	talk(&run, "still here\n", text, sizeof(text));
	cr_expect_str_eq(text, "still here\n");
	cr_expect_eq(strncmp(container_plan_facts(run.plan)->start_class, "bare: ", 6), 0);
	end(&run);
}
