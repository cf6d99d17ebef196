/* Architectures of guests: what differs between them, in one table. A machine of the host's own runs by KVM or TCG, one of another by TCG alone. Pure. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>

struct arch {
	const char *name;        /* as uname, libvirt and QEMU call it: "x86_64", "aarch64" */
	const char *deb;         /* as Debian does: "amd64", "arm64" */
	const char *machines[3]; /* types of machines, the default first; NULL ends them */
	const char *emulator, *package;
	const char *console, *control; /* the guest's ttys: of the kernel, of the program init_path */
	const char *cpu_model;         /* under TCG */
	const char *cpu_feature;       /* which that model gets beside its own; NULL: none */
};

/* NULL or "": this host's own. An unknown one is an error with those that are known. */
int arch_find(const char *name, const struct arch **ret, struct error *err);

/* By its name; NULL: not one of ours. */
const struct arch *arch_by_name(const char *name);

/* This host's; NULL: not one of ours. */
const struct arch *arch_host(void);

/* Is it this host's? Else it can only be emulated. */
bool arch_is_host(const struct arch *arch);

/* The architecture's default where `machine` is NULL; `ret` gets a string that lasts. A type that it does not have is an error. */
int arch_machine(const struct arch *arch, const char *machine, const char **ret, struct error *err);
