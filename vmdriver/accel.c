#include "accel.h"

#include "kvm_probe.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

/* ---- the remembered verdict: a file of two lines, fingerprint and "usable" or "unusable: <why>" ---- */

static bool cache_path(const char *cache_dir, char *ret, size_t size)
{
	return cache_dir && path_format(ret, size, NULL, "%s/vm/kvm-proof", cache_dir) == 0;
}

static bool remembered(const char *cache_dir, const char *fingerprint, int *ret_rc, struct error *err)
{
	char path[PATH_MAX], text[2048];

	if (!cache_path(cache_dir, path, sizeof(path)) || file_read("", path, text, sizeof(text), NULL) < 0)
		return false;

	char *verdict = strchr(text, '\n');

	if (!verdict)
		return false;
	*verdict++ = '\0';
	if (strcmp(text, fingerprint) != 0)
		return false;
	if (strcmp(verdict, "usable") == 0) {
		*ret_rc = 0;
		return true;
	}
	if (strncmp(verdict, "unusable: ", 10) != 0)
		return false;
	*ret_rc = error_set(err, EIO, "%s", verdict + 10);
	return true;
}

/* A cache that cannot be written costs the next run a boot, no more. */
static void remember(const char *cache_dir, const char *fingerprint, int rc, const struct error *why)
{
	char path[PATH_MAX], text[2048];

	if (!cache_path(cache_dir, path, sizeof(path)))
		return;

	int length = rc == 0 ? snprintf(text, sizeof(text), "%s\nusable\n", fingerprint)
			     : snprintf(text, sizeof(text), "%s\nunusable: %s\n", fingerprint, why->message);

	if (length > 0 && (size_t)length < sizeof(text))
		file_write_atomic(path, text, (size_t)length, 0600, NULL);
}

/* ---- deciding ---- */

static int prove_by_boot(const struct accel_prober *prober, const char *cache_dir, const char *fingerprint, struct accel *ret,
			 struct error *err)
{
	int rc = 0;

	if (!prober->boot)
		return 0;
	if (remembered(cache_dir, fingerprint, &rc, err)) {
		ret->proven = rc == 0;
		return rc;
	}
	rc = prober->boot(prober->arg, err);
	if (rc < 0)
		error_prefix(err, "a guest does not boot with KVM");
	remember(cache_dir, fingerprint, rc, err);
	ret->proven = rc == 0;
	return rc;
}

static int prove(const struct accel_prober *prober, const char *cache_dir, const char *fingerprint, struct accel *ret, struct error *err)
{
	double round_ns = 0;
	int rc = prober->device(prober->arg, err);

	if (rc == 0)
		rc = prober->speed(prober->arg, &round_ns, err);
	if (rc == 0 && round_ns >= KVM_PROBE_USABLE_NS)
		rc = error_set(err, ENODEV, "/dev/kvm emulates guest code: %.0f ns a round of a loop, hardware needs less than %.0f",
			       round_ns, KVM_PROBE_USABLE_NS);
	if (rc == 0)
		rc = prove_by_boot(prober, cache_dir, fingerprint, ret, err);
	if (rc < 0)
		return rc;
	ret->name = "kvm";
	snprintf(ret->reason, sizeof(ret->reason), "%s (loop: %.1f ns a round)",
		 ret->proven ? "a guest booted with it" : "runs guest code on the hardware", round_ns);
	return 0;
}

int accel_decide(enum vm_accel_wish wish, const struct accel_prober *prober, const char *cache_dir, const char *fingerprint,
		 struct accel *ret, struct error *err)
{
	struct accel found = {.name = "tcg"};
	struct error why = {0};

	if (wish == VM_ACCEL_TCG) {
		snprintf(found.reason, sizeof(found.reason), "asked for");
		*ret = found;
		return 0;
	}

	int rc = prove(prober, cache_dir, fingerprint, &found, &why);

	if (rc < 0 && wish == VM_ACCEL_KVM) {
		error_set(err, -rc, "KVM was asked for and cannot be used: %s", why.message);
		return error_hint(err, "%s", why.hint[0] ? why.hint : "use accel=tcg, or a host with hardware virtualisation");
	}
	if (rc < 0) {
		found = (struct accel){.name = "tcg"};
		snprintf(found.reason, sizeof(found.reason), "%.250s", why.message);
	}
	*ret = found;
	return 0;
}

void accel_fingerprint(const char *root, const char *qemu, const char *guest_kernel, char *ret, size_t size)
{
	char cpuinfo[16384] = "", model[128] = "unknown", device[PATH_MAX];
	struct utsname host;
	struct stat st = {0};

	uname(&host);
	/* The first processor tells; a machine with more of them has more text than fits, and that is fine. */
	_cleanup_fclose_ FILE *f = path_format(device, sizeof(device), NULL, "%s/proc/cpuinfo", root) == 0 ? fopen(device, "re") : NULL;

	if (f && fread(cpuinfo, 1, sizeof(cpuinfo) - 1, f) > 0)
		text_field(cpuinfo, "model name", model, sizeof(model));
	if (path_format(device, sizeof(device), NULL, "%s/dev/kvm", root) < 0 || stat(device, &st) < 0)
		st.st_rdev = 0;
	snprintf(ret, size, "host=%s cpu=%s kvm=%u:%u qemu=%s kernel=%s", host.release, model, major(st.st_rdev), minor(st.st_rdev), qemu,
		 guest_kernel);
}
