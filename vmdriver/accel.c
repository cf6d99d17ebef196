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

/* ---- what is remembered: a file with a line "usable: <fingerprint>" for each success, the newest first ---- */

enum { REMEMBERED_MAX = 8, REMEMBERED_BYTES = 8192 };

static const char usable[] = "usable: ";

static bool cache_path(const char *cache_dir, char *ret, size_t size)
{
	return cache_dir && path_format(ret, size, NULL, "%s/vm/capabilities/kvm-proof", cache_dir) == 0;
}

static const char *line_fingerprint(const char *line)
{
	return strncmp(line, usable, strlen(usable)) == 0 ? line + strlen(usable) : NULL;
}

static bool is_remembered(const char *cache_dir, const char *fingerprint)
{
	char path[PATH_MAX], text[REMEMBERED_BYTES], *state = NULL;

	if (!cache_path(cache_dir, path, sizeof(path)) || file_read("", path, text, sizeof(text), NULL) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		const char *known = line_fingerprint(line);

		if (known && strcmp(known, fingerprint) == 0)
			return true;
	}
	return false;
}

/* A cache that cannot be written costs the next run a boot, no more. */
static void remember(const char *cache_dir, const char *fingerprint)
{
	char path[PATH_MAX], old[REMEMBERED_BYTES] = "", text[REMEMBERED_BYTES], *state = NULL;
	int lines = 1;

	if (!cache_path(cache_dir, path, sizeof(path)))
		return;
	if (file_read("", path, old, sizeof(old), NULL) < 0)
		old[0] = '\0';

	size_t used = (size_t)snprintf(text, sizeof(text), "%s%s\n", usable, fingerprint);

	for (char *line = strtok_r(old, "\n", &state); line && lines < REMEMBERED_MAX; line = strtok_r(NULL, "\n", &state)) {
		if (!line_fingerprint(line) || used + strlen(line) + 2 > sizeof(text))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n", line);
		lines++;
	}
	if (used < sizeof(text))
		file_write_atomic(path, text, used, 0600, NULL);
}

/* ---- deciding ---- */

static int prove_by_boot(const struct accel_prober *prober, const char *cache_dir, const char *fingerprint, struct error *err)
{
	if (is_remembered(cache_dir, fingerprint))
		return 0;

	int rc = prober->boot(prober->arg, err);

	if (rc == 0) {
		remember(cache_dir, fingerprint);
		return 0;
	}
	error_prefix(err, "a guest does not boot with KVM");
	if (err && !err->hint[0])
		error_hint(err, "try another guest kernel (kernel=FILE) or machine type; the proof is tried again at each run");
	return rc;
}

/* The power of ten says it, and stays the same from look to look. */
static double order_of(double ns)
{
	double power = 1;

	while (power * 10 <= ns)
		power *= 10;
	return power;
}

static int prove(const struct accel_prober *prober, const char *cache_dir, const char *fingerprint, struct accel *ret, struct error *err)
{
	double round_ns = 0;
	int rc = prober->device(prober->arg, err);

	if (rc == 0 && prober->speed)
		rc = prober->speed(prober->arg, &round_ns, err);
	if (rc == 0 && round_ns >= KVM_PROBE_USABLE_NS)
		rc = error_set(err, ENODEV,
			       "/dev/kvm emulates guest code: a loop takes over %.0f ns a round, hardware needs less than %.0f",
			       order_of(round_ns), KVM_PROBE_USABLE_NS);
	if (rc < 0) {
		if (err && !err->hint[0])
			error_hint(err, "use another host, one where /dev/kvm reaches the hardware; here nothing can be switched on");
		return rc;
	}
	rc = prober->boot ? prove_by_boot(prober, cache_dir, fingerprint, err) : 0;
	if (rc < 0)
		return rc;
	ret->name = "kvm";
	ret->proven = prober->boot;
	if (prober->speed)
		snprintf(ret->reason, sizeof(ret->reason), "%s (loop: %.1f ns a round)",
			 ret->proven ? "a guest booted with it" : "runs guest code on the hardware", round_ns);
	else
		snprintf(ret->reason, sizeof(ret->reason), "%s",
			 ret->proven ? "a guest booted with it" : "/dev/kvm opens; a guest's boot is to prove it");
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
		return error_hint(err, "%.200s; or use accel=tcg", why.hint);
	}
	if (rc < 0) {
		snprintf(found.reason, sizeof(found.reason), "%.250s", why.message);
		snprintf(found.remedy, sizeof(found.remedy), "%s", why.hint);
	}
	*ret = found;
	return 0;
}

void accel_emulate(const char *guest_arch, struct accel *ret)
{
	struct utsname host;

	uname(&host);
	*ret = (struct accel){.name = "tcg"};
	snprintf(ret->reason, sizeof(ret->reason), "emulates another architecture: %s on %s", guest_arch, host.machine);
}

void accel_fingerprint(const char *root, const struct accel_subject *subject, char *ret, size_t size)
{
	char cpuinfo[16384] = "", model[128] = "unknown", path[PATH_MAX];
	struct utsname host;
	struct stat st = {0};

	uname(&host);
	/* The first processor tells; a machine with more of them has more text than fits, and that is fine. */
	_cleanup_fclose_ FILE *f = path_format(path, sizeof(path), NULL, "%s/proc/cpuinfo", root) == 0 ? fopen(path, "re") : NULL;

	if (f && fread(cpuinfo, 1, sizeof(cpuinfo) - 1, f) > 0)
		text_field(cpuinfo, "model name", model, sizeof(model));
	if (path_format(path, sizeof(path), NULL, "%s/dev/kvm", root) < 0 || stat(path, &st) < 0)
		st.st_rdev = 0;
	snprintf(ret, size, "machine=%s qemu=%s libvirt=%s uri=%s host=%s cpu=%s kvm=%u:%u kernel=%s", subject->machine, subject->qemu,
		 subject->libvirt, subject->uri, host.release, model, major(st.st_rdev), minor(st.st_rdev), subject->guest_kernel);
	for (char *p = ret; *p; p++)
		if (*p == '\n')
			*p = ' ';
}
