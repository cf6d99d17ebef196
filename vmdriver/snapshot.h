/* The saved state of a machine, from which others start where it had got to ("snapshot start").
 *
 * Made once, in vm_host_open(): a machine boots, its program says that it is ready, libvirt saves it to a private file below the run folder.
 * Each start then restores that file. libvirt keeps name, UUID and socket paths of the saved machine at the beginning of the file and insists that
 * they stay what they are, so a second machine beside the first could not be had. They are made to have a fixed length, and overwritten in
 * place before each start: one image, as many machines as there is room for, one start at a time (vm.h says so anyway).
 *
 * Embedded driver only: a machine that a daemon ends with its client cannot be saved. */
#pragma once

#include "vm.h"

#include <bench/error.h>

struct snapshot;

/* Boots and saves. `host` is complete but for its snapshot; host->facts learn what it took. */
int snapshot_make(struct vm_host *host, const struct vm_options *options, struct snapshot **ret, struct error *err);

/* Makes the next restored machine another one: its id, which name and socket paths are made of, is valid until the next call. */
int snapshot_next(struct snapshot *snapshot, const char **ret_id, struct error *err);

const char *snapshot_path(const struct snapshot *snapshot);

/* NULL is fine. The file goes, too. */
void snapshot_free(struct snapshot *snapshot);

/* ---- for tests ---- */

enum { SNAPSHOT_HEADER = 92, SNAPSHOT_TEXT_MAX = 1 << 20 };

/* How many bytes at the beginning of an image are libvirt's own; 0: this is no image of libvirt's. */
size_t snapshot_text_bytes(const void *header, size_t size);

/* Overwrites each `from` by the equally long `to`; returns how many there were. */
unsigned snapshot_replace(char *text, size_t size, const char *from, const char *to);
