/* The call that makes libvirt create a machine, in a thread of its own: it blocks until the vCPUs run, and meanwhile the caller must take
 * QEMU's connections, keep its deadline, and survive a libvirt that never returns. */
#pragma once

#include <bench/error.h>

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdint.h>

struct launch;
struct stream;

/* Control stream, console. */
enum { LAUNCH_STREAMS = 2 };

/* The control stream among the virtio ports; in the guest it is LAUNCH_DEVICE, where the number of its virtio device,
 * which no one knows before, stands in place of the question mark. */
#define LAUNCH_CHANNEL "bench.control"
#define LAUNCH_DEVICE  "/dev/vport?p1"

struct launch_result {
	int rc; /* 0, or -errno with `error` */
	struct error error;
	virDomainPtr domain; /* the caller's, when rc is 0 */
	int64_t created_ns;  /* libvirt had made it, paused */
	int64_t resumed_ns;
	struct stream *streams[LAUNCH_STREAMS]; /* likewise: those asked for, with the caller's ends */
	int fds[LAUNCH_STREAMS];
};

/* What is started: a machine by its description, or one from a saved state, which holds its description. */
struct launch_request {
	const char *xml;   /* for a boot */
	const char *image; /* NULL: a boot; else a file of virDomainSave() */
	const char *name;  /* of the machine in the image */
	unsigned flags;    /* for a boot */
	bool carried;      /* channel and console come over the connection (stream.h), and are opened before the machine runs */
};

/* Starts creating. The texts are copied. */
int launch_begin(virConnectPtr connection, const struct launch_request *request, struct launch **ret, struct error *err);

/* Becomes readable when the result is there. */
int launch_fd(const struct launch *launch);

/* Waits for the result and frees the launch. */
void launch_end(struct launch *launch, struct launch_result *ret);

/* Gives up on it: the thread frees everything itself, should it ever come back; a machine that it then made is ended. */
void launch_abandon(struct launch *launch);
