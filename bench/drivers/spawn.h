/* A child program whose stdin and stdout are the control stream: what the drivers "process" and "command" have in common. */
#pragma once

#include <bench/driver.h>

#include <sched.h>

struct spawn {
	const char *const *argv; /* argv[0] is a path or found in PATH */
	int stderr_fd;           /* descriptor 2 of the child */
	cpu_set_t cpus;          /* bound to these before exec, unless the set is empty */
};

/* Starts it by vfork and exec. T1 is stamped by the child, right before exec. Fills pids and control stream of the instance.
 * Nothing but descriptors 0 to 2 is inherited; the child leads a session of its own. -errno when it cannot be executed. */
int spawn_start(const struct spawn *spawn, struct instance *instance, struct timeline *timeline, struct error *err);

/* Waits until the main process of the instance is gone, at most timeout_ms; true when it is (and was reaped). */
bool spawn_wait(struct instance *instance, int timeout_ms);

/* Closes the control stream. */
void spawn_close_stream(struct instance *instance);

/* "1", "0-3,6" -> set; an empty text gives an empty set. */
int spawn_parse_cpuset(const char *text, cpu_set_t *ret, struct error *err);

/* Binds the calling thread to the CPUs of a list; an empty list, or CPUs that we may not use, change nothing. */
void spawn_bind(const char *cpuset);
