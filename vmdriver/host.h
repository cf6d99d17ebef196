/* What the parts of this library share: the open connection with all that every machine of it has in common, and one machine. Private. */
#pragma once

#include "aide.h"
#include "arch.h"
#include "boot_trace.h"
#include "channel.h"
#include "connection.h"
#include "domain_xml.h"
#include "kernel.h"
#include "launch.h"
#include "mark.h"
#include "os_disk.h"
#include "share.h"
#include "snapshot.h"
#include "vm.h"

#include <limits.h>
#include <pthread.h>

struct vm_host {
	struct connection *connection;
	const struct arch *arch; /* the guest's */
	struct vm_facts facts;
	struct domain_config domain; /* template of every machine; its strings point into this struct or into constants */
	char dir[PATH_MAX];          /* <run_dir>/vm */
	char kernel[PATH_MAX], initramfs[PATH_MAX], cpuset[128];
	int64_t kernel_needs_bytes; /* as struct kernel_image says */
	unsigned create_flags;
	char mark[MARK_SIZE];      /* of what is made at a daemon; empty without one */
	char pool[128];            /* on another host, else empty */
	struct snapshot *snapshot; /* NULL: machines are booted */
	bool trace_guest, trace_process;
	int64_t balloon_bytes;         /* as in struct vm_options */
	struct aide *aide;             /* NULL: nothing is needed of root */
	bool wedged;                   /* libvirt did not come back from a call: nothing more is asked of it */
	struct os_disk os;             /* of machines with a complete system */
	char os_initrd[PATH_MAX];      /* its initramfs */
	char layer[PATH_MAX];          /* empty, over its disk: a copy for every machine */
	char root_initramfs[PATH_MAX]; /* with a whole tree in it, or empty */
	char root_disk[PATH_MAX];      /* in the cache, or empty */
	int64_t scratch_bytes;
	struct share_plan share;     /* of a root that virtiofs shares; without folder where there is none */
	char share_folder[PATH_MAX]; /* that QEMU shares itself, or empty */

	/* Written by libvirt's event thread. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct vm *vms; /* all that run */
	int event_id;   /* of the life cycle call-back, -1: none */
};

struct vm {
	struct vm_host *host;
	struct vm *next;
	struct vm_view view;
	virDomainPtr domain;
	int pidfd;        /* of QEMU, -1 while unknown */
	int listeners[2]; /* control, console */
	char paths[2][PATH_MAX];
	struct console console;
	struct stream *streams[LAUNCH_STREAMS]; /* of a machine on another host */
	struct boot_trace trace;
	char name[80];                                  /* libvirt's */
	char command_line[640], mac[18], tap[IFNAMSIZ]; /* what is its own of the description */
	int ended;                                      /* virDomainEventStoppedDetailType, -1 while it runs; under host->mutex */
	char layer[PATH_MAX];                           /* what this machine writes to its disk, or empty */
	char scratch[PATH_MAX];                         /* its empty disk, or empty */
	struct share share;                             /* its virtiofsd; `died` and `watch` under host->mutex */
};

/* Parts of vm.c for vm_end.c: puts a machine into the host's list or takes it out; closes its streams, removes its files, frees it. */
void machine_enlist(struct vm *vm, bool in);
void machine_free(struct vm *vm);

/* Where the QEMU of this architecture is, as libvirt looks for it; -ENOENT with the remedy when it is not installed. */
int host_find_qemu(const struct arch *arch, struct error *err);

/* Frequency of this host's time stamp counter; 0: not known. Takes 20 ms. */
uint64_t host_tsc_khz(void);

/* Writes the guest's kernel command line for this machine type and accelerator. `khz`: of the counter of the host that runs it, where that is known, else 0. */
int host_command_line(const struct arch *arch, const char *machine, bool tcg, uint64_t khz, enum vm_tune tune, const char *append,
		      char *ret, size_t size, struct error *err);

/* What a guest's runtime is told, behind a command line. */
int host_tell_runtime(const struct vm_options *options, char *line, size_t size, struct error *err);

/* Tells the guest that its control stream is a port of virtio (LAUNCH_DEVICE). */
int host_tell_channel(char *line, size_t size, struct error *err);

/* Kills every QEMU and virtiofsd whose command line names a path below `dir`. */
void host_end_processes(const char *dir);

/* Registers for the end of machines, so that vm_diagnose() knows how one ended. */
int host_watch(struct vm_host *host, struct error *err);

/* ---- daemons, and other hosts (host_daemon.c) ---- */

int host_check_daemon(const struct vm_options *options, struct error *err);
/* Names in the journal what will be made at a daemon. Nothing to do without one. */
int host_mark(struct vm_host *host, const struct vm_options *options, struct error *err);
/* Copies kernel and initramfs to another host; host->kernel and host->initramfs are then paths there. */
int host_upload(struct vm_host *host, struct error *err);
void host_remove_uploads(struct vm_host *host);
/* How libvirt calls a machine. */
void host_name_machine(const struct vm_host *host, const char *id, char *ret, size_t size);

