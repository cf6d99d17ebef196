#include "quality.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/workload_spin.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPIN_STEPS = 200000, STEAL_PERCENT = 5 };

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Sums the 8th number of the lines "cpu<N> …" of /proc/stat (proc(5), in ticks) over the CPUs wanted. */
static int64_t steal_ns(const char *stat, const cpu_set_t *cpus, int *ret_count)
{
	int64_t ticks = 0;
	int count = 0;

	for (const char *line = stat; line && *line; line = strchr(line, '\n')) {
		char *p;

		line += *line == '\n';
		if (strncmp(line, "cpu", 3) != 0 || !isdigit((unsigned char)line[3]))
			continue;
		long cpu = strtol(line + 3, &p, 10);
		if (cpus && CPU_COUNT(cpus) > 0 && (cpu >= CPU_SETSIZE || !CPU_ISSET((size_t)cpu, cpus)))
			continue;
		for (int field = 1; field < 8; field++)
			strtoll(p, &p, 10);
		ticks += strtoll(p, NULL, 10);
		count++;
	}
	*ret_count = count;
	return count > 0 ? ticks * (1000000000 / sysconf(_SC_CLK_TCK)) : -1;
}

/* Stalled time of "some … total=<us>". */
static int64_t pressure_ns(const char *root, const char *path)
{
	char text[512];

	if (file_read(root, path, text, sizeof(text), NULL) < 0)
		return -1;
	const char *total = strstr(text, "total=");
	return total ? strtoll(total + 6, NULL, 10) * 1000 : -1;
}

/* How long our own CPU cgroup has been throttled: cgroup v2 "throttled_usec", v1 "throttled_time" (ns). */
static int64_t throttled_ns(const char *root)
{
	char own[4096], path[PATH_MAX], stat[2048], value[64];

	if (file_read(root, "/proc/self/cgroup", own, sizeof(own), NULL) < 0)
		return -1;
	for (char *rest = NULL, *line = strtok_r(own, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!group)
			continue;
		*group++ = '\0';
		bool is_v2 = controllers[1] == '\0';
		const char *mount = is_v2 ? "/sys/fs/cgroup" : strstr(controllers, ":cpu") ? "/sys/fs/cgroup/cpu" : NULL;

		if (!mount || strcmp(controllers, ":cpuset") == 0 ||
		    path_format(path, sizeof(path), NULL, "%s%s/cpu.stat", mount, group) < 0)
			continue;
		if (file_read(root, path, stat, sizeof(stat), NULL) < 0)
			continue;
		if (text_field(stat, "throttled_usec", value, sizeof(value)))
			return strtoll(value, NULL, 10) * 1000;
		if (text_field(stat, "throttled_time", value, sizeof(value)))
			return strtoll(value, NULL, 10);
	}
	return -1;
}

void quality_read(const char *root, const cpu_set_t *cpus, struct quality_reading *ret)
{
	static const char stat_path[] = "/proc/stat";
	struct quality_reading reading = {.at_ns = clock_now_ns(), .steal_ns = -1, .procs_running = -1};
	char value[64];
	size_t size = 1 << 20;
	char *stat = malloc(size); /* grows with CPUs and interrupts */

	if (stat && file_read(root, stat_path, stat, size, NULL) >= 0) {
		reading.steal_ns = steal_ns(stat, cpus, &reading.n_cpus);
		if (text_field(stat, "procs_running", value, sizeof(value)))
			reading.procs_running = larger(strtoll(value, NULL, 10) - 1, 0); /* without ourselves */
	}
	free(stat);
	reading.psi_cpu_ns = pressure_ns(root, "/proc/pressure/cpu");
	reading.psi_memory_ns = pressure_ns(root, "/proc/pressure/memory");
	reading.psi_io_ns = pressure_ns(root, "/proc/pressure/io");
	reading.throttled_ns = throttled_ns(root);
	*ret = reading;
}

int64_t quality_spin_ns(void)
{
	uint64_t state = 1;
	int64_t start_ns = clock_now_ns();

	for (int i = 0; i < SPIN_STEPS; i++) {
		state = state * SPIN_MULTIPLIER + SPIN_INCREMENT;
		__asm__ volatile("" : "+r"(state));
	}
	return clock_now_ns() - start_ns;
}

static int64_t difference(int64_t before, int64_t after)
{
	return before < 0 || after < 0 ? -1 : larger(after - before, 0);
}

void quality_difference(const struct quality_reading *before, const struct quality_reading *after, int64_t spin_ns, struct disturbance *ret)
{
	*ret = (struct disturbance){
		.steal_ns = difference(before->steal_ns, after->steal_ns),
		.procs_running = larger(before->procs_running, after->procs_running),
		.psi_cpu_some_ns = difference(before->psi_cpu_ns, after->psi_cpu_ns),
		.psi_memory_some_ns = difference(before->psi_memory_ns, after->psi_memory_ns),
		.psi_io_some_ns = difference(before->psi_io_ns, after->psi_io_ns),
		.throttled_ns = difference(before->throttled_ns, after->throttled_ns),
		.spin_ns = spin_ns,
	};
}

bool quality_is_tainted(const struct disturbance *disturbance, int64_t duration_ns, int n_cpus, int64_t usual_spin_ns, char *ret_reason,
			size_t size)
{
	char took[32], usual[32];

	/* Steal is counted in ticks of 10 ms: below two of them a short block would be judged by rounding. */
	if (disturbance->steal_ns > 20000000 && disturbance->steal_ns * 100 > duration_ns * n_cpus * STEAL_PERCENT)
		snprintf(ret_reason, size, "steal %s of %s", format_duration(disturbance->steal_ns, took, sizeof(took)),
			 format_duration(duration_ns, usual, sizeof(usual)));
	else if (usual_spin_ns > 0 && disturbance->spin_ns * 2 > usual_spin_ns * 3)
		snprintf(ret_reason, size, "control loop %s instead of %s", format_duration(disturbance->spin_ns, took, sizeof(took)),
			 format_duration(usual_spin_ns, usual, sizeof(usual)));
	else if (disturbance->throttled_ns > 0)
		snprintf(ret_reason, size, "our cgroup was throttled for %s",
			 format_duration(disturbance->throttled_ns, took, sizeof(took)));
	else
		return false;
	return true;
}
