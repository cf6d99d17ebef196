/* Guests of another architecture: what the options make of it, which kernel, how it is fetched; and, where it can be emulated, guests that reach the network
 * and a disk. On a host of aarch64 itself nothing here is foreign. */
#include "vm_talk.h"

#include <drivers/registry.h>
#include <drivers/vm_options.h>
#include <vmdriver/accel.h>
#include <vmdriver/apt_foreign.h>
#include <vmdriver/arch.h>
#include <vmdriver/host.h>
#include <vmdriver/kernel_fetch.h>

#include <arpa/inet.h>
#include <sys/socket.h>

static void need_foreign(void)
{
	if (!arch_host() || strcmp(arch_host()->name, "aarch64") == 0)
		cr_skip_test("aarch64 is not foreign here");
}

/* ---- the table ---- */

Test(vm_arch, each_has_machines_of_its_own)
{
	const struct arch *arm = NULL, *x86 = NULL;
	const char *machine = NULL;
	struct error err = {0};

	cr_assert_eq(arch_find("aarch64", &arm, &err), 0, "%s", err.message);
	cr_assert_eq(arch_find("x86_64", &x86, &err), 0, "%s", err.message);
	cr_assert_eq(arch_machine(arm, NULL, &machine, &err), 0);
	cr_assert_str_eq(machine, "virt");
	cr_assert_eq(arch_machine(x86, NULL, &machine, &err), 0);
	cr_assert_str_eq(machine, "q35");
	cr_assert_eq(arch_machine(x86, "microvm", &machine, &err), 0);
	cr_assert_str_eq(machine, "microvm");
	cr_assert_eq(arch_machine(arm, "microvm", &machine, &err), -EINVAL);
	cr_assert(strstr(err.message, "one of x86_64, the guest is aarch64"), "%s", err.message);
	cr_assert_eq(arch_machine(x86, "virt", &machine, &err), -EINVAL);
	cr_assert(strstr(err.hint, "arch=aarch64"), "%s", err.hint);
	cr_assert_eq(arch_machine(x86, "isapc", &machine, &err), -EINVAL);
	cr_assert(strstr(err.hint, "q35 or microvm"), "%s", err.hint);
	cr_assert_eq(arch_find("vax", &arm, &err), -EINVAL);
	cr_assert(strstr(err.message, "vax") && strstr(err.hint, "aarch64"), "%s", err.message);
}

Test(vm_arch, another_one_is_emulated_and_the_reason_says_so)
{
	struct accel accel;

	accel_emulate("aarch64", &accel);
	cr_assert_str_eq(accel.name, "tcg");
	cr_assert(strstr(accel.reason, "emulates another architecture: aarch64 on "), "%s", accel.reason);
	cr_assert_str_eq(accel.remedy, "");
	cr_assert_not(accel.proven);
}

Test(vm_arch, command_lines_have_the_ports_and_words_of_their_own)
{
	char line[512];

	cr_assert_eq(host_command_line(arch_by_name("aarch64"), "virt", true, 2500000, VM_TUNE_ALL, "a=b", line, sizeof(line), NULL), 0);
	cr_assert(strstr(line, "console=ttyAMA0 ") && strstr(line, "BENCH_CONTROL=/dev/ttyS0 ") && strstr(line, "mitigations=off") &&
			  strstr(line, " a=b"),
		  "%s", line);
	cr_assert_not(strstr(line, "no_timer_check") || strstr(line, "tsc") || strstr(line, "noreplace-smp") ||
			      strstr(line, "initcall_blacklist"),
		      "%s", line);
	cr_assert_eq(host_command_line(arch_by_name("x86_64"), "q35", true, 2500000, VM_TUNE_ALL, NULL, line, sizeof(line), NULL), 0);
	cr_assert(strstr(line, "console=ttyS1 ") && strstr(line, " tsc_early_khz=2500000 tsc=reliable ") &&
			  strstr(line, "no_timer_check") && strstr(line, "noreplace-smp") && strstr(line, "initcall_blacklist"),
		  "%s", line);
}

/* ---- options ---- */

static int read_options(const char *text, const char *agent, struct vm_texts *texts, struct vm_options *ret, struct error *err)
{
	static struct driver_spec spec;
	static struct vm_disk_source source;
	static struct vm_container container;
	const struct driver_config config = {.spec = &spec, .agent_path = agent, .run_dir = "/tmp/x", .cache_dir = "/tmp/y"};

	spec = (struct driver_spec){0};
	source = VM_DISK_SOURCE_NONE;
	container = (struct vm_container){0};
	cr_assert_eq(driver_parse_list(text, &spec, 0, 1, err), 1, "%s", err->message);
	return vm_options_read(&config, texts, &source, &container, ret, err);
}

