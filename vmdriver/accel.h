/* Which accelerator a guest runs on. KVM counts only when it is proven: the device opens, a loop runs at the speed of hardware, and a guest
 * boots. The last proof costs a boot, so its verdict is kept in the cache, by a fingerprint of all that it depends on. */
#pragma once

#include "vm.h"

#include <bench/error.h>

#include <stddef.h>

/* The three proofs, cheapest first; each returns 0 or -errno with the reason. Replaced in tests. */
struct accel_prober {
	int (*device)(void *arg, struct error *err);
	int (*speed)(void *arg, double *ret_round_ns, struct error *err);
	int (*boot)(void *arg, struct error *err); /* NULL: not asked for here, a doctor's quick look */
	void *arg;
};

struct accel {
	const char *name; /* "kvm" or "tcg" */
	char reason[256];
	bool proven; /* by a boot, now or as the cache remembers */
};

/* Decides. VM_ACCEL_KVM that is not usable is an error with a remedy; otherwise there is always an answer. `cache_dir` may be NULL. */
int accel_decide(enum vm_accel_wish wish, const struct accel_prober *prober, const char *cache_dir, const char *fingerprint,
		 struct accel *ret, struct error *err);

/* All that the proof by a boot depends on, on one line: host kernel, CPU, device, and what the caller names (QEMU and guest kernel). */
void accel_fingerprint(const char *root, const char *qemu, const char *guest_kernel, char *ret, size_t size);
