/* Virtual machines through libvirt: one small guest an instance, whose PID 1 is a program of the caller's choice.
 *
 * Order of calls, all from one thread: vm_host_open(), (vm_start(), vm_stop())*, vm_host_close(). Opening is the expensive part (kernel,
 * initramfs, libvirt's look at QEMU, proof of the accelerator); it is paid once.
 *
 * Give this library a process of its own. It must have one thread when it opens; opening sets LIBVIRT_LOG_OUTPUTS, LC_ALL=C and XDG_*
 * in its environment, starts libvirt's threads, and moves root into a user namespace (account.h), all for the rest of its life; libvirt's embedded
 * driver allows one root folder a process, so another vm_host_open() needs the same run_dir. Its parent should be a child subreaper that
 * waits: libvirt looks for each QEMU to be collected, and some programs that are process 1 are slow to do that. The process itself must not be
 * the subreaper: nobody would collect while it waits for libvirt. Neither this library nor libvirt prints anything.
 *
 * Guest and host: the program is /init of an initramfs, finds its control stream at the tty named by the environment variable
 * BENCH_CONTROL, and ends the guest the way BENCH_POWEROFF says ("poweroff" or "reboot"). The kernel's console is a second
 * port, kept in memory and quoted by vm_diagnose().
 *
 * If the process dies, its machines live on: every QEMU, libvirt's probes included, has a path below run_dir on its command line,
 * by which a supervisor finds them. Does not do (yet): disks, networks, snapshots, remote hosts, other architectures. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VM_MACHINE_DEFAULT "q35"
#define VM_URI_EMBED       "qemu:///embed"

/* Smallest guest that is known to boot a distribution kernel with a small init; less is tried, and said when it fails. */
#define VM_MEMORY_KNOWN_GOOD INT64_C(80 << 20)

enum vm_accel_wish { VM_ACCEL_AUTO, VM_ACCEL_KVM, VM_ACCEL_TCG, VM_ACCEL_WISH_COUNT };

static const char *const vm_accel_wish_names[] = {"auto", "kvm", "tcg"};
_Static_assert(sizeof(vm_accel_wish_names) / sizeof(vm_accel_wish_names[0]) == VM_ACCEL_WISH_COUNT, "one name a wish");

/* What a machine boots: the program init_path alone, or a complete Debian with systemd, where that program is a service. */
enum vm_os {
	VM_OS_NONE,
	VM_OS_DIRECT,   /* QEMU starts the system's kernel */
	VM_OS_FIRMWARE, /* firmware, boot loader, and systemd's first start of this system */
};

struct vm_options {
	const char *uri;       /* NULL: qemu:///embed, libvirt's driver inside this process, no daemon */
	const char *machine;   /* NULL: q35; or "microvm" */
	const char *kernel;    /* path; NULL: the host's own, else a distribution's, downloaded */
	const char *append;    /* more kernel command line, or NULL */
	const char *init_path; /* static program that becomes PID 1 of the guest */
	const char *run_dir;   /* exists, private, at most VM_RUN_DIR_MAX characters; all files go to <run_dir>/vm */
	const char *
		cache_dir; /* exists; kernels, libvirt's findings, proofs go to <cache_dir>/vm; may be read-only while nothing new is needed */
	const char *cpuset; /* host CPUs of the whole machine in list format, or NULL */
	int64_t memory_bytes;
	int vcpus;
	enum vm_accel_wish accel;
	void (*note)(void *arg, const char *text); /* progress of long work; may be NULL */
	void *note_arg;
	enum vm_os os;
};

enum { VM_RUN_DIR_MAX = 46 };

/* What was found and decided. */
struct vm_facts {
	const char *accelerator; /* "kvm" or "tcg" */
	char accelerator_reason[256];
	char accelerator_remedy[256]; /* what would make KVM usable, or empty */
	char machine[32];             /* as it was asked for: "q35" */
	char machine_full[64];        /* as QEMU gets it: "pc-q35-7.2"; empty where no QEMU is behind the connection */
	char cpu_model[64];           /* "host-passthrough", "qemu64"; likewise */
	char uri[128];                /* without the root of the embedded driver */
	char kernel_version[128];
	char kernel_source[256]; /* where the kernel file came from */
	char command_line[512];  /* the guest kernel's */
	char qemu_version[32], libvirt_version[32];
	bool cache_unwritable; /* what was found out is not kept, the next run looks again */
	char os_release[96];   /* of a complete system, else empty */
	int64_t os_packages, image_virtual_bytes, image_allocated_bytes;
	bool without_root; /* this process was root, and left that for libvirt's sake (account.h) */
};

struct vm_host;
struct vm;

/* A running machine as the caller sees it; valid until vm_stop(). Stamps are nanoseconds of the host's CLOCK_MONOTONIC. */
struct vm_view {
	int control_fd;      /* both ways, blocking, owned by the machine */
	pid_t pid;           /* of QEMU */
	int64_t launched_ns; /* QEMU had connected to its control stream */
	int64_t resumed_ns;  /* libvirt had set the vCPUs running */
};

/* Connects and prepares. On failure nothing stays behind but what is worth keeping in cache_dir. */
int vm_host_open(const struct vm_options *options, struct vm_host **ret, struct error *err);
const struct vm_facts *vm_host_facts(const struct vm_host *host);
/* Ends what still runs and removes <run_dir>/vm. NULL is fine. */
void vm_host_close(struct vm_host *host);

/* Starts a machine and returns when its vCPUs run. `id` is unique on this connection. Gives up at deadline_ns (-ETIMEDOUT), even when
 * libvirt hangs. On failure nothing of it is left. */
int vm_start(struct vm_host *host, const char *id, int64_t deadline_ns, struct vm **ret, struct error *err);
const struct vm_view *vm_view(const struct vm *vm);

/* Why did the machine end or fall silent? One line ("guest kernel panicked: …"), never empty. */
void vm_diagnose(struct vm *vm, char *ret, size_t size);

/* Ends the machine at once, as by pulling the plug, waits until QEMU and libvirt's record of it are gone, and frees it. NULL is fine. */
int vm_stop(struct vm *vm, struct error *err);

/* Could vm_host_open() work here? In well under a second, without booting and without leaving anything. */
enum vm_verdict { VM_YES, VM_LIMITED, VM_NO };
enum vm_verdict vm_host_probe(const struct vm_options *options, char *ret_reason, size_t reason_size, char *ret_remedy, size_t remedy_size);
