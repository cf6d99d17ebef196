/* The decision for or against KVM, with proofs played by the test; and the real probe, which must end. */
#include <base/files.h>
#include <bench/timeline.h>
#include <criterion/criterion.h>
#include <vmdriver/accel.h>
#include <vmdriver/host.h>
#include <vmdriver/kvm_probe.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct play {
	int device, speed, boot; /* errno of each proof */
	double round_ns;
	int boots;
};

static int play_device(void *arg, struct error *err)
{
	struct play *p = arg;

	if (!p->device)
		return 0;
	error_set(err, p->device, "/dev/kvm: no");
	return error_hint(err, "load the module");
}

static int play_speed(void *arg, double *ret, struct error *err)
{
	struct play *p = arg;

	*ret = p->round_ns;
	return p->speed ? error_set(err, p->speed, "loop does not end") : 0;
}

static int play_boot(void *arg, struct error *err)
{
	struct play *p = arg;

	p->boots++;
	return p->boot ? error_set(err, p->boot, "no sign of life") : 0;
}

static int decide(enum vm_accel_wish wish, struct play *play, const char *cache, const char *fingerprint, struct accel *ret,
		  struct error *err)
{
	struct accel_prober prober = {.device = play_device, .speed = play_speed, .boot = play_boot, .arg = play};

	return accel_decide(wish, &prober, cache, fingerprint, ret, err);
}

Test(accel, table)
{
	static const struct {
		struct play play;
		const char *name, *reason;
	} cases[] = {
		{{.device = ENOENT}, "tcg", "/dev/kvm: no"},
		{{.speed = ETIMEDOUT}, "tcg", "loop does not end"},
		{{.round_ns = 1200}, "tcg", "emulates guest code: a loop takes over 1000 ns a round"},
		{{.round_ns = 20}, "tcg", "emulates guest code"},
		{{.round_ns = 0.7, .boot = ETIMEDOUT}, "tcg", "does not boot with KVM: no sign of life"},
		{{.round_ns = 0.7}, "kvm", "a guest booted with it"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play play = cases[i].play;
		struct error err = {0};
		struct accel accel;

		cr_assert_eq(decide(VM_ACCEL_AUTO, &play, NULL, "f", &accel, &err), 0, "case %zu: %s", i, err.message);
		cr_assert_str_eq(accel.name, cases[i].name, "case %zu", i);
		cr_assert(strstr(accel.reason, cases[i].reason), "case %zu: %s", i, accel.reason);

		/* Asked for, the same findings are errors with a remedy. */
		int rc = decide(VM_ACCEL_KVM, &play, NULL, "f", &accel, &err);

		if (strcmp(cases[i].name, "kvm") == 0) {
			cr_assert_eq(rc, 0);
			continue;
		}
		cr_assert_lt(rc, 0);
		cr_assert(strstr(err.message, cases[i].reason) && strstr(err.message, "KVM was asked for"), "case %zu: %s", i, err.message);
		cr_assert(err.hint[0]);
	}
}

Test(accel, tcg_asks_nothing)
{
	struct accel_prober prober = {0};
	struct accel accel;

	cr_assert_eq(accel_decide(VM_ACCEL_TCG, &prober, NULL, "f", &accel, NULL), 0);
	cr_assert_str_eq(accel.name, "tcg");
}

Test(accel, without_a_boot_it_is_not_proven)
{
	struct play play = {.round_ns = 1};
	struct accel_prober prober = {.device = play_device, .speed = play_speed, .arg = &play};
	struct accel accel;

	cr_assert_eq(accel_decide(VM_ACCEL_AUTO, &prober, NULL, "f", &accel, NULL), 0);
	cr_assert_str_eq(accel.name, "kvm");
	cr_assert(!accel.proven);
}

static char cache[64];

static void setup(void)
{
	char path[80];

	strcpy(cache, "/tmp/accel-test-XXXXXX");
	cr_assert(mkdtemp(cache));
	snprintf(path, sizeof(path), "%s/vm/capabilities", cache);
	cr_assert_eq(dir_make(path, 0700, NULL), 0);
}

static void teardown(void)
{
	dir_remove(cache, NULL);
}

Test(accel, a_boot_that_worked_is_remembered, .init = setup, .fini = teardown)
{
	struct play good = {.round_ns = 1};
	struct accel accel;

	for (int i = 0; i < 3; i++) {
		decide(VM_ACCEL_AUTO, &good, cache, "host A", &accel, NULL);
		cr_assert_str_eq(accel.name, "kvm");
		cr_assert(accel.proven);
	}
	cr_assert_eq(good.boots, 1);
}

Test(accel, a_boot_that_failed_is_not, .init = setup, .fini = teardown)
{
	struct play play = {.round_ns = 1, .boot = ENOSPC};
	struct accel accel;

	for (int i = 0; i < 3; i++) {
		decide(VM_ACCEL_AUTO, &play, cache, "host A", &accel, NULL);
		cr_assert_str_eq(accel.name, "tcg");
		cr_assert(strstr(accel.reason, "no sign of life"), "%s", accel.reason);
		cr_assert(accel.remedy[0]);
	}
	cr_assert_eq(play.boots, 3);
	/* The disk has room again: at once it is KVM. */
	play.boot = 0;
	decide(VM_ACCEL_AUTO, &play, cache, "host A", &accel, NULL);
	cr_assert_str_eq(accel.name, "kvm");
	cr_assert_eq(play.boots, 4);
}

Test(accel, a_device_that_was_away_is_asked_again, .init = setup, .fini = teardown)
{
	struct play play = {.device = EACCES, .round_ns = 1};
	struct accel accel;

	decide(VM_ACCEL_AUTO, &play, cache, "host A", &accel, NULL);
	cr_assert_str_eq(accel.name, "tcg");
	play.device = 0;
	decide(VM_ACCEL_AUTO, &play, cache, "host A", &accel, NULL);
	cr_assert_str_eq(accel.name, "kvm");
	/* And the other way round: what the cache says does not help a device that is gone. */
	play.device = ENOENT;
	decide(VM_ACCEL_AUTO, &play, cache, "host A", &accel, NULL);
	cr_assert_str_eq(accel.name, "tcg");
}

static void fingerprint_of(const char *machine, char *ret, size_t size)
{
	const struct accel_subject subject = {
		.machine = machine, .qemu = "7.2.0", .libvirt = "9.0.0", .uri = "qemu:///embed", .guest_kernel = "6.1.0-x"};

	accel_fingerprint("", &subject, ret, size);
}

Test(accel, one_machine_type_proves_nothing_for_another, .init = setup, .fini = teardown)
{
	struct play play = {.round_ns = 1};
	char q35[1024], micro[1024];
	struct accel accel;

	fingerprint_of("pc-q35-7.2", q35, sizeof(q35));
	fingerprint_of("microvm", micro, sizeof(micro));
	decide(VM_ACCEL_AUTO, &play, cache, q35, &accel, NULL);
	play.boot = EIO;
	decide(VM_ACCEL_AUTO, &play, cache, micro, &accel, NULL);
	cr_assert_str_eq(accel.name, "tcg");
	cr_assert_eq(play.boots, 2);
	/* Both are kept side by side. */
	play.boot = 0;
	for (int i = 0; i < 3; i++) {
		decide(VM_ACCEL_AUTO, &play, cache, micro, &accel, NULL);
		decide(VM_ACCEL_AUTO, &play, cache, q35, &accel, NULL);
		cr_assert_str_eq(accel.name, "kvm");
	}
	cr_assert_eq(play.boots, 3);
}

Test(accel, the_memory_does_not_grow_for_ever, .init = setup, .fini = teardown)
{
	struct play play = {.round_ns = 1};
	char name[600], path[96], text[16384];
	struct accel accel;

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "host %0500d", i);
		decide(VM_ACCEL_AUTO, &play, cache, name, &accel, NULL);
		cr_assert_eq(play.boots, i + 1);
		decide(VM_ACCEL_AUTO, &play, cache, name, &accel, NULL);
		cr_assert_eq(play.boots, i + 1);
	}
	snprintf(path, sizeof(path), "%s/vm/capabilities/kvm-proof", cache);
	cr_assert_lt(file_read("", path, text, sizeof(text), NULL), 8192);
}

