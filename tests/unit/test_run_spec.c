/* containers/run_spec: options of `bench container run` as people write them, each mistake told in one line. */
#include <containers/run_program.h>
#include <containers/run_spec.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void take(struct run_spec *spec, const char *option, const char *value)
{
	struct error err = {0};

	cr_expect_eq(run_spec_set(spec, option, value, &err), 0, "--%s %s: %s", option, value, err.message);
}

static void refuse(const char *option, const char *value, const char *why)
{
	struct run_spec spec = run_spec_default();
	struct error err = {0};

	cr_expect_lt(run_spec_set(&spec, option, value, &err), 0, "--%s %s was taken", option, value);
	cr_expect_not_null(strstr(err.message, why), "--%s %s: '%s' does not say '%s'", option, value, err.message, why);
	cr_expect_eq(strncmp(err.message, "--", 2), 0, "%s", err.message);
	cr_expect_null(strchr(err.message, '\n'));
	run_spec_done(&spec);
}

Test(run_spec, takes_limits)
{
	struct run_spec spec = run_spec_default();
	const struct cgroup_limits *limits = &spec.options.limits;

	cr_expect_not(spec.limited);
	take(&spec, "memory", "64M");
	take(&spec, "memory-high", "48M");
	take(&spec, "memory-low", "16M");
	take(&spec, "swap", "unlimited");
	take(&spec, "cpus", "0.5");
	take(&spec, "cpu-weight", "10000");
	take(&spec, "cpuset", "0-1");
	take(&spec, "pids", "7");
	take(&spec, "hugetlb", "2M:64M");
	take(&spec, "net-rate", "10M");
	take(&spec, "net-priority", "3");
	cr_expect(spec.limited);
	cr_expect_eq(limits->memory_bytes, 64 << 20);
	cr_expect_eq(limits->memory_high_bytes, 48 << 20);
	cr_expect_eq(limits->memory_low_bytes, 16 << 20);
	cr_expect_eq(limits->swap_bytes, -1);
	cr_expect_eq(limits->cpu_percent, 50);
	cr_expect_eq(limits->cpu_weight, 10000);
	cr_expect_str_eq(limits->cpus, "0-1");
	cr_expect_str_eq(spec.options.cpuset, "0-1");
	cr_expect_eq(limits->pids_max, 7);
	cr_expect(limits->n_hugetlb == 1 && limits->hugetlb[0].page_bytes == 2 << 20 && limits->hugetlb[0].bytes == 64 << 20);
	cr_expect_eq(spec.options.link_limits.rate_bytes, 10 << 20);
	cr_expect(limits->net_priority == 3 && spec.options.link_limits.priority == 3);
	take(&spec, "cpus", "2");
	cr_expect_eq(limits->cpu_percent, 200);
	run_spec_done(&spec);
}

Test(run_spec, refuses_what_is_no_limit)
{
	refuse("memory", "lots", "--memory: 'lots' is not a size");
	refuse("memory", "0", "more than nothing");
	refuse("memory", "-5M", "is not a size");
	refuse("cpus", "0", "number of CPUs");
	refuse("cpus", "1e9", "number of CPUs");
	refuse("cpus", "0x10", "number of CPUs");
	refuse("cpus", "inf", "number of CPUs");
	refuse("cpus", "", "number of CPUs");
	refuse("cpu-weight", "10001", "from 1 to 10000");
	refuse("cpuset", "one", "list of CPUs");
	refuse("pids", "0", "from 1 to");
	refuse("io-read", "10M", "expected DEVICE:RATE");
	refuse("io-read", "/dev/null:10M", "/dev/null is no block device");
	refuse("io-write", "/none:10M", "/none");
	refuse("iops-read", ":5", "expected DEVICE:RATE");
	refuse("hugetlb", "64M", "expected PAGE-SIZE:BYTES");
	refuse("net-priority", "8", "from 1 to 7");
	refuse("swap", "some", "is not a size");
}

