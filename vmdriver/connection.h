/* A connection to libvirt, with the event loop that it needs.
 *
 * Default is the embedded driver: QEMU is managed by threads of this process, nothing to install or configure beside libvirt's QEMU
 * driver. All its files stay below one root folder of ours, and nothing of the host is relabelled. */
#pragma once

#include <bench/error.h>

#include <libvirt/libvirt.h>
#include <stdbool.h>

struct connection;

/* Is it a URI that this library can use? */
int connection_check_uri(const char *uri, struct error *err);
/* Does it lead to another host, or over a network to this one? */
bool connection_uri_is_remote(const char *uri);
bool connection_uri_is_embed(const char *uri);
bool connection_uri_is_daemon(const char *uri);

/* Opens `uri`; of a daemon connection_try() (connection_try.h) has heard something: this has no time limit. `dir` exists and is ours: the embedded root becomes <dir>/r (short: sockets lie deep below it), libvirt's log
 * <dir>/libvirt.log. `caps_cache` is a folder where libvirt's findings about QEMU are kept between runs (it may be missing or unwritable). */
int connection_open(const char *uri, const char *dir, const char *caps_cache, struct connection **ret, struct error *err);
virConnectPtr connection_handle(struct connection *connection);

/* Has its daemon hung up, or stopped answering? Never of the embedded driver. */
bool connection_is_lost(const struct connection *connection);
/* Says so. Always an error. */
int connection_tell_lost(const struct connection *connection, struct error *err);

/* Keeps libvirt's findings about QEMU for the next run, if they are new. Call it once they have been asked for. */
void connection_save_capabilities(struct connection *connection);

/* Folder where a daemon of this host keeps QEMU's logs; false of another host, or of no daemon. */
bool connection_log_dir(const char *uri, char *ret, size_t size);

/* Path of QEMU's log of a domain, which libvirt leaves behind: one a start. False of another host. */
bool connection_qemu_log(const struct connection *connection, const char *domain, char *ret, size_t size);

/* Folder where libvirt writes <domain>.pid with the number of QEMU's process when it has forked it. Embedded driver only; else false. */
bool connection_pid_dir(const struct connection *connection, char *ret, size_t size);

void connection_close(struct connection *connection);
