/* What else happened on the host while a block ran, and whether that spoils the block. Readers take a root prefix. */
#pragma once

#include <bench/result.h>

#include <sched.h>

struct quality_reading {
	int64_t at_ns, steal_ns, procs_running;
	int n_cpus;
	int64_t psi_cpu_ns, psi_memory_ns, psi_io_ns, throttled_ns;
};

/* Counters now; -1 where the host does not tell. Steal is that of `cpus` (NULL or empty: of all), and n_cpus says how many those are. */
void quality_read(const char *root, const cpu_set_t *cpus, struct quality_reading *ret);

/* A fixed dependent loop (about 0.3 ms), timed: it slows down when the CPU does, whatever the reason. */
int64_t quality_spin_ns(void);

/* Difference of two readings; gauges take the larger. */
void quality_difference(const struct quality_reading *before, const struct quality_reading *after, int64_t spin_ns,
			struct disturbance *ret);

/* Tainted: steal above 5 % of the time of the `n_cpus` CPUs that it was read of, or the spin loop more than 1.5 times slower than `usual_spin_ns` (0: not yet known), or our cgroup throttled.
 * Fills reason. Returns whether it is. */
bool quality_is_tainted(const struct disturbance *disturbance, int64_t duration_ns, int n_cpus, int64_t usual_spin_ns, char *ret_reason,
			size_t size);
