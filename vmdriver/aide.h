/* What a machine needs of root: a tap on a bridge of ours, and a control group for QEMU. The process that uses libvirt gives up root (account.h); so
 * before that it forks the aide, which stays root, does these two things on request, and nothing else.
 *
 * Order: aide_open() while there is one thread and root has not been left; for each machine aide_prepare(), aide_admit() as soon as QEMU's process is
 * known, aide_release() when it is gone; aide_close(). One thread at a time. If the caller dies, the aide undoes everything by itself, and what is
 * still in a group is killed; if it is killed as well, the journal has every name. Prints nothing. */
#pragma once

#include <bench/error.h>
#include <cgroup/cgroup.h>
#include <network/network.h>

#include <stdbool.h>
#include <sys/types.h>

struct journal;

struct aide_options {
	bool link;                          /* a tap each machine */
	const char *bridge;                 /* as in struct network_options */
	uid_t uid;                          /* as which QEMU will run, and open its tap; seen from where aide_open() is called */
	const char *cgroup_name;            /* of the run's group; NULL: no groups */
	bool cgroup_required;               /* a limit that cannot be had is a failure, not a note */
	const struct cgroup_limits *limits; /* of each machine */
	struct journal *journal;
};

/* What it could do. */
struct aide_facts {
	bool groups;
	char cgroup[96];  /* "hybrid cpu memory pids cpuacct", or "none" */
	char limits[128]; /* "cpu=100% memory=…" */
	char note[256];   /* which limits are missing and why, or empty */
	char network[96]; /* "eth0 on bridge bench1234, 10.88.0.0/16", or empty */
};

struct aide;

int aide_open(const struct aide_options *options, struct aide **ret, struct error *err);
const struct aide_facts *aide_facts(const struct aide *aide);

/* Makes tap and group of the machine `id` (unique, at most 47 characters, no '/', not beginning with '.'; at most 4,096 at a time); *ret_link stays as it is where there is none. On failure nothing is left. */
int aide_prepare(struct aide *aide, const char *id, struct network_link *ret_link, struct error *err);

/* Moves QEMU into its group; -EPERM when the process is not of options.uid, or not in the user namespace that the caller is in by now. `ret_memory_dir` (CGROUP_PATH_MAX): the folder that counts its memory, or empty. */
int aide_admit(struct aide *aide, const char *id, pid_t pid, char *ret_memory_dir, struct error *err);

/* Removes them. QEMU has ended. What was never made is no failure. */
int aide_release(struct aide *aide, const char *id, struct error *err);

/* Removes all that is left. NULL is fine. */
void aide_close(struct aide *aide);
