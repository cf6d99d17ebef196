/* Does /dev/kvm run guest code on the hardware? Opening it proves nothing: some hosts offer a device that emulates each instruction of a
 * guest's kernel, a thousand times slower, and a stock kernel then needs minutes.
 *
 * A forked child sets up the smallest guest in 64-bit kernel mode through the raw interface and times a loop of a million rounds; the
 * parent gives it 100 ms, then kills it. Nothing is left behind, nothing can hang. */
#pragma once

#include <bench/error.h>

enum { KVM_PROBE_LIMIT_MS = 100, KVM_PROBE_ROUNDS = 1000000 };

/* A round of two instructions: below 1 ns on hardware, above 500 ns where it is emulated. */
#define KVM_PROBE_USABLE_NS 20.0

/* Opens the device for reading and writing and asks for its interface version. */
int kvm_probe_device(const char *path, struct error *err);

/* Nanoseconds a round of the loop. An error when the device cannot run it or not within the limit. */
int kvm_probe_speed(const char *path, double *ret_round_ns, struct error *err);