/* What the user chose for his run must not decide about KVM. */
Test(accel, the_proof_has_nothing_of_the_run_but_the_machine_type)
{
	struct vm_host host = {
		.domain = {.type = "qemu",
			   .machine = "microvm",
			   .memory_bytes = 60 << 20,
			   .vcpus = 64,
			   .cpuset = "7",
			   .kernel = "/broken",
			   .initrd = "/of-a-complete-system",
			   .cmdline = "rdinit=/nowhere",
			   .few_capabilities = true},
		.initramfs = "/initramfs",
	};
	struct domain_config proof;

	host_proof_domain(&host, 50 << 20, "/good", "quiet", &proof);
	cr_assert_str_eq(proof.type, "kvm");
	cr_assert_str_eq(proof.machine, "microvm");
	cr_assert_str_eq(proof.kernel, "/good");
	cr_assert_str_eq(proof.initrd, "/initramfs");
	cr_assert_str_eq(proof.cmdline, "quiet");
	cr_assert_eq(proof.memory_bytes, 256 << 20);
	cr_assert_eq(proof.vcpus, 1);
	cr_assert_null(proof.cpuset);
	cr_assert(proof.host_cpu && proof.few_capabilities);
	host_proof_domain(&host, 200 << 20, "/large", "quiet", &proof);
	cr_assert_eq(proof.memory_bytes, 400 << 20);
}

