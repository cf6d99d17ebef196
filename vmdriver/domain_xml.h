/* libvirt's description of a machine, built from a plain struct. Pure: the same struct gives the same text. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { DOMAIN_SERIALS_MAX = 4 };

struct domain_config {
	const char *name;
	const char *type;    /* libvirt's domain type: "kvm", "qemu" (its word for TCG) or "test" */
	const char *machine; /* "q35", "microvm" */
	int64_t memory_bytes;
	int vcpus;
	const char *cpuset;                      /* list format; NULL or empty: not bound */
	const char *kernel, *initrd, *cmdline;   /* NULL: left out */
	const char *serials[DOMAIN_SERIALS_MAX]; /* unix sockets that QEMU connects to; [0] is the guest's ttyS0 */
	size_t n_serials;
	bool host_cpu;         /* the host's CPU model; needs hardware virtualisation */
	bool few_capabilities; /* drop a capability whose queries cost 0.3 s a start, see domain_xml.c */
	bool keep_owner;       /* a privileged daemon runs QEMU as uid:gid, and changes the owner of no file */
	uid_t uid;
	gid_t gid;
};

/* The caller frees the text. */
int domain_xml(const struct domain_config *config, char **ret, struct error *err);
