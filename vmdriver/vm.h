/* Virtual machines through libvirt: one small guest an instance, whose PID 1 is a program of the caller's choice.
 *
 * Order of calls, all from one thread: vm_host_open(), (vm_start(), vm_stop())*, vm_host_close(). Opening is the expensive part (kernel,
 * initramfs, libvirt's look at QEMU, proof of the accelerator); it is paid once.
 *
 * Give this library a process of its own. It must have one thread when it opens; opening sets LIBVIRT_LOG_OUTPUTS, LC_ALL=C and XDG_*
 * in its environment, starts libvirt's threads, moves root into a user namespace (account.h), and confines the process (confine.h), all for the rest of its life; libvirt's embedded
 * driver allows one root folder a process, so another vm_host_open() needs the same run_dir, and what it reads must be what the first one read. Its parent should be a child subreaper that
 * waits: libvirt looks for each QEMU to be collected, and some programs that are process 1 are slow to do that. The process itself must not be
 * the subreaper: nobody would collect while it waits for libvirt. Neither this library nor libvirt prints anything.
 *
 * Guest and host: the program is /init of an initramfs, finds its control stream at the tty named by the environment variable
 * BENCH_CONTROL, and ends the guest the way BENCH_POWEROFF says ("poweroff" or "reboot"). The kernel's console is a second
 * port, kept in memory and quoted by vm_diagnose().
 *
 * If the process dies, its machines live on: every QEMU, libvirt's probes included, and every virtiofsd has a path below run_dir on its command line,
 * by which a supervisor finds them; what a daemon holds bears a mark, see vm_undo(). A guest of another architecture than the host's is emulated, with a
 * kernel and a program of its own. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VM_URI_EMBED     "qemu:///embed"
#define VM_SHARE_PROGRAM "virtiofsd" /* the program that a machine may have beside QEMU */

/* Smallest guest that is known to boot a distribution kernel with a small init; less is tried, and said when it fails. */
#define VM_MEMORY_KNOWN_GOOD INT64_C(80 << 20)

enum vm_accel_wish { VM_ACCEL_AUTO, VM_ACCEL_KVM, VM_ACCEL_TCG, VM_ACCEL_WISH_COUNT };

static const char *const vm_accel_wish_names[] = {"auto", "kvm", "tcg"};
_Static_assert(sizeof(vm_accel_wish_names) / sizeof(vm_accel_wish_names[0]) == VM_ACCEL_WISH_COUNT, "one name a wish");

/* NONE: no interface; USER: QEMU's own carrier, which reaches what the user reaches and cannot be reached; BRIDGE: a tap on a bridge of ours
 * (network/network.h), embedded driver and root alone. */
enum vm_network { VM_NETWORK_NONE, VM_NETWORK_USER, VM_NETWORK_BRIDGE, VM_NETWORK_COUNT };

static const char *const vm_network_names[] = {"none", "user", "bridge"};
_Static_assert(sizeof(vm_network_names) / sizeof(vm_network_names[0]) == VM_NETWORK_COUNT, "one name a network");

struct journal;

/* What a machine boots: the program init_path alone, or a complete Debian with systemd, where that program is a service. */
enum vm_os {
	VM_OS_NONE,
	VM_OS_DIRECT,   /* QEMU starts the system's kernel */
	VM_OS_FIRMWARE, /* firmware, boot loader, and systemd's first start of this system */
};

/* AUTO: unpacked by the host where that can be done, which starts faster (kernel_form.h); a complete system keeps its own form. */
enum vm_kernel_form { VM_KERNEL_AUTO, VM_KERNEL_BZIMAGE, VM_KERNEL_VMLINUX, VM_KERNEL_COUNT };

/* What the guest's kernel leaves out of its start, by its command line. Each changes what is compared, and is named in a result. */
enum vm_tune {
	VM_TUNE_OFF,
	VM_TUNE_START, /* work of the start alone, which weakens nothing: the self-tests of its ciphers, its patching of itself for one processor */
	VM_TUNE_ALL, /* and what protects it: mitigations, memory zeroed before use; and what this start needs no part of */
	VM_TUNE_COUNT
};

static const char *const vm_tune_names[] = {"off", "start", "all"};
_Static_assert(sizeof(vm_tune_names) / sizeof(vm_tune_names[0]) == VM_TUNE_COUNT, "one name a degree");

static const char *const vm_kernel_names[] = {"auto", "bzimage", "vmlinux"};
_Static_assert(sizeof(vm_kernel_names) / sizeof(vm_kernel_names[0]) == VM_KERNEL_COUNT, "one name a form");
/* Where the root file system of the guest's program is: with the program in the initramfs; on a disk with a file system, made from a folder or an image; the folder
 * itself, which the host shares read-only: by a virtiofsd of each machine's own, or by QEMU. */
enum vm_root {
	VM_ROOT_PROGRAM,
	VM_ROOT_INITRAMFS,
	VM_ROOT_EXT4,
	VM_ROOT_SQUASHFS,
	VM_ROOT_EROFS,
	VM_ROOT_VIRTIOFS,
	VM_ROOT_9P,
	VM_ROOT_COUNT
};

