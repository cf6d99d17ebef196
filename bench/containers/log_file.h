/* Output of a container in the background: a file of at most 10 MiB, and the one before it ("log.1"). What is older is gone. */
#pragma once

#include <bench/error.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct log_file {
	int fd; /* -1: none */
	int64_t size, size_max;
	char path[160];
};
#define LOG_FILE_NONE ((struct log_file){.fd = -1})

/* <folder>/log. `size_max` 0: 10 MiB. */
int log_file_open(const char *folder, int64_t size_max, struct log_file *ret, struct error *err);
int log_file_write(struct log_file *log, const void *data, size_t size, struct error *err);
void log_file_close(struct log_file *log);

/* Copies what there is of both, the older one first. No log is no output, and no error. */
int log_file_print(const char *folder, FILE *out, struct error *err);
