/* A port of a machine on another host: its bytes go over libvirt's connection, and are a local stream to the caller. */
#pragma once

#include <bench/error.h>

#include <libvirt/libvirt.h>

struct stream;

enum stream_port {
	STREAM_CHANNEL, /* of virtio, by the name in the description */
	STREAM_CONSOLE, /* serial, by libvirt's name ("serial1") */
};

/* Opens a port. Best before the machine runs: what it said earlier is lost. *ret_fd is the caller's end, both
 * ways and blocking, his to close; it ends with the machine. */
int stream_open(virConnectPtr connection, virDomainPtr domain, enum stream_port kind, const char *port, struct stream **ret, int *ret_fd,
		struct error *err);

/* Hangs up and frees. NULL is fine. May wait as long as the connection takes to notice that its daemon is silent. */
void stream_close(struct stream *stream);