Test(accel, the_remedy_of_the_proof_that_failed_is_kept)
{
	struct play away = {.device = ENOENT}, emulates = {.round_ns = 1200}, good = {.round_ns = 1};
	struct error err = {0};
	struct accel accel;

	decide(VM_ACCEL_AUTO, &away, NULL, "f", &accel, NULL);
	cr_assert_str_eq(accel.remedy, "load the module");
	decide(VM_ACCEL_KVM, &away, NULL, "f", &accel, &err);
	cr_assert(strstr(err.hint, "load the module"), "%s", err.hint);
	decide(VM_ACCEL_AUTO, &emulates, NULL, "f", &accel, NULL);
	cr_assert(strstr(accel.remedy, "another host"), "%s", accel.remedy);
	decide(VM_ACCEL_AUTO, &good, NULL, "f", &accel, NULL);
	cr_assert_str_eq(accel.remedy, "");
	decide(VM_ACCEL_TCG, &away, NULL, "f", &accel, NULL);
	cr_assert_str_eq(accel.remedy, "", "asked for: nothing to mend");
}

Test(accel, a_damaged_memory_is_no_verdict, .init = setup, .fini = teardown)
{
	static const char *const texts[] = {"", "host A", "usable: host\n", "host A\nusable\n", "unusable: host A\n", "\n\n\n"};
	char path[96];

	snprintf(path, sizeof(path), "%s/vm/capabilities/kvm-proof", cache);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct play play = {.round_ns = 1};
		struct accel accel;

		cr_assert_eq(file_write_atomic(path, texts[i], strlen(texts[i]), 0600, NULL), 0);
		decide(VM_ACCEL_AUTO, &play, cache, "host A", &accel, NULL);
		cr_assert_eq(play.boots, 1, "case %zu", i);
	}
}

Test(accel, fingerprint_names_what_counts)
{
	static const char *const words[] = {"host=",         "cpu=", "machine=q35 ", "qemu=7.2.0 ", "libvirt=9.0.0 ", "uri=qemu:///embed ",
					    "kernel=6.1.0-x"};
	char text[1024];

	fingerprint_of("q35", text, sizeof(text));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_assert(strstr(text, words[i]), "%s: %s", words[i], text);
	cr_assert(!strchr(text, '\n'));
}

Test(kvm_probe, things_that_are_not_kvm)
{
	struct error err = {0};
	double round_ns;

	cr_assert_eq(kvm_probe_device("/dev/nope", &err), -ENOENT);
	cr_assert(err.hint[0]);
	cr_assert_lt(kvm_probe_device("/dev/null", &err), 0);
	cr_assert_lt(kvm_probe_speed("/dev/nope", &round_ns, &err), 0);
	cr_assert_lt(kvm_probe_speed("/dev/null", &round_ns, &err), 0);
}

/* Opens the device as a user who has no right to it; the answer comes back through a pipe. */
static struct error open_as_nobody(const char *path)
{
	struct error err = {0};
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	if (fork() == 0) {
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		kvm_probe_device(path, &err);
		_exit(write(ends[1], &err, sizeof(err)) == sizeof(err) ? 0 : 1);
	}
	close(ends[1]);
	cr_assert_eq(read(ends[0], &err, sizeof(err)), sizeof(err));
	close(ends[0]);
	wait(NULL);
	return err;
}

Test(kvm_probe, each_obstacle_has_its_remedy, .init = setup, .fini = teardown)
{
	struct error err = {0};
	struct group *group;
	char path[96], expected[128];

	kvm_probe_device("/dev/nope", &err);
	cr_assert(strstr(err.hint, "modprobe kvm_intel") && strstr(err.hint, "firmware"), "%s", err.hint);
	if (geteuid() != 0)
		cr_skip_test("needs root to become somebody else");
	cr_assert_eq(chmod(cache, 0755), 0);
	snprintf(path, sizeof(path), "%s/kvm", cache);
	cr_assert_eq(file_write_atomic(path, "", 0, 0660, NULL), 0);
	err = open_as_nobody(path);
	cr_assert_eq(err.code, EACCES);
	cr_assert(strstr(err.hint, "run as root"), "%s", err.hint);
	/* A group owns it, as on every distribution: its name is told. */
	group = getgrgid(1);
	cr_assert(group);
	snprintf(expected, sizeof(expected), "usermod -aG %s $USER", group->gr_name);
	cr_assert(chown(path, 0, 1) == 0 && chmod(path, 0660) == 0);
	err = open_as_nobody(path);
	cr_assert(strstr(err.hint, expected), "%s", err.hint);
}

/* Whatever the device is, the probe is over soon and leaves no child. */
Test(kvm_probe, ends_in_time)
{
	struct error err = {0};
	double round_ns = -1;
	int64_t start_ns = clock_now_ns();
	int rc = kvm_probe_speed("/dev/kvm", &round_ns, &err);

	cr_assert_lt(clock_now_ns() - start_ns, INT64_C(1000000000));
	cr_assert(rc < 0 ? err.message[0] != '\0' : round_ns > 0);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_assert_eq(errno, ECHILD);
}