static const char *const vm_root_names[] = {"program", "initramfs", "ext4", "squashfs", "erofs", "virtiofs", "9p"};
_Static_assert(sizeof(vm_root_names) / sizeof(vm_root_names[0]) == VM_ROOT_COUNT, "one name a root");

/* Of each disk that a machine has, per second; 0: none. */
struct vm_io_limits {
	int64_t read_bytes, write_bytes, read_ops, write_ops;
};

struct vm_options {
	const char *uri;       /* NULL: qemu:///embed, libvirt's driver inside this process, no daemon; may lead to another host */
	const char *pool;      /* NULL: "default"; of another host, the storage pool that takes kernel and initramfs */
	const char *mark;      /* "bench-0123abcd-0" (mark.h), what is made at a daemon bears it; NULL: a random one */
	const char *arch;      /* NULL: the host's; "x86_64", "aarch64" (arch.h) */
	const char *machine;   /* NULL: q35, or what the architecture has; or "microvm" */
	const char *kernel;    /* path; NULL: the host's own, else a distribution's, downloaded */
	const char *append;    /* more kernel command line, or NULL */
	const char *init_path; /* static program that becomes PID 1 of the guest, of its architecture */
	const char *
		runtime_path; /* another static program, put beside it as BENCH_RUNTIME says: it takes over when init_path has made a system; or NULL */
	const char *runtime_words; /* what that program is told, as BENCH_CONTAINER: no blanks, no quotes */
	const char *run_dir;       /* exists, private, at most VM_RUN_DIR_MAX characters; all files go to <run_dir>/vm */
	const char *
		cache_dir; /* exists; kernels, libvirt's findings, proofs go to <cache_dir>/vm; may be read-only while nothing new is needed */
	const char *cpuset; /* host CPUs of the whole machine in list format, or NULL */
	int64_t memory_bytes;
	int vcpus;
	enum vm_accel_wish accel;
	void (*note)(void *arg, const char *text); /* progress of long work; may be NULL */
	void *note_arg;
	/* Start from a saved state: one machine is booted in vm_host_open(), and saved once `ready` returns 0, which asks the guest's program over its
	 * control stream. Every vm_start() then restores it: the program goes on where it was, and says nothing of itself. Embedded driver only. */
	bool restore;
	int (*ready)(void *arg, int control_fd, int64_t deadline_ns, struct error *err);
	void *ready_arg;
	bool trace_guest;   /* let QEMU stamp when the vCPUs run and when the kernel begins, where that can be seen (boot_trace.h) */
	bool trace_process; /* stamp when libvirt forked QEMU and when QEMU began */
	enum vm_network network;
	const char *bridge;      /* name of the bridge, shared by all who name it; NULL: one of this host object's own */
	const char *cgroup_name; /* of a group that is made for this host object's machines; NULL: QEMU stays where it is started */
	bool cgroup_required;    /* fail where a limit cannot be had, instead of noting it */
	int cpu_percent;         /* what all threads of QEMU may use, of one CPU; 0: not limited. This and the next need cgroup_name */
	int cpu_weight;          /* 1 … 10,000; 0: 100 */
	int64_t overhead_bytes;  /* QEMU's memory is limited to the guest's and this; 0: counted, not limited */
	int64_t balloon_bytes;   /* a balloon takes memory from the guest until it has only this; 0: no balloon */
	struct journal *journal; /* names links, groups, and the mark before they are made; NULL: nobody would undo them */
	enum vm_os os;
	const char *
		modules; /* more modules of the guest's kernel, names separated by blanks; "none": not even those that its devices need; or NULL */
	enum vm_kernel_form kernel_form;
	enum vm_tune tune;
	enum vm_root root;
	const char *const *root_layers; /* folders, bottom first, of what the root file system is made from; none with VM_ROOT_PROGRAM */
	size_t n_root_layers;
	bool root_overlay; /* what is written to the root file system goes to the guest's memory; else it is read-only. Of a disk or a shared folder */
	int64_t scratch_bytes; /* of an empty disk "bench-scratch", a file of each machine's own in run_dir; 0: none */
	bool scratch_direct;   /* past the host's page cache */
	struct vm_io_limits io;
};

enum { VM_RUN_DIR_MAX = 46 };

