/* What a plan says of the process itself: namespaces, ids, CPUs, limits of its own, privileges. */
#include "plan_build.h"

#include "capabilities.h"
#include "filter.h"
#include "steps.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPEN_FILES = 1024 };

static const struct {
	unsigned own;
	uint64_t clone_flag; /* none: cgroup is made after joining, so that its root is the container's own group; net by plan_network.c */
	const char *name;
} namespaces[] = {
	{CONTAINER_NS_MOUNT, CLONE_NEWNS, "mount"}, {CONTAINER_NS_PID, CLONE_NEWPID, "pid"}, {CONTAINER_NS_NET, 0, "net"},
	{CONTAINER_NS_UTS, CLONE_NEWUTS, "uts"},    {CONTAINER_NS_IPC, CLONE_NEWIPC, "ipc"}, {CONTAINER_NS_CGROUP, 0, "cgroup"},
};
enum { NAMESPACES = sizeof(namespaces) / sizeof(namespaces[0]) };

/* "1", "0-1,4": a CPU list into a mask. */
static int parse_cpus(const char *list, cpu_set_t *ret, struct error *err)
{
	_cleanup_free_ char *copy = strdup(list);
	char *save = NULL;

	if (!copy)
		return error_set(err, ENOMEM, "CPU list: out of memory");
	CPU_ZERO(ret);
	for (char *range = strtok_r(copy, ",", &save); range; range = strtok_r(NULL, ",", &save)) {
		char *dash = strchr(range, '-');
		int64_t from, to;

		if (dash)
			*dash = '\0';
		int rc = parse_integer("CPU number", range, 0, CPU_SETSIZE - 1, &from, err);
		if (rc == 0)
			rc = parse_integer("CPU number", dash ? dash + 1 : range, from, CPU_SETSIZE - 1, &to, err);
		if (rc < 0)
			return error_prefix(err, "CPU list '%s'", list);
		for (int64_t cpu = from; cpu <= to; cpu++)
			CPU_SET((size_t)cpu, ret);
	}
	return CPU_COUNT(ret) > 0 ? 0 : error_set(err, EINVAL, "CPU list '%s' names no CPU", list);
}

/* A root that may make namespaces. One without CAP_SYS_ADMIN (inside a container) is no more than another user. */
static bool is_root(const struct container_options *options)
{
	return options->uid == 0 && (geteuid() != 0 || capabilities_held() & UINT64_C(1) << CAP_SYS_ADMIN);
}

/* Is our user namespace another than the host's? The host's maps all ids to themselves. */
static bool is_nested(const char *host_root)
{
	char map[256], *save = NULL;
	static const char *const whole[] = {"0", "0", "4294967295"};

	if (file_read(host_root, "/proc/self/uid_map", map, sizeof(map), NULL) < 0)
		return false;
	char *word = strtok_r(map, " \t\n", &save);
	for (int i = 0; i < 3; i++, word = strtok_r(NULL, " \t\n", &save))
		if (!word || strcmp(word, whole[i]) != 0)
			return true;
	return false;
}

/* A user namespace may deny setgroups for good; then there is nothing to call, but something to say. */
static void plan_groups(struct container_plan *plan, const struct container_options *options)
{
	char setgroups[16] = "";

	file_read(options->host_root, "/proc/self/setgroups", setgroups, sizeof(setgroups), NULL);
	if (strcmp(setgroups, "deny") != 0)
		plan_add(plan, "drop-groups", step_no_groups, "", 0);
	else if (getgroups(0, NULL) > 0)
		plan_note(plan, "supplementary groups are kept: the user namespace around us denies setgroups");
}

void plan_namespaces(struct container_plan *plan, const struct container_options *options)
{
	struct container_facts *facts = &plan->facts;
	bool user = options->userns == CONTAINER_ON || (options->userns == CONTAINER_AUTO && !is_root(options));
	size_t used = 0;

	plan->nested = is_nested(options->host_root);
	facts->rootless = !is_root(options) || plan->nested;
	for (int i = 0; i < NAMESPACES; i++) {
		if (!(options->namespaces & namespaces[i].own))
			continue;
		plan->clone_flags |= namespaces[i].clone_flag;
		used += (size_t)snprintf(facts->namespaces + used, sizeof(facts->namespaces) - used, "%s%s", used ? " " : "",
					 namespaces[i].name);
	}
	plan_late_namespaces(plan, options);
	plan->own_pids = options->namespaces & CONTAINER_NS_PID;
	if (user) {
		plan->clone_flags |= CLONE_NEWUSER;
		snprintf(facts->namespaces + used, sizeof(facts->namespaces) - used, "%suser", used ? " " : "");
		plan_add(plan, "map-ids", step_map_ids, plan_text(plan, "0 %u 1%c0 %u 1", options->uid, '\0', options->gid), 0);
	} else {
		plan_groups(plan, options);
	}
}

static void plan_rlimit(struct container_plan *plan, int resource, rlim_t soft, rlim_t hard)
{
	struct plan_rlimit *limit = &plan->rlimits[plan->n_rlimits++];

	*limit = (struct plan_rlimit){.resource = resource};
	getrlimit(resource, &limit->value);
	if (limit->value.rlim_max > hard)
		limit->value.rlim_max = hard;
	limit->value.rlim_cur = soft < limit->value.rlim_max ? soft : limit->value.rlim_max;
}

int plan_privileges(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	struct container_facts *facts = &plan->facts;

	plan->capabilities = capabilities_default();
	if (!(plan->clone_flags & CLONE_NEWUSER) && geteuid() == 0)
		plan->capabilities &= capabilities_held(); /* a new user namespace gives all of them, nothing else gives any */
	plan->last_capability = capabilities_last();
	capabilities_names(plan->capabilities, facts->capabilities, sizeof(facts->capabilities));
	plan_add(plan, "no-new-privileges", step_no_new_privileges, "", 0);
	plan_add(plan, "capabilities", step_capabilities, facts->capabilities, 0);
	/* Late: until here a Ctrl-C meant for our parent must not hit a half-made container. */
	plan_add(plan, "unblock-signals", step_unblock_signals, "", 0);
	if (options->die_with_parent)
		plan_add(plan, "die-with-parent", step_die_with_parent, "SIGKILL", 0);
	if (options->seccomp_off) {
		strcpy(facts->seccomp, "off");
		plan_note(plan, "no system call filter: switched off");
		return 0;
	}
	int rc = filter_build(&plan->filter, &plan->n_filter, err);
	if (rc < 0)
		return rc;
	snprintf(facts->seccomp, sizeof(facts->seccomp), "allow-list of %zu calls", filter_allowed());
	plan_add(plan, "seccomp", step_seccomp, "allow-list", 0);
	return 0;
}

int plan_affinity(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	if (!options->cpuset || !options->cpuset[0])
		return 0;
	plan_add(plan, "affinity", step_affinity, plan_text(plan, "%s", options->cpuset), 0);
	return parse_cpus(options->cpuset, &plan->cpus, err);
}

void plan_ahead(struct container_plan *plan)
{
	plan_rlimit(plan, RLIMIT_CORE, 0, 0);
	plan_rlimit(plan, RLIMIT_NOFILE, OPEN_FILES, 512 * OPEN_FILES);
	plan_add(plan, "rlimits", step_rlimits, "core=0 nofile=1024 umask=022", 0);
	plan_add(plan, "bounding-set", step_bounding_set, "", 0);
	plan_add(plan, "signals", step_signals, "default", 0);
}
