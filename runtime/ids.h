/* Ids of a user namespace: which of the host's stand behind the container's, and the namespace itself. Internal to runtime/. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { IDS_COUNT = 65536, IDS_FIRST = 524288, IDS_END = 1879048192 };

/* IDS_COUNT users from `uid` on and as many groups from `gid` on: 0 … 65535 inside. */
struct ids {
	uint32_t uid, gid;
	bool shared; /* another container has them as well */
};

/* Chooses them from what /etc/subuid and /etc/subgid (below `host_root`) give to "bench" (where no user is called so) or to root; else a block from
 * IDS_FIRST to IDS_END in which the host has no user, no group and no subordinate range. `seed` decides which of many is asked for first: the same
 * seed gives the same answer on the same host, as long as no other container has it.
 *
 * `ret_lock_fd` (NULL: nothing is locked): a descriptor that holds the block against everybody else who calls this in this network namespace of the
 * host. The caller keeps it as long as the container lives; the kernel lets go of the block with the descriptor. -1 with `shared`: all blocks that
 * there are were held. */
int ids_choose(const char *host_root, const char *seed, struct ids *ret, int *ret_lock_fd, struct error *err);

/* The line for uid_map or gid_map. */
void ids_map(uint32_t base, char ret[32]);

/* Writes both maps of a process in a new user namespace. Needs CAP_SETUID and CAP_SETGID outside of it. */
int ids_write(pid_t pid, const struct ids *ids, struct error *err);

/* A user namespace with that mapping and nobody in it, for mounts. Returns the descriptor or -errno. */
int ids_namespace(const struct ids *ids, struct error *err);