static int check_text(const char *text, struct error *err)
{
	struct vm_options options;
	struct vm_texts texts;
	int rc = read_options(text, BENCH_AGENT, &texts, &options, err);

	return rc < 0 ? rc : host_check_options(&options, err);
}

Test(vm_arch, kinds_and_options_come_to_the_same)
{
	static const char *const ways[] = {"vm:aarch64", "vm:arch=aarch64", "vm:kind=aarch64", "vm:arch=aarch64,machine=virt",
					   "vm:restore,arch=aarch64"};
	struct vm_options options;
	struct vm_texts texts;
	struct error err = {0};

	need_foreign();
	if (access(BENCH_AGENT "-aarch64", R_OK) < 0)
		cr_skip_test("no cross compiler: no agent for aarch64");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		cr_assert_eq(read_options(ways[i], BENCH_AGENT, &texts, &options, &err), 0, "%s: %s", ways[i], err.message);
		cr_assert_str_eq(options.arch, "aarch64");
		cr_assert_str_eq(options.init_path, BENCH_AGENT "-aarch64");
		cr_assert_eq(host_check_options(&options, &err), 0, "%s: %s", ways[i], err.message);
		cr_assert_eq(options.restore, i == 4);
	}
	cr_assert_eq(read_options("vm", BENCH_AGENT, &texts, &options, &err), 0, "%s", err.message);
	cr_assert_null(options.arch);
	cr_assert_str_eq(options.init_path, BENCH_AGENT);
}

Test(vm_arch, contradictions_are_refused)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"vm:q35,arch=aarch64", "machine 'q35' is one of x86_64"},     {"vm:arch=aarch64,machine=microvm", "one of x86_64"},
		{"vm:aarch64,accel=kvm", "the host's own architecture alone"}, {"vm:aarch64,kernel_form=vmlinux", "kernel_form"},
		{"vm:os,arch=aarch64", "a complete system is of x86_64"},      {"vm:arch=vax", "vax"},
	};

	need_foreign();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};

		cr_assert_lt(check_text(cases[i].text, &err), 0, "%s", cases[i].text);
		cr_assert(strstr(err.message, cases[i].message) && err.hint[0], "%s: %s", cases[i].text, err.message);
	}
}

Test(vm_arch, a_missing_agent_has_a_remedy)
{
	struct vm_options options;
	struct vm_texts texts;
	struct error err = {0};

	need_foreign();
	cr_assert_eq(read_options("vm:aarch64", "/nowhere/bench-agent", &texts, &options, &err), -ENOENT);
	cr_assert(strstr(err.message, "/nowhere/bench-agent-aarch64"), "%s", err.message);
	cr_assert(strstr(err.hint, "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"), "%s", err.hint);
}

/* ---- kernels ---- */

/* The smallest that is taken for one. */
static void put_kernel(const char *path, bool arm)
{
	char bytes[20000] = "MZ", folder[256];

	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	cr_assert_eq(dir_make(folder, 0755, NULL), 0);
	if (arm) {
		memcpy(bytes + 0x38, "ARM\x64", 4);
	} else {
		bytes[0x1f1] = 1, bytes[0x1f5] = 4, bytes[0x1fe] = 0x55, bytes[0x1ff] = (char)0xaa;
		memcpy(bytes + 0x202, "HdrS", 4);
		bytes[0x206] = 0x0f, bytes[0x207] = 2, bytes[0x236] = 1;
	}
	cr_assert_eq(file_write_atomic(path, bytes, sizeof(bytes), 0600, NULL), 0);
}