/* Fills in what depends on the accelerator. */
int host_set_domain(struct vm_host *host, const struct vm_options *options, bool kvm, struct error *err);

/* Asks libvirt whether it takes the description, and notes what it makes of it in the facts. */
int host_settle_description(struct vm_host *host, struct error *err);

/* Decides between KVM and TCG, by a boot if need be, and sets description and facts accordingly. The connection is open and a description
 * for TCG is settled. */
int host_choose_accelerator(struct vm_host *host, const struct vm_options *options, struct error *err);

/* The machine of the proof by a boot: nothing in it is the user's choice but the machine type. The strings are borrowed. */
void host_proof_domain(const struct vm_host *host, int64_t kernel_needs_bytes, const char *kernel, const char *command_line,
		       struct domain_config *ret);

/* The fields of options that can be wrong by themselves; nothing is touched. */
int host_check_options(const struct vm_options *options, struct error *err);

/* Starts the aide where these options need one. Before root is left. */
int host_open_aide(struct vm_host *host, const struct vm_options *options, struct error *err);

/* Chooses the kernel and puts it into host->kernel, in the form that is asked for. */
int host_prepare_kernel(struct vm_host *host, const struct vm_options *options, struct error *err);

/* Writes the initramfs, with the modules that this guest needs for what it has (host_modules.c). */
int host_write_initramfs(struct vm_host *host, const struct vm_options *options, struct error *err);

/* The part of the description that is about the network and shared by all machines, and the fact. */
void host_set_network(struct vm_host *host, const struct vm_options *options);

/* Confines this process to what running these machines takes (confine.h); `capabilities`: where libvirt's findings are kept. One thread alone. */
int host_confine(struct vm_host *host, const struct vm_options *options, const char *capabilities, struct error *err);

/* Makes what one machine needs of root, and completes its description: tap, hardware address, what the guest is told. */
int host_prepare_surroundings(struct vm *vm, struct domain_config *config, struct error *err);

/* A process of this machine's, QEMU or what serves it, goes into its group. */
int host_admit(struct vm *vm, pid_t pid, struct error *err);

/* QEMU has ended. */
int host_release_surroundings(struct vm *vm, struct error *err);
/* ---- machines that boot a complete system (host_os.c) ---- */

int host_check_os(const struct vm_options *options, struct error *err);
int host_os_command_line(const struct vm_options *options, bool tcg, uint64_t khz, char *ret, size_t size, struct error *err);
/* What would be booted, in words. Changes nothing. */
int host_probe_os(const struct vm_options *options, char *ret, size_t size, struct error *err);
/* Finds or makes the disk, and the layer over it. host->dir exists. */
int host_prepare_os(struct vm_host *host, const struct vm_options *options, struct error *err);
/* Makes `layer` (a path, borrowed by `config`) and puts it into the description as the first disk. */
int host_add_os_disk(const struct vm_host *host, const char *layer, struct domain_config *config, struct error *err);

/* ---- disks of machines whose program is alone (host_disks.c) ---- */

int host_check_disks(const struct vm_options *options, struct error *err);
/* Are the tools there that making the image needs, unless it is in the cache? */
int host_probe_disks(const struct vm_options *options, struct error *err);
/* Finds or makes the image of the root file system. The initramfs is written. Before root is left. */
int host_prepare_disks(struct vm_host *host, const struct vm_options *options, struct error *err);
/* The part of the description that all machines share, and the facts. A disk without a path is each machine's own. */
void host_set_disks(struct vm_host *host, const struct vm_options *options);
/* Drivers that the guest needs for them: bits of enum module_feature. */
unsigned host_disk_modules(const struct vm_options *options);
/* What the guest's program is told about its root, behind a command line. */
int host_tell_root(const struct vm_options *options, char *line, size_t size, struct error *err);
/* Makes the disks that are one machine's own. */
int host_add_disks(struct vm *vm, struct domain_config *config, struct error *err);
/* ---- shared folders as root (host_share.c) ---- */

int host_check_share(const struct vm_options *options, struct error *err);
/* Is what serves the folder there? */
int host_probe_share(const struct vm_options *options, struct error *err);
int host_prepare_share(struct vm_host *host, const struct vm_options *options, struct error *err);
/* The part of the description that all machines share; the socket is each machine's own. */
void host_set_share(struct vm_host *host);
/* One machine: its virtiofsd begins; it is watched as soon as QEMU is known, and QEMU ends with it; it ends. */
int host_begin_share(struct vm *vm, struct domain_config *config, struct error *err);
int host_watch_share(struct vm *vm, struct error *err);
/* It failed, and QEMU is or will be ended for it: share_tell_end() has the reason. */
bool host_share_died(struct vm *vm);
void host_end_share(struct vm *vm);
