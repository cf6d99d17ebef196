/* bench doctor: what can run here, what cannot, why, and the command that mends it. */
#include "command.h"

#include <base/process.h>
#include <base/units.h>
#include <drivers/registry.h>
#include <measure/run_dir.h>
#include <measure/topology.h>
#include <results/environment.h>

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse_option,
	.doc = "Says what can run here, what cannot, why, and the command that mends it. Changes nothing.\v"
	       "Exit status 1 when process, container or vm cannot run.",
};

static const char *const verdicts[] = {"yes", "limited", "no"};

static void print_machine(const struct environment *environment, const struct run_plan *plan)
{
	char memory[32];

	printf("machine     %s, %d cores, %d threads, %s\n", environment->cpu_model, environment->cores, environment->threads,
	       format_bytes(environment->memory_bytes, memory, sizeof(memory)));
	printf("kernel      %s %s, %s\n", environment->kernel, environment->architecture, environment->os);
	printf("hypervisor  %s%s\n", environment->hypervisor,
	       strcmp(environment->hypervisor, "none") == 0 ? "" : " (this host is a virtual machine itself: expect noise)");
	printf("cgroups     %s: %s\n", environment->cgroup_mode, environment->cgroup_controllers);
	if (plan->cpuset_instance[0])
		printf("CPUs        instances on %s, measuring process on %s\n", plan->cpuset_instance, plan->cpuset_measure);
	else
		printf("CPUs        not bound: too few for instances and the measuring process to have one each\n");
}

static void print_agent(struct environment *environment, const char *agent, const struct error *agent_error)
{
	if (agent_error->code)
		printf("agent       missing: %s; %s\n", agent_error->message, agent_error->hint);
	else if (file_sha256(agent, environment->agent_sha256, &environment->agent_bytes, NULL) == 0)
		printf("agent       %.1f KiB, sha256 %.16s…\n", (double)environment->agent_bytes / 1024, environment->agent_sha256);
}

static bool print_driver(const struct driver *driver, const char *name, const struct driver_config *config)
{
	struct probe probe = {0};

	driver->probe(config, &probe);
	printf("%-12s %-8s %s\n", name, verdicts[probe.verdict], probe.reason);
	if (probe.remedy[0])
		printf("%-12s %-8s mend: %s\n", "", "", probe.remedy);
	return probe.verdict != PROBE_NO;
}

static bool print_drivers(const char *agent)
{
	char cache[PATH_MAX] = "";
	bool fine = true;

	cache_dir_path(cache, sizeof(cache), false, NULL);
	puts("\ndriver       can run");
	for (size_t i = 0; driver_registry[i]; i++) {
		struct driver_spec spec = {0};
		struct driver_config config = {
			.spec = &spec, .agent_path = agent, .run_dir = "", .cache_dir = cache, .memory_bytes = 256 << 20, .vcpus = 1};
		bool matters = strcmp(driver_registry[i]->name, "process") == 0 || strcmp(driver_registry[i]->name, "container") == 0 ||
			       strcmp(driver_registry[i]->name, "vm") == 0;

		snprintf(spec.name, sizeof(spec.name), "%s", driver_registry[i]->name);
		fine &= print_driver(driver_registry[i], spec.name, &config) || !matters;
		if (strcmp(spec.name, "vm") != 0)
			continue;
		/* This kind needs a program that not every distribution can build; what is needed by the others is told as it is asked for. */
		spec.n_options = 1;
		spec.options[0] = (struct driver_option_value){.key = "kind", .value = "container"};
		print_driver(driver_registry[i], "vm:container", &config);
	}
	return fine;
}

static void print_tools(void)
{
	char path[PATH_MAX];

	if (process_find("gnuplot", path, sizeof(path)))
		printf("\ncharts       yes      %s\n", path);
	else
		printf("\ncharts       no       there is no gnuplot\n                      mend: sudo apt-get install gnuplot-nox\n");
}

static void count_dead(const char *run_path, bool alive, void *arg)
{
	*(int *)arg += !alive;
}

int cmd_doctor(int argc, char **argv)
{
	struct environment environment = {0};
	struct run_plan plan = {.vcpus = 1};
	struct error err = {0}, agent_error = {0};
	char agent[PATH_MAX] = "bench-agent";
	int dead = 0;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (environment_read("", &environment, &err) < 0 || topology_choose(&plan, &environment, &err) < 0)
		return report_error(&err, EXIT_COULD_NOT_RUN);
	find_agent(NULL, agent, sizeof(agent), &agent_error);
	print_machine(&environment, &plan);
	print_agent(&environment, agent, &agent_error);
	bool fine = print_drivers(agent);
	print_tools();
	if (run_dir_each(count_dead, &dead, NULL) > 0 && dead > 0)
		printf("left behind %d killed run%s: see 'bench clean --check'\n", dead, dead == 1 ? "" : "s");
	return fine ? EXIT_FINE : EXIT_FINDING;
}