Test(vm_arch, a_kernel_is_one_of_the_guests_architecture)
{
	char dir[] = "/tmp/vm-arch-XXXXXX", path[128], cache[64];
	const struct arch *arm = arch_by_name("aarch64");
	struct kernel_choice choice;
	struct error err = {0};

	need_foreign();
	cr_assert(mkdtemp(dir));
	snprintf(cache, sizeof(cache), "%s/cache", dir);
	snprintf(path, sizeof(path), "%s/boot/vmlinuz-7.0.0-arm64", dir);
	put_kernel(path, true);
	/* The host's folder is no place for it, nor is it one for the host. */
	cr_assert_eq(kernel_find(dir, "7.0.0-arm64", arm, NULL, cache, &choice, &err), -ENOENT);
	cr_assert(strstr(err.message, "aarch64"), "%s", err.message);
	cr_assert_eq(kernel_find(dir, "7.0.0-arm64", arch_host(), NULL, cache, &choice, &err), -ENOENT);
	snprintf(path, sizeof(path), "%s/vm/kernels-aarch64/vmlinuz-6.1.0", cache);
	put_kernel(path, true);
	snprintf(path, sizeof(path), "%s/vm/kernels-aarch64/vmlinuz-6.2.0", cache);
	put_kernel(path, false);
	cr_assert_eq(kernel_find(dir, "x", arm, NULL, cache, &choice, &err), 0, "%s", err.message);
	cr_assert(strstr(choice.path, "kernels-aarch64/vmlinuz-6.1.0"), "%s", choice.path);
	cr_assert_eq(kernel_find(dir, "x", arm, path, cache, &choice, &err), -ENOEXEC);
	cr_assert(strstr(err.message, "is for x86_64, the guest is aarch64"), "%s", err.message);
	dir_remove(dir, NULL);
}

Test(vm_arch, apt_is_told_of_folders_of_our_own)
{
	char text[4096];

	cr_assert_eq(apt_foreign_config("/c/tmp-1", "arm64", text, sizeof(text), NULL), 0);
	cr_assert(strstr(text, "APT::Architecture \"arm64\"") && strstr(text, "Dir::State \"/c/tmp-1/apt/state\"") &&
			  strstr(text, "Dir::State::status \"/c/tmp-1/apt/status\"") && strstr(text, "Dir::Cache \"/c/tmp-1/apt/cache\"") &&
			  strstr(text, "#clear APT::Update::Post-Invoke;"),
		  "%s", text);
	cr_assert_eq(apt_foreign_config("/c/\"; x \"", "arm64", text, sizeof(text), NULL), -EINVAL);
	cr_assert_eq(apt_foreign_config("/c", "arm64", text, 100, NULL), -EINVAL);
}

/* ---- guests ---- */

static int listen_on_host(int *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		fail("listen on the host: %s", strerror(errno));
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static pid_t echo_once(int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		char block[256];
		int peer;
		ssize_t got;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		peer = accept(fd, NULL, NULL);
		while (peer >= 0 && (got = read(peer, block, sizeof(block))) > 0)
			if (write(peer, block, (size_t)got) != got)
				break;
		_exit(0);
	}
	return pid;
}

/* Its devices are virtio ones on PCI, by the modules of that kernel. */
static void act_devices(struct scene *s)
{
	int port;
	_cleanup_close_ int listener = listen_on_host(&port);
	pid_t echo = echo_once(listener);
	struct vm_host *host = open_host(s);
	struct vm *vm = begin(host, "devices");
	char request[64];

	if (vm) {
		const struct vm_facts *facts = vm_host_facts(host);

		snprintf(request, sizeof(request), "connect 10.0.2.2 %d", port);
		expect(vm, request, "reached");
		expect(vm, "disk write 65536 1048576", "disk bytes=1048576");
		expect(vm, "disk read 65536 1048576", "disk bytes=1048576");
		if (strcmp(facts->arch, "aarch64") != 0 || strcmp(facts->accelerator, "tcg") != 0 || strlen(facts->init_sha256) != 64 ||
		    !strstr(facts->modules, "virtio_net") || !strstr(facts->modules, "virtio_blk"))
			fail("%s, %s, agent %s, modules %s", facts->arch, facts->accelerator, facts->init_sha256, facts->modules);
		end(vm);
	}
	vm_host_close(host);
	kill(echo, SIGKILL);
	waitpid(echo, NULL, 0);
}

Test(vm_arch, a_foreign_guest_has_network_and_disk)
{
	char reason[400], remedy[300];
	struct scene s;

	need_foreign();
	prepare(&s);
	s.options.arch = "aarch64";
	s.options.init_path = BENCH_AGENT "-aarch64";
	s.options.network = VM_NETWORK_USER;
	s.options.scratch_bytes = 16 << 20;
	if (access(s.options.init_path, R_OK) < 0 || vm_host_probe(&s.options, reason, sizeof(reason), remedy, sizeof(remedy)) == VM_NO) {
		rmdir(s.run_dir);
		cr_assert_not(must_run(), "guests of aarch64 must run here: no agent for them, or %s", reason);
		cr_skip_test("no agent for aarch64, or no QEMU");
	}
	play(&s, act_devices);
}
