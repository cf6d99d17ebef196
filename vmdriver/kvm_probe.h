/* Does /dev/kvm run guest code on the hardware? Opening it proves nothing: some hosts offer a device that emulates each instruction of a
 * guest's kernel, a thousand times slower, and a stock kernel then needs minutes.
 *
 * A forked child sets up the smallest guest in 64-bit kernel mode through the raw interface and times a loop of a million rounds, and that
 * alone: making the guest may take its time on a large host. A loop that does not end soon is interrupted and its rounds are counted. The parent
 * kills the child at a hard limit. Nothing is left behind, nothing can hang. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>

/* The loop is code of x86. On other hosts there is none, and a boot is the only proof. */
#if defined(__x86_64__)
#define KVM_PROBE_HAS_LOOP true
#else
#define KVM_PROBE_HAS_LOOP false
#endif

enum {
	KVM_PROBE_ROUNDS = 1000000,
	KVM_PROBE_LOOP_MS = 100,  /* then the loop is interrupted */
	KVM_PROBE_LIMIT_MS = 700, /* for all of it, then the child is killed */
	KVM_PROBE_REAP_MS = 250,  /* for a killed child to be gone */
};

/* A round of two instructions: below 1 ns on hardware, above 500 ns where it is emulated. */
#define KVM_PROBE_USABLE_NS 20.0

/* Opens the device for reading and writing and asks for its interface version. The hint of an error is the remedy for just that. */
int kvm_probe_device(const char *path, struct error *err);

/* Nanoseconds a round of the loop, also where they are far too many. An error when the device cannot run it or gives no figure within
 * the limit; -ENOTSUP where there is no loop. */
int kvm_probe_speed(const char *path, double *ret_round_ns, struct error *err);
