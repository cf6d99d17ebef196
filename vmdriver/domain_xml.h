/* libvirt's description of a machine, built from a plain struct. Pure: the same struct gives the same text. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DOMAIN_SERIALS_MAX = 4, DOMAIN_DISKS_MAX = 4 };

/* A virtio disk from an image. Limits are per second; 0: none. */
struct domain_disk {
	const char *path, *target; /* "vda" */
	bool read_only;
	bool private_changes; /* what is written goes to a file of QEMU's own that ends with it; the image stays as it is */
	int64_t read_bytes, write_bytes, read_ops, write_ops;
	const char *format; /* NULL: raw; "qcow2", a layer over another image that its header names */
	const char *cache;  /* libvirt's word for how QEMU goes through the host's page cache; NULL: QEMU's default, "writeback" */
	const char *serial; /* by which the guest finds it, at most 20 characters; or NULL */
	bool report_errors; /* to the guest, which gets EIO; else a full host stops the machine */
};

enum domain_link_kind { DOMAIN_LINK_NONE, DOMAIN_LINK_USER, DOMAIN_LINK_TAP };

struct domain_link {
	enum domain_link_kind kind;
	const char *tap; /* an existing tap of ours, which libvirt does not manage */
	const char *mac; /* NULL: libvirt chooses */
	bool vhost;      /* of a tap: the kernel carries its packets, or starting fails; else QEMU does */
};

enum domain_share_kind { DOMAIN_SHARE_NONE, DOMAIN_SHARE_VIRTIOFS, DOMAIN_SHARE_9P };

/* A folder of the host's, by whose tag the guest mounts it. */
struct domain_share {
	enum domain_share_kind kind;
	const char *socket; /* virtiofs: where a virtiofsd of ours listens; the guest's memory is then shared memory */
	const char *folder; /* 9p: QEMU serves it, read-only */
	const char *tag;
};

struct domain_config {
	const char *name;
	const char *type;        /* libvirt's domain type: "kvm", "qemu" (its word for TCG) or "test" */
	const char *machine;     /* "q35", "microvm", "virt"; NULL: QEMU's default */
	const char *arch;        /* NULL: x86_64; "aarch64" */
	const char *cpu_model;   /* NULL: QEMU's default; e.g. "cortex-a72" */
	const char *cpu_feature; /* that the model gets beside its own; NULL: none */
	int64_t memory_bytes;
	int vcpus;
	const char *cpuset;                      /* list format; NULL or empty: not bound */
	const char *kernel, *initrd, *cmdline;   /* NULL: left out */
	const char *serials[DOMAIN_SERIALS_MAX]; /* unix sockets that QEMU connects to; [0] is the guest's ttyS0, [1] ttyS1 or ttyAMA0 */
	size_t n_serials;
	const char
		*channel; /* name of a virtio port that libvirt carries to its client, with the console at ttyS1; NULL: serials instead */
	struct domain_disk disks[DOMAIN_DISKS_MAX];
	size_t n_disks;
	struct domain_link link;
	struct domain_share share;
	const char *firmware, *nvram;                    /* pflash images (UEFI), or NULL: the machine's own firmware */
	bool balloon;                                    /* a virtio balloon, for its statistics and to change the memory */
	int64_t cpu_period_us, cpu_quota_us, cpu_shares; /* 0: none; libvirt needs cgroups of its own for these */
	bool host_cpu;                                   /* the host's CPU model; needs hardware virtualisation */
	bool few_capabilities;                           /* drop a capability whose queries cost 0.3 s a start, see domain_xml.c */
	bool keep_owner;                                 /* a privileged daemon runs QEMU as uid:gid, and changes the owner of no file */
	uid_t uid;
	gid_t gid;
	const char *uuid;  /* NULL: libvirt chooses */
	const char *trace; /* file for QEMU's trace of a start (boot_trace.h), or NULL */
};

/* The caller frees the text. */
int domain_xml(const struct domain_config *config, char **ret, struct error *err);
