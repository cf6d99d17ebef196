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

enum { WISHES_MAX = 16 };

struct wishes {
	struct driver_spec specs[WISHES_MAX];
	int count;
	struct error err;
};

static const struct argp_option option_table[] = {
	{"driver", 'd', "LIST", 0,
	 "ask about these drivers with their options, as for bench run: -d vm:connect=qemu:///system (default: all)", 0},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct wishes *wishes = state->input;

	if (key != 'd')
		return ARGP_ERR_UNKNOWN;
	wishes->count = driver_parse_list(arg, wishes->specs, (size_t)wishes->count, WISHES_MAX, &wishes->err);
	return wishes->count < 0 ? EINVAL : 0;
}

static const struct argp argp = {
	.options = option_table,
	.parser = parse_option,
	.doc = "Says what can run here, what cannot, why, and the command that mends it. Changes nothing.\v"
	       "Exit status 1 when process, container or vm, or what was asked about, cannot run.",
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

static void print_probe(const char *label, const struct probe *probe)
{
	printf("%-15s %-8s %s\n", label, verdicts[probe->verdict], probe->reason);
	if (probe->remedy[0])
		printf("%-15s %-8s mend: %s\n", "", "", probe->remedy);
}

/* But for measured numbers, which differ each time. */
static bool says_the_same(const char *a, const char *b)
{
	static const char digits[] = "0123456789";

	for (;; a++, b++) {
		a += strspn(a, digits);
		b += strspn(b, digits);
		if (*a != *b || !*a)
			return *a == *b;
	}
}

/* Its default, then each other kind: the same words are not printed twice. */
static bool print_kinds(const struct driver *driver, struct driver_config config)
{
	struct driver_spec spec = {0};
	struct probe first = {0};

	snprintf(spec.name, sizeof(spec.name), "%s", driver->name);
	config.spec = &spec;
	driver->probe(&config, &first);
	print_probe(driver->name, &first);
	for (size_t i = 1; driver->kinds && driver->kinds[0] && driver->kinds[i]; i++) {
		struct probe probe = {0};
		char label[64];

		spec.n_options = 0;
		driver_spec_default(&spec, driver->preset, driver->kinds[i], NULL);
		driver->probe(&config, &probe);
		if (strcmp(probe.remedy, first.remedy) == 0)
			probe.remedy[0] = '\0';
		if (says_the_same(probe.reason, first.reason))
			snprintf(probe.reason, sizeof(probe.reason), "as %s", driver->name);
		snprintf(label, sizeof(label), "%s:%s", driver->name, driver->kinds[i]);
		print_probe(label, &probe);
	}
	return first.verdict != PROBE_NO;
}

/* What a machine can have beyond what it needs. */
static void print_shared_root(struct driver_config config)
{
	struct driver_spec spec;
	struct probe probe = {0};
	const struct driver *driver = driver_find("vm");

	config.spec = &spec;
	if (!driver || driver_parse_list("vm:root=virtiofs,rootfs=/", &spec, 0, 1, NULL) != 1)
		return;
	driver->probe(&config, &probe);
	print_probe("  root=virtiofs", &probe);
}

static bool print_drivers(const char *agent, const struct wishes *wishes)
{
	char cache[PATH_MAX] = "";
	struct driver_config config = {.agent_path = agent, .run_dir = "", .cache_dir = cache, .memory_bytes = 256 << 20, .vcpus = 1};
	bool fine = true;

	cache_dir_path(cache, sizeof(cache), false, NULL);
	puts("\ndriver          can run");
	for (int i = 0; i < wishes->count; i++) {
		struct probe probe = {0};

		config.spec = &wishes->specs[i];
		driver_find(config.spec->name)->probe(&config, &probe);
		print_probe(config.spec->label, &probe);
		fine &= probe.verdict != PROBE_NO;
	}
	for (size_t i = 0; wishes->count == 0 && driver_registry[i]; i++) {
		bool matters = strcmp(driver_registry[i]->name, "process") == 0 || strcmp(driver_registry[i]->name, "container") == 0 ||
			       strcmp(driver_registry[i]->name, "vm") == 0;

		fine &= print_kinds(driver_registry[i], config) || !matters;
		if (strcmp(driver_registry[i]->name, "vm") == 0)
			print_shared_root(config);
	}
	return fine;
}

static void print_tools(void)
{
	char path[PATH_MAX];

	if (process_find("gnuplot", path, sizeof(path)))
		printf("\ncharts          yes      %s\n", path);
	else
		printf("\ncharts          no       there is no gnuplot\n                         mend: sudo apt-get install gnuplot-nox\n");
}

static void count_dead(const char *run_path, bool alive, void *arg)
{
	*(int *)arg += !alive;
}

int cmd_doctor(int argc, char **argv)
{
	struct environment environment = {0};
	struct run_plan plan = {.vcpus = 1};
	struct wishes wishes = {0};
	struct error err = {0}, agent_error = {0};
	char agent[PATH_MAX] = "bench-agent";
	int dead = 0;

	if (argp_parse(&argp, argc, argv, 0, NULL, &wishes) != 0)
		return report_error(&wishes.err, EXIT_USAGE);
	if (environment_read("", &environment, &err) < 0 || topology_choose(&plan, &environment, &err) < 0)
		return report_error(&err, EXIT_COULD_NOT_RUN);
	find_agent(NULL, agent, sizeof(agent), &agent_error);
	print_machine(&environment, &plan);
	print_agent(&environment, agent, &agent_error);
	bool fine = print_drivers(agent, &wishes);
	print_tools();
	if (run_dir_each(count_dead, &dead, NULL) > 0 && dead > 0)
		printf("left behind %d killed run%s: see 'bench clean --check'\n", dead, dead == 1 ? "" : "s");
	return fine ? EXIT_FINE : EXIT_FINDING;
}
