/* What QEMU and libvirt do on the way to a running guest, seen from outside: nothing in the guest is changed for it.
 *
 * vCPUs: QEMU traces the moment at which it sets them running (-trace); libvirt comes back from its call some milliseconds later.
 *
 * Kernel entry: firmware fetches kernel, initramfs and command line through QEMU's fw_cfg device, and jumps to the kernel right after the last of
 * them. QEMU traces each such request (some forty lines a boot). Stamps are of the time of day, and are taken back to CLOCK_MONOTONIC. Without
 * firmware that loads a kernel (a boot loader on a disk, a machine whose kernel QEMU puts in place) there is nothing to see, and no mark.
 *
 * Process: libvirt writes QEMU's process number to a file when it has forked it; QEMU opens its trace while it reads its options, the first
 * thing that it does. inotify tells of both.
 *
 * Order of calls: boot_trace_init(), boot_trace_begin(), (poll, boot_trace_take())*, boot_trace_stamps(), boot_trace_done(). */
#pragma once

#include "trace_pipe.h"
#include "vm.h"

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct boot_trace {
	int fd;              /* inotify: readable when there is something to take; -1: not watched */
	int opened;          /* inotify's number for the opening of the trace */
	char path[PATH_MAX]; /* QEMU's trace, a FIFO; empty: none */
	struct trace_pipe pipe;
	char pid_name[128];          /* of the file with QEMU's process number */
	int64_t forked_ns, begun_ns; /* CLOCK_MONOTONIC; 0: not seen */
};

void boot_trace_init(struct boot_trace *trace);

/* Before QEMU is asked for. `path` is where QEMU shall write its trace (made here: a FIFO), or empty; `pid_dir` is where libvirt will write <name>.pid, or NULL when nobody
 * asks for the process's stamps. */
int boot_trace_begin(struct boot_trace *trace, const char *path, const char *pid_dir, const char *name, struct error *err);

/* Stamps what inotify tells; returns at once. */
void boot_trace_take(struct boot_trace *trace);

/* What QEMU's trace has told so far, on CLOCK_MONOTONIC. */
void boot_trace_stamps(struct boot_trace *trace, struct vm_stamps *ret);

/* Releases, and removes the trace. Fine after init alone. */
void boot_trace_done(struct boot_trace *trace);

/* ---- for tests ---- */

/* The same from the text of a trace, as it stands there: nanoseconds of the time of day. */
void boot_trace_parse(const char *text, struct vm_stamps *ret);
