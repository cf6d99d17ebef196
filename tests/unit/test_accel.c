/* The decision for or against KVM, with proofs played by the test; and the real probe, which must end. */
#include <base/files.h>
#include <bench/timeline.h>
#include <criterion/criterion.h>
#include <vmdriver/accel.h>
#include <vmdriver/kvm_probe.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
		{{.round_ns = 1200}, "tcg", "emulates guest code: 1200 ns"},
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
	snprintf(path, sizeof(path), "%s/vm", cache);
	cr_assert_eq(dir_make(path, 0700, NULL), 0);
}

static void teardown(void)
{
	dir_remove(cache, NULL);
}

Test(accel, the_verdict_of_a_boot_is_remembered, .init = setup, .fini = teardown)
{
	struct play good = {.round_ns = 1}, bad = {.round_ns = 1, .boot = EIO};
	struct accel accel;

	for (int i = 0; i < 3; i++)
		decide(VM_ACCEL_AUTO, &good, cache, "host A", &accel, NULL);
	cr_assert_eq(good.boots, 1);
	cr_assert(accel.proven);
	/* Another fingerprint: asked again; and a bad verdict is remembered with its reason. */
	for (int i = 0; i < 3; i++)
		decide(VM_ACCEL_AUTO, &bad, cache, "host B", &accel, NULL);
	cr_assert_eq(bad.boots, 1);
	cr_assert_str_eq(accel.name, "tcg");
	cr_assert(strstr(accel.reason, "no sign of life"), "%s", accel.reason);
}

Test(accel, a_damaged_memory_is_no_verdict, .init = setup, .fini = teardown)
{
	static const char *const texts[] = {"", "host A", "host A\n", "host A\nperhaps\n", "\n\n\n"};
	char path[96];

	snprintf(path, sizeof(path), "%s/vm/kvm-proof", cache);
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
	char text[512];

	accel_fingerprint("", "7.2.0", "6.1.0-x", text, sizeof(text));
	cr_assert(strstr(text, "host=") && strstr(text, "cpu=") && strstr(text, "qemu=7.2.0") && strstr(text, "kernel=6.1.0-x"), "%s",
		  text);
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

/* Whatever the device is, the probe is over soon and leaves no child. */
Test(kvm_probe, ends_in_time)
{
	struct error err = {0};
	double round_ns = -1;
	int64_t start_ns = clock_now_ns();
	int rc = kvm_probe_speed("/dev/kvm", &round_ns, &err);

	cr_assert_lt(clock_now_ns() - start_ns, INT64_C(2500000000));
	cr_assert(rc < 0 ? err.message[0] != '\0' : round_ns > 0);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_assert_eq(errno, ECHILD);
}
