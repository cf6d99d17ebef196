/* The folder that a run's results go to. */
#pragma once

#include <bench/error.h>

#include <limits.h>

struct out_dir {
	char path[PATH_MAX], result[PATH_MAX + 32], journal[PATH_MAX + 32], report[PATH_MAX + 32];
};

/* `wish`, or bench-results/<experiment>-<date>-<time> here. Made if need be; -EEXIST when it already holds a result (nothing is ever overwritten),
 * and an error with its reason when it cannot be written to, before anything is measured. */
int out_dir_open(const char *wish, const char *experiment, struct out_dir *ret, struct error *err);
