/* The kind "os" of the container driver: a whole Debian, its systemd as process 1, the agent as one of its services.
 *
 * The agent's stream cannot be handed over as a descriptor, since an init closes what it inherits: a socket of the host shows at OS_CONTROL inside,
 * and the agent connects to it when everything else of the system is up. */
#pragma once

#include <bench/driver.h>
#include <runtime/container.h>

#include <limits.h>
#include <stdbool.h>

struct container_os {
	bool used;
	int listen_fd, words_fd; /* what the init says when it gives up is kept in the latter */
	char root[PATH_MAX], agent[PATH_MAX], socket[PATH_MAX];
	struct container_mount mounts[2];
};

/* Turns options into those of a system container: only what was not asked for otherwise. */
void container_os_options(struct container_options *options);

/* Could the image be had? 0 or -errno with a remedy. */
int container_os_probe(const struct driver_config *config, struct error *err);

/* Gets the image, listens, and fills in what of the options leads to both. `ret` must stay where it is as long as the options are used. */
int container_os_open(const struct driver_config *config, struct container_os *ret, struct container_options *options, struct error *err);
void container_os_close(struct container_os *os);

/* Forgets what an earlier init said, and hangs up on whoever of it connected too late. Before the start. */
void container_os_forget(const struct container_os *os);

/* Waits for the agent of this container, and nobody else, at most until deadline_ns, or the end of the container. Returns its stream, or -errno. */
int container_os_accept(const struct container_os *os, const struct container *container, int64_t deadline_ns, struct error *err);

/* Asks the init to halt and waits for that, a few seconds at most; container_stop() then ends what is left. */
void container_os_halt(const struct container *container);
