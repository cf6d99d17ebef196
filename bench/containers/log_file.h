/* Output of a container in the background: a file of at most 10 MiB, and the one before it ("log.1"). What is older is gone.
 *
 * A full disk stops nobody: what finds no room is dropped and counted, and once there is room again a line in the log says how much is missing. The
 * count lies in a small file of its own ("log.lost"), made beforehand, for inspect. */
#pragma once

#include <bench/error.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct log_file {
	int fd; /* -1: none, or it could not be made anew when the last one was full */
	int lost_fd;
	int64_t lost_bytes, told_bytes; /* dropped in all; of them, those that the log tells of */
	int lost_errno;                 /* why the last of them */
	int64_t size, size_max;
	char path[160];
};
#define LOG_FILE_NONE ((struct log_file){.fd = -1, .lost_fd = -1})

/* <folder>/log. `size_max` 0: 10 MiB. */
int log_file_open(const char *folder, int64_t size_max, struct log_file *ret, struct error *err);

/* Takes all of it, or drops what finds no room. */
void log_file_write(struct log_file *log, const void *data, size_t size);

/* Says in the log what was dropped, where it does not yet; closes it. */
void log_file_close(struct log_file *log);

/* How many bytes of a container's output were dropped. */
int64_t log_file_lost(const char *folder);

/* Copies what there is of both, the older one first. No log is no output, and no error. */
int log_file_print(const char *folder, FILE *out, struct error *err);