/* What was found and decided. */
struct vm_facts {
	const char *accelerator; /* "kvm" or "tcg" */
	char accelerator_reason[256];
	char accelerator_remedy[256]; /* what would make KVM usable, or empty */
	char arch[16];                /* the guest's: "x86_64" */
	char machine[32];             /* as it was asked for: "q35" */
	char machine_full[64];        /* as QEMU gets it: "pc-q35-7.2"; empty where no QEMU is behind the connection */
	char cpu_model[64];           /* "host-passthrough", "qemu64,arat=on"; likewise */
	char uri[256];                /* without the root of the embedded driver */
	char kernel_version[128];
	char kernel_source[256]; /* where the kernel file came from */
	char command_line[512];  /* the guest kernel's */
	char qemu_version[32], libvirt_version[32];
	bool cache_unwritable;  /* what was found out is not kept, the next run looks again */
	bool daemon, remote;    /* a daemon of libvirt's makes the machines; it is reached over a network */
	bool without_root;      /* this process was root, and left its capabilities for libvirt's sake (account.h) */
	bool kept_root;         /* it could not: libvirt and QEMU are root's, and not confined */
	char confined[40];      /* what Landlock keeps from libvirt and QEMU (confine.h), or empty */
	int64_t snapshot_bytes; /* of the saved state; 0: machines are booted */
	int64_t snapshot_boot_ns, snapshot_save_ns;
	bool traced;                  /* QEMU stamps vCPUs and kernel */
	char network[128];            /* "none", or what it is and what carries its packets */
	char cgroup[96], limits[128]; /* of QEMU: controllers, and limits; "none" */
	char cgroup_note[256];        /* which limits are missing and why, or empty */
	char os_release[96];          /* of a complete system, else empty */
	int64_t os_packages, image_virtual_bytes, image_allocated_bytes;
	char kernel_form[80];
	char init_sha256[65];               /* of the program init_path, as it is in the initramfs */
	char modules[512];                  /* that the guest's init loads, in that order; "none" */
	char root[160];                     /* of the guest's program: "program", or the image and how it is mounted */
	char root_key[40];                  /* of the image, or empty */
	char share_version[96];             /* of what serves a shared folder, or empty */
	int64_t root_bytes;                 /* of the image */
	char scratch[64], disk_limits[128]; /* "none" */
};

struct vm_host;
struct vm;

/* A running machine as the caller sees it; valid until vm_stop(). Stamps are nanoseconds of the host's CLOCK_MONOTONIC. */
enum { VM_HELPERS_MAX = 4 };

struct vm_view {
	int control_fd;                /* both ways, blocking, owned by the machine */
	pid_t pid;                     /* of QEMU; 0: it is on another host */
	int64_t launched_ns;           /* QEMU had connected to its control stream; 0: likewise */
	int64_t resumed_ns;            /* libvirt had set the vCPUs running */
	int64_t created_ns;            /* libvirt had made the machine, still paused */
	int64_t forked_ns;             /* libvirt had forked QEMU; 0: not asked for, or not seen */
	int64_t begun_ns;              /* QEMU read its options; likewise */
	char memory_dir[256];          /* the folder of the control group that counts QEMU's memory, or empty */
	pid_t helpers[VM_HELPERS_MAX]; /* processes beside QEMU that serve this machine alone: its virtiofsd */
	size_t n_helpers;
	char address[20]; /* the guest's ("10.88.0.2"), or empty */
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

/* What QEMU stamped itself, on CLOCK_MONOTONIC; 0: not asked for, not seen, or not yet. */
struct vm_stamps {
	int64_t running_ns; /* it set the vCPUs running; resumed_ns is when libvirt said so */
	int64_t kernel_ns;  /* firmware had loaded the kernel, and went to it; never in a restored machine */
};

void vm_stamps(struct vm *vm, struct vm_stamps *ret);

/* Memory of a running machine, bytes; -1: not known. A look at it takes milliseconds. */
struct vm_memory {
	int64_t ram_bytes;            /* of the guest's memory, what the host has given it so far */
	int64_t vmm_pss_bytes;        /* PSS of QEMU without the guest's memory */
	int64_t balloon_bytes;        /* what the balloon leaves to the guest, where there is one */
	int64_t balloon_unused_bytes; /* what the guest told its balloon to have free */
};

void vm_memory(struct vm *vm, struct vm_memory *ret);
/* Lets the guest's balloon take or give memory until it has so much; the guest does that in its own time. Needs balloon_bytes among the options. */
int vm_set_memory(struct vm *vm, int64_t bytes, struct error *err);

/* Is QEMU gone, or within so many milliseconds? Its streams end a moment before it. */
bool vm_has_ended(struct vm *vm, int within_ms);

/* Why did the machine end or fall silent? One line ("guest kernel panicked: …"), never empty. */
void vm_diagnose(struct vm *vm, char *ret, size_t size);

/* Ends the machine at once, as by pulling the plug, waits until QEMU and libvirt's record of it are gone, and frees it. NULL is fine. */
int vm_stop(struct vm *vm, struct error *err);

/* Could vm_host_open() work here? In well under a second, without booting and without leaving anything. */
enum vm_verdict { VM_YES, VM_LIMITED, VM_NO };
enum vm_verdict vm_host_probe(const struct vm_options *options, char *ret_reason, size_t reason_size, char *ret_remedy, size_t remedy_size);

/* What is left at a daemon after a run whose process died: machines, and volumes on another host. `argument` is that of a JOURNAL_DOMAIN entry. In a
 * process apart, with a time limit. That a daemon of this host does not run is success: it has no machine without a QEMU, which is a process here. */
int vm_undo(const char *argument, struct error *err);
