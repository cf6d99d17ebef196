/* Which accelerator a guest runs on. KVM counts only when it is proven: the device opens, a loop runs at the speed of hardware, and a guest
 * boots. The last proof costs a boot, so a success is kept in the cache, by a fingerprint of all that it depends on. A failure never is: what
 * was in the way (a full disk, a busy host, no rights) may be gone the next time, and nobody would look into a cache for it. */
#pragma once

#include "vm.h"

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>

/* The three proofs, cheapest first; each returns 0 or -errno with the reason and, where there is one, the remedy. Replaced in tests. */
struct accel_prober {
	int (*device)(void *arg, struct error *err);
	int (*speed)(void *arg, double *ret_round_ns,
		     struct error *err);           /* NULL: there is no such proof here, or it is another host: its boot must do */
	int (*boot)(void *arg, struct error *err); /* NULL: not asked for here, a doctor's quick look */
	void *arg;
};

struct accel {
	const char *name; /* "kvm" or "tcg" */
	char reason[256];
	char remedy[256]; /* what would make KVM usable, when it is not and was not declined; else empty */
	bool proven;      /* by a boot, now or as the cache remembers */
};

/* Decides. VM_ACCEL_KVM that is not usable is an error with a remedy; otherwise there is always an answer. `cache_dir` may be NULL. */
int accel_decide(enum vm_accel_wish wish, const struct accel_prober *prober, const char *cache_dir, const char *fingerprint,
		 struct accel *ret, struct error *err);

/* A guest of another architecture than the host's: always TCG, and nothing is probed. */
void accel_emulate(const char *guest_arch, struct accel *ret);

/* What the boot of the proof consists of, beside the host. Nothing here is the user's choice of a single run, except the machine. */
struct accel_subject {
	const char *machine, *qemu, *libvirt, *uri, *guest_kernel;
};

/* All that the proof by a boot depends on, on one line: host kernel, CPU, device, and the subject. */
void accel_fingerprint(const char *root, const struct accel_subject *subject, char *ret, size_t size);