Test(run_spec, takes_mounts_and_refuses_odd_ones)
{
	struct run_spec spec = run_spec_default();
	struct error err = {0};

	take(&spec, "mount", "/usr:/u");
	take(&spec, "mount", "/usr/../etc:/e:rw");
	take(&spec, "mount", ".:/here:ro");
	cr_assert_eq(spec.options.n_mounts, 3);
	cr_expect_str_eq(spec.mounts[0].source, "/usr");
	cr_expect_str_eq(spec.mounts[0].target, "/u");
	cr_expect_not(spec.mounts[0].writable);
	cr_expect_str_eq(spec.mounts[1].source, "/etc");
	cr_expect(spec.mounts[1].writable);
	cr_expect_eq(spec.mounts[2].source[0], '/');
	spec.rootfs = "/";
	cr_expect_eq(run_spec_check(&spec, &err), 0, "%s", err.message);
	cr_expect_eq(spec.options.mounts, spec.mounts);
	run_spec_done(&spec);
	refuse("mount", "/usr", "expected SOURCE:TARGET");
	refuse("mount", ":/x", "expected SOURCE:TARGET");
	refuse("mount", "/usr:", "expected SOURCE:TARGET");
	refuse("mount", "/usr:relative", "target 'relative' must be an absolute path");
	refuse("mount", "/usr:/x:exec", "only :ro or :rw");
	refuse("mount", "/no/such:/x", "/no/such");
	refuse("device", "/etc/passwd", "expected a path below /dev");
	refuse("device", "/dev/no-such", "/dev/no-such");
	refuse("device", "/dev", "expected a path below /dev");
}

/* The rule that lets the group use it is the plan's to make, once. */
Test(run_spec, a_device_is_counted_once)
{
	struct run_spec spec = run_spec_default();
	struct error err = {0};

	take(&spec, "device", "/dev/null");
	take(&spec, "device", "/dev/null");
	spec.rootfs = "/";
	cr_expect_eq(run_spec_check(&spec, &err), 0, "%s", err.message);
	cr_expect_eq(spec.options.limits.n_devices, 0);
	cr_expect_str_eq(spec.options.devices[0], "/dev/null");
	run_spec_done(&spec);
}

Test(run_spec, knows_capabilities_and_what_was_meant)
{
	struct run_spec spec = run_spec_default();
	struct error err = {0};
	uint64_t set;

	take(&spec, "cap-add", "NET_ADMIN");
	take(&spec, "cap-add", "cap_sys_ptrace");
	cr_expect_eq(spec.options.capabilities_add, UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_SYS_PTRACE);
	take(&spec, "cap-drop", "ALL");
	spec.rootfs = "/";
	cr_expect_eq(run_spec_check(&spec, &err), 0, "%s", err.message);
	cr_expect_not(spec.options.capabilities_drop & spec.options.capabilities_add, "all but those that are added");
	run_spec_done(&spec);

	cr_expect_eq(run_capability("net_amdin", &set, &err), -EINVAL);
	cr_expect_str_eq(err.hint, "was 'net_admin' meant?");
	cr_expect_eq(run_capability("frobnicate", &set, &err), -EINVAL);
	cr_expect_not_null(strstr(err.hint, "man 7 capabilities"));
	cr_expect_eq(run_capability("5", &set, &err), -EINVAL);
	cr_expect_eq(run_capability("", &set, &err), -EINVAL);

	spec = run_spec_default();
	spec.rootfs = "/";
	take(&spec, "cap-add", "chown");
	take(&spec, "cap-drop", "chown");
	cr_expect_eq(run_spec_check(&spec, &err), -EINVAL);
	run_spec_done(&spec);
}

Test(run_spec, namespaces_and_networks_have_words)
{
	struct run_spec spec = run_spec_default();

	take(&spec, "ns", "mnt=host");
	take(&spec, "ns", "cgroup=host");
	cr_expect_not(spec.options.namespaces & (CONTAINER_NS_MOUNT | CONTAINER_NS_CGROUP));
	take(&spec, "ns", "mount=own");
	cr_expect(spec.options.namespaces & CONTAINER_NS_MOUNT);
	take(&spec, "net", "host");
	cr_expect_not(spec.options.namespaces & CONTAINER_NS_NET);
	take(&spec, "net", "bridge");
	cr_expect(spec.options.namespaces & CONTAINER_NS_NET);
	cr_expect_eq(spec.options.network, CONTAINER_NETWORK_BRIDGE);
	take(&spec, "userns", "on");
	cr_expect_eq(spec.options.userns, CONTAINER_ON);
	take(&spec, "seccomp", "off");
	cr_expect(spec.options.seccomp_off);
	refuse("ns", "net", "expected mount, pid");
	refuse("ns", "user=own", "expected mount, pid");
	refuse("ns", "pid=mine", "--ns: 'mine': expected own or host");
	refuse("net", "wifi", "expected own, none, host, bridge or user");
	refuse("seccomp", "auto", "--seccomp: 'auto': expected on or off");
	refuse("userns", "yes", "expected auto, on or off");
	refuse("subnet", "10.0.0.1", "IPv4 network");
	refuse("hostname", "a_b", "is no host name");
	refuse("hostname", "", "is no host name");
	refuse("name", "../x", "is no name");
	refuse("workdir", "home", "absolute path inside");
	refuse("timeout", "0", "more than nothing");
	refuse("env", "=x", "expected NAME=VALUE");
	cr_expect_eq(run_spec_set(&spec, "nonsense", "x", NULL), -ENOENT);
	run_spec_done(&spec);
}

