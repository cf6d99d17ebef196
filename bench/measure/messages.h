/* What bench, supervisor and workers say to each other: fixed plain structs over SOCK_SEQPACKET socket pairs, so that a message is whole or absent. */
#pragma once

#include <bench/driver.h>
#include <bench/result.h>

#include <limits.h>

/* ---- bench -> supervisor, with the worker's end of a socket pair as ancillary descriptor ---- */
struct spawn_request {
	unsigned index; /* of the worker; its folder is <run folder>/w<index> */
	struct driver_spec spec;
	char run_path[128];
	char cache_dir[PATH_MAX];
	char agent_path[PATH_MAX];
	char cpuset_measure[64], cpuset_instance[64];
	int64_t memory_bytes;
	int vcpus;
	bool record_steps;
};

/* ---- supervisor -> bench: a worker is gone and what it left is undone ---- */
struct exit_notice {
	unsigned index;
	int wait_status;
	int resisted; /* objects that could not be undone */
	struct error error;
};

/* ---- bench -> worker ---- */
enum worker_op { WORKER_OPEN, WORKER_SAMPLE, WORKER_CLOSE };

struct worker_request {
	enum worker_op op;
	uint32_t sequence;
	int64_t timeout_ns;
};

/* ---- worker -> bench ---- */
enum reply_kind { REPLY_NOTE, REPLY_OPENED, REPLY_SAMPLE, REPLY_CLOSED };

struct worker_reply {
	enum reply_kind kind;
	struct error error;      /* code 0: fine */
	char note[256];          /* REPLY_NOTE */
	struct driver_info info; /* REPLY_OPENED */
	struct sample sample;    /* REPLY_SAMPLE: driver, block, position, warmup and steps are the caller's to fill */
	struct step_times steps; /* REPLY_SAMPLE; empty unless asked for */
};

/* Sends one message; `fd_to_pass` >= 0 goes with it. -errno. */
int message_send(int socket_fd, const void *message, size_t size, int fd_to_pass);

/* Receives one message of exactly `size` bytes. 1: got it; 0: the other end is closed; -errno (-EAGAIN: nothing there on a non-blocking socket).
 * `ret_fd` (may be NULL) receives the descriptor that came along, or -1. */
int message_receive(int socket_fd, void *ret, size_t size, int *ret_fd);

/* A close-on-exec pair whose buffers hold at least one message of each kind. */
int message_pair(int ret[2], struct error *err);
