/* Machines of a dead run at a daemon of libvirt's: how they are marked, and their end. */
#pragma once

#include <bench/error.h>

#include <stdbool.h>

enum { VM_UNDO_MARK = 40 };

/* The mark of a worker, from its run folder: ".../0123abcd/w1" gives "bench-0123abcd-1", with which the ids of its instances begin. False: it is named
 * otherwise. */
bool vm_undo_mark(const char *run_dir, char ret[VM_UNDO_MARK]);

/* Undoes a JOURNAL_DOMAIN entry. */
int vm_undo_domain(const char *argument, struct error *err);
