/* What the benchmarks of machines share: libvirt in a process of its own below a run folder that is removed whatever happens, and the agent's answers. */
#pragma once

#include <base/journal.h>
#include <vmdriver/vm.h>

#include <stdbool.h>
#include <stdint.h>

enum { MACHINES_LINE = 512 };

struct machines {
	const char *program; /* for messages */
	char run_dir[64], journal_path[80];
	struct journal *journal;
};

/* Calls `work` in a child that may give up being root and that libvirt lives in; meanwhile this process collects every QEMU that ends, and heeds SIGINT and
 * SIGTERM: both end all. What is left is ended and counted ("left behind: 0"). Returns the exit status: 0 when `work` returned true and nothing was left. */
int machines_apart(struct machines *machines, bool (*work)(const struct machines *machines, void *arg), void *arg);

/* The agent's greeting: a line sent to a guest's serial port before its init has opened it is lost. */
bool machines_greets(const struct vm *vm, int64_t deadline_ns);
/* It answers a ping. What a booting guest says before is not of interest. */
bool machines_answers(const struct vm *vm, int64_t deadline_ns);
