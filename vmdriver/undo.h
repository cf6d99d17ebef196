/* What is left of a dead run at a libvirt daemon is found by its mark. The public half is vm_undo(). */
#pragma once

#include <bench/error.h>

#include <stddef.h>

/* "<mark> <pool> <URI>", for a JOURNAL_DOMAIN entry. */
int undo_argument(const char *mark, const char *pool, const char *uri, char *ret, size_t size, struct error *err);