Test(run_spec, environment_comes_from_line_file_and_here)
{
	struct run_spec spec = run_spec_default();
	char path[] = "/tmp/bench-env-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_gt(dprintf(fd, "# comment\n\nA=file\n  B=two words \nHERE\nGONE\n"), 0);
	close(fd);
	setenv("HERE", "of the caller", 1);
	unsetenv("GONE");
	take(&spec, "env-file", path);
	take(&spec, "env", "A=line");
	cr_expect_str_eq(texts_variable(&spec.environment, "A"), "line");
	cr_expect_str_eq(texts_variable(&spec.environment, "B"), "two words ");
	cr_expect_str_eq(texts_variable(&spec.environment, "HERE"), "of the caller");
	cr_expect_null(texts_variable(&spec.environment, "GONE"));
	cr_expect_eq(spec.environment.n, 3);
	run_spec_done(&spec);
	fd = open(path, O_WRONLY | O_TRUNC);
	cr_assert_gt(dprintf(fd, "A=1\n=broken\n"), 0);
	close(fd);
	refuse("env-file", path, "line 2");
	refuse("env-file", "/no/such/file", "/no/such/file");
	unlink(path);
}

Test(run_spec, contradictions_are_told)
{
	static const char *const pairs[][5] = {
		{"detach", NULL, "interactive", NULL, "contradict"},       {"subnet", "10.9.0.0/24", "net", "own", "--subnet needs"},
		{"net-rate", "1M", "net", "own", "--net-rate needs"},      {"memory", "64M", "cgroup", "off", "limits need cgroups"},
		{"mount", "/usr:/u", "ns", "mount=host", "--mount needs"},
	};
	struct error err = {0};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct run_spec spec = run_spec_default();

		spec.rootfs = "/";
		take(&spec, pairs[i][0], pairs[i][1]);
		take(&spec, pairs[i][2], pairs[i][3]);
		cr_expect_eq(run_spec_check(&spec, &err), -EINVAL);
		cr_expect_not_null(strstr(err.message, pairs[i][4]), "%s", err.message);
		run_spec_done(&spec);
	}
	struct run_spec empty = run_spec_default();
	cr_expect_eq(run_spec_check(&empty, &err), -EINVAL);
	cr_expect_not_null(strstr(err.message, "what is to be run"));
	run_spec_done(&empty);
}

Test(run_spec, a_folder_becomes_root_with_command_and_environment)
{
	static const char *const argv[] = {"/bin/prog", "x", NULL}, *const none[] = {NULL};
	struct run_spec spec = run_spec_default();
	struct run_program program;
	struct error err = {0};

	spec.image = "/tmp";
	spec.argv = argv;
	take(&spec, "env", "PATH=/mine");
	cr_assert_eq(run_program_find(&spec, &program, &err), 0, "%s", err.message);
	cr_expect_str_eq(spec.options.rootfs, "/tmp");
	cr_expect_str_eq(spec.options.argv[1], "x");
	cr_expect_str_eq(texts_variable(&program.envp, "PATH"), "/mine");
	cr_expect_str_eq(texts_variable(&program.envp, "HOME"), "/root");
	cr_expect_str_eq(spec.options.working_dir, "/");
	run_program_done(&program);

	take(&spec, "entrypoint", "/bin/env");
	cr_assert_eq(run_program_find(&spec, &program, &err), 0, "%s", err.message);
	cr_expect_str_eq(spec.options.argv[0], "/bin/env");
	cr_expect_str_eq(spec.options.argv[1], "/bin/prog");
	run_program_done(&program);
	spec.entrypoint = NULL;
	spec.argv = none;
	cr_expect_eq(run_program_find(&spec, &program, &err), -EINVAL);
	cr_expect_not_null(strstr(err.message, "no command"));
	spec.image = "/no/such/folder";
	cr_expect_eq(run_program_find(&spec, &program, &err), -ENOENT);
	run_spec_done(&spec);
}
