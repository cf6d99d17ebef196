/* The folder that a run's results go to. */
#pragma once

#include <bench/error.h>

#include <limits.h>
#include <stdbool.h>

struct out_dir {
	char path[PATH_MAX], result[PATH_MAX + 32], journal[PATH_MAX + 32], report[PATH_MAX + 32];
	int lock_fd;   /* held while this run writes there */
	bool was_made; /* by us */
};

/* `wish`, or a new bench-results/<experiment>-<date>-<time> here. Made if need be. -EEXIST when it holds anything that a run would write (nothing is ever
 * overwritten), -EBUSY while another run writes there, and an error with its reason when it cannot be written to: all before anything is measured. */
int out_dir_open(const char *wish, const char *experiment, struct out_dir *ret, struct error *err);

/* Lets go of it. With `discard` the journal, and the folder if we made it, are removed: nothing was measured. */
void out_dir_close(struct out_dir *dir, bool discard);
