/* The environment fingerprint on trees of other machines, and on this one. */
#include <results/environment.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct environment read_host(const char *root)
{
	struct environment env = {.cores = 7, .agent_bytes = 99, .bench_version = "9.9"};
	struct error err = {0};

	cr_assert_eq(environment_read(root, &env, &err), 0, "%s", err.message);
	return env;
}

/* A guest on Amazon EC2: v1 controllers and a v2 mount beside them. */
Test(environment, hybrid_guest)
{
	struct environment env = read_host(BENCH_TEST_DATA "/host-hybrid");

	cr_assert_str_eq(env.kernel, "6.1.0-18-cloud-amd64");
	cr_assert_str_eq(env.architecture, "x86_64");
	cr_assert_str_eq(env.os, "Debian GNU/Linux 12 (bookworm)");
	cr_assert_str_eq(env.cpu_model, "AMD EPYC 7R13 Processor");
	cr_assert_eq(env.memory_bytes, INT64_C(24684092) * 1024);
	cr_assert_str_eq(env.cgroup_mode, "hybrid");
	cr_assert_str_eq(env.cgroup_controllers, "cpuset cpu cpuacct memory pids v2:hugetlb");
	cr_assert_str_eq(env.hypervisor, "Amazon EC2 m6a.large");
	cr_assert_str_eq(env.governor, "");
	cr_assert_str_eq(env.smt, "on");
	cr_assert_str_eq(env.thp, "madvise");
	cr_assert_eq(env.ksm, 0);
	cr_assert_str_eq(env.clocksource, "kvm-clock");
}

/* A laptop: bare metal, v2 alone, mounted a second time elsewhere. */
Test(environment, v2_bare_metal)
{
	struct environment env = read_host(BENCH_TEST_DATA "/host-v2");

	cr_assert_str_eq(env.os, "Fedora Linux 40 (Workstation Edition)");
	cr_assert_str_eq(env.cpu_model, "12th Gen Intel(R) Core(TM) i7-1260P");
	cr_assert_str_eq(env.cgroup_mode, "v2");
	cr_assert_str_eq(env.cgroup_controllers, "cpuset cpu io memory hugetlb pids rdma misc");
	cr_assert_str_eq(env.hypervisor, "none");
	cr_assert_str_eq(env.governor, "powersave");
	cr_assert_str_eq(env.thp, "never");
	cr_assert_eq(env.ksm, 1);
	cr_assert_str_eq(env.clocksource, "tsc");
}

/* An arm64 guest with an old kernel: v1 alone, no cpufreq, PSI, THP, KSM, no flag that tells a guest. */
Test(environment, v1_arm_guest)
{
	struct environment env = read_host(BENCH_TEST_DATA "/host-v1");

	cr_assert_str_eq(env.architecture, "", "not guessed from this host");
	cr_assert_str_eq(env.cpu_model, "implementer 0x41 part 0xd0c");
	cr_assert_str_eq(env.cgroup_mode, "v1");
	cr_assert_str_eq(env.cgroup_controllers, "cpu cpuacct memory");
	cr_assert_str_eq(env.hypervisor, "QEMU Virtual Machine");
	cr_assert_str_eq(env.governor, "");
	cr_assert_str_eq(env.smt, "");
	cr_assert_str_eq(env.thp, "");
	cr_assert_eq(env.ksm, -1);
}

Test(environment, nothing_but_a_kernel)
{
	struct environment env = read_host(BENCH_TEST_DATA "/host-bare");

	cr_assert_str_eq(env.kernel, "5.4.0");
	cr_assert_str_eq(env.os, "");
	cr_assert_str_eq(env.cpu_model, "");
	cr_assert_eq(env.memory_bytes, -1);
	cr_assert_str_eq(env.cgroup_mode, "none");
	cr_assert_str_eq(env.hypervisor, "", "not known is not none");
}

Test(environment, nonsense_stays_unknown)
{
	struct environment env = read_host(BENCH_TEST_DATA "/host-odd");

	cr_assert_eq(env.memory_bytes, -1);
	cr_assert_str_eq(env.cgroup_mode, "none");
	cr_assert_eq(env.ksm, -1);
	cr_assert_str_eq(env.hypervisor, "xen");
}

Test(environment, callers_fields_stay)
{
	struct environment env = read_host(BENCH_TEST_DATA "/host-v2");

	cr_assert_eq(env.cores, 7);
	cr_assert_eq(env.agent_bytes, 99);
	cr_assert_str_eq(env.bench_version, "9.9");
}

Test(environment, no_proc_is_an_error)
{
	struct environment env = {.cores = 7};
	struct error err = {0};

	cr_assert_eq(environment_read(BENCH_TEST_DATA "/host-that-is-not-there", &env, &err), -ENOENT);
	cr_assert(strstr(err.message, "/proc/sys/kernel/osrelease"), "%s", err.message);
	cr_assert_str_eq(err.hint, "mount /proc");
	cr_assert_eq(env.cores, 7);
}

Test(environment, live_host)
{
	struct environment env = read_host("");
	struct utsname uts;

	cr_assert_eq(uname(&uts), 0);
	cr_assert_str_eq(env.kernel, uts.release);
	cr_assert_str_eq(env.architecture, uts.machine);
	cr_assert_gt(env.memory_bytes, 0);
	cr_assert_eq(strncmp(env.libc, "glibc ", 6), 0);
	cr_assert_eq(env.privileged, geteuid() == 0);
	cr_assert(env.cgroup_mode[0] && env.clocksource[0]);
}

/* The two test vectors that everybody knows: the empty text, and "abc" (FIPS 180-2). */
Test(environment, sha256)
{
	char path[] = "/tmp/bench-test-sha256-XXXXXX", hex[65] = "untouched";
	int fd = mkstemp(path);
	struct error err = {0};
	int64_t bytes = -1;

	cr_assert_geq(fd, 0);
	cr_assert_eq(file_sha256(path, hex, &bytes, &err), 0);
	cr_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	cr_assert_eq(bytes, 0);
	cr_assert_eq(write(fd, "abc", 3), 3);
	cr_assert_eq(file_sha256(path, hex, &bytes, &err), 0);
	cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	cr_assert_eq(bytes, 3);
	close(fd);
	unlink(path);
	snprintf(hex, sizeof(hex), "untouched");
	cr_assert_eq(file_sha256(path, hex, &bytes, &err), -ENOENT);
	cr_assert_str_eq(hex, "untouched");
	cr_assert_eq(file_sha256("/tmp", hex, &bytes, &err), -EISDIR);
}
