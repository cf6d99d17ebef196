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

/* What the kernel counts by user: a small part of what it gives a user by default, so that no container takes it from others. */
enum { OPEN_FILES = 1024, SIGNALS_PENDING = 4096, QUEUE_BYTES = 400 * 1024, LOCKED_BYTES = 8 << 20 };

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const struct {
	unsigned own;
	uint64_t clone_flag; /* none for net: plan_network.c */
	uint64_t late_flag;  /* made by unshare: the cgroup namespace after joining, so that its root is the container's own group */
	const char *name;
} namespaces[] = {
	{CONTAINER_NS_MOUNT, CLONE_NEWNS, 0, "mount"},
	{CONTAINER_NS_PID, CLONE_NEWPID, 0, "pid"},
	{CONTAINER_NS_NET, 0, 0, "net"},
	{CONTAINER_NS_UTS, CLONE_NEWUTS, 0, "uts"},
	{CONTAINER_NS_IPC, CLONE_NEWIPC, 0, "ipc"},
	{CONTAINER_NS_CGROUP, 0, CLONE_NEWCGROUP, "cgroup"},
	{CONTAINER_NS_TIME, 0, CLONE_NEWTIME, "time"},
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

/* "6.18.3-whatever" is 6018; 0 when it is not known. */
static int read_kernel(const char *host_root)
{
	char release[64], *dot, *end;
	int64_t major, minor;

	if (file_read(host_root, "/proc/sys/kernel/osrelease", release, sizeof(release), NULL) <= 0 || !(dot = strchr(release, '.')))
		return 0;
	*dot++ = '\0';
	end = dot + strspn(dot, "0123456789");
	*end = '\0';
	if (parse_integer("release", release, 0, 1000, &major, NULL) < 0 || parse_integer("release", dot, 0, 999, &minor, NULL) < 0)
		return 0;
	return (int)(major * 1000 + minor);
}

void plan_namespaces(struct container_plan *plan, const struct container_options *options)
{
	struct container_facts *facts = &plan->facts;
	unsigned wanted = options->namespaces;
	char user[48];
	size_t used = 0;

	plan->kernel = read_kernel(options->host_root);
	plan_ids(plan, options);
	if (wanted & CONTAINER_NS_TIME && plan->kernel < KERNEL_EXEC_ENTERS_TIME) {
		wanted &= ~(unsigned)CONTAINER_NS_TIME;
		plan_note(plan, "no time namespace: a program enters one from Linux 6.2 on");
	}
	for (int i = 0; i < NAMESPACES; i++) {
		if (!(wanted & namespaces[i].own))
			continue;
		plan->clone_flags |= namespaces[i].clone_flag;
		plan->late_flags |= namespaces[i].late_flag;
		used += (size_t)snprintf(facts->namespaces + used, sizeof(facts->namespaces) - used, "%s%s", used ? " " : "",
					 namespaces[i].name);
	}
	plan_late_namespaces(plan, options);
	plan->own_pids = options->namespaces & CONTAINER_NS_PID;
	plan_ids_tell(plan, user, sizeof(user));
	snprintf(facts->namespaces + used, sizeof(facts->namespaces) - used, "%s%s", used && user[0] ? " " : "", user);
}

const char *plan_late_names(const struct container_plan *plan)
{
	return !(plan->late_flags & CLONE_NEWTIME)  ? "unshare cgroup"
	       : plan->late_flags & CLONE_NEWCGROUP ? "unshare cgroup, time"
						    : "unshare time";
}

/* What is inherited as it should be costs a start no call. */
static bool rlimit_differs(int resource, rlim_t soft, rlim_t hard, struct rlimit *value)
{
	struct rlimit ours;

	getrlimit(resource, &ours);
	*value = ours;
	if (value->rlim_max > hard)
		value->rlim_max = hard;
	value->rlim_cur = soft < value->rlim_max ? soft : value->rlim_max;
	return value->rlim_max != ours.rlim_max || value->rlim_cur != ours.rlim_cur;
}

static void plan_rlimit(struct container_plan *plan, int resource, rlim_t soft, rlim_t hard)
{
	if (rlimit_differs(resource, soft, hard, &plan->rlimits[plan->n_rlimits].value))
		plan->rlimits[plan->n_rlimits++].resource = resource;
}

int plan_identity(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	uid_t highest = plan->maps_ids ? IDS_COUNT - 1 : plan->clone_flags & CLONE_NEWUSER ? 0 : UINT32_MAX - 1;

	if (options->run_uid > highest || options->run_gid > highest) {
		error_set(err, EINVAL, "user %u, group %u: this container has ids from 0 to %u", options->run_uid, options->run_gid,
			  highest);
		return highest == 0 ? error_hint(err, "run as root, or let the program be user 0 of the container") : -EINVAL;
	}
	if (options->working_dir && options->working_dir[0] != '/')
		return error_set(err, EINVAL, "working folder %.200s: not an absolute path", options->working_dir);
	if (options->working_dir)
		plan_add(plan, "working-folder", step_working_dir, plan_text(plan, "%s", options->working_dir), 0);
	return 0;
}

int plan_privileges(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	struct container_facts *facts = &plan->facts;

	plan->capabilities = (capabilities_default() | options->capabilities_add) & ~options->capabilities_drop;
	if (!(plan->clone_flags & CLONE_NEWUSER) && geteuid() == 0)
		plan->capabilities &= capabilities_held(); /* a new user namespace gives all of them, nothing else gives any */
	plan->last_capability = capabilities_last();
	capabilities_names(plan->capabilities, facts->capabilities, sizeof(facts->capabilities));
	plan_add(plan, "no-new-privileges", step_no_new_privileges, "", 0);
	if (options->run_uid || options->run_gid)
		plan_add(plan, "run-as", step_run_as, plan_text(plan, "user %u, group %u", options->run_uid, options->run_gid), 0);
	if (options->run_uid == 0)
		plan_add(plan, "capabilities", step_capabilities, facts->capabilities, 0);
	else
		snprintf(facts->capabilities, sizeof(facts->capabilities), "none: the program is user %u", options->run_uid);
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

void plan_rlimits(struct container_plan *plan)
{
	plan_rlimit(plan, RLIMIT_CORE, 1, 1); /* no file, and other than with 0 no program of the host that core_pattern names */
	plan_rlimit(plan, RLIMIT_SIGPENDING, SIGNALS_PENDING, SIGNALS_PENDING);
	plan_rlimit(plan, RLIMIT_MSGQUEUE, QUEUE_BYTES, QUEUE_BYTES);
	plan_rlimit(plan, RLIMIT_MEMLOCK, LOCKED_BYTES, LOCKED_BYTES);
	plan_rlimit(plan, RLIMIT_RTPRIO, 0, 0);
	plan_rlimit(plan, RLIMIT_NICE, 0, 0);
	plan_add(plan, "rlimits", step_rlimits, "core=1 sigpending=4096 msgqueue=400k memlock=8m rtprio=0 nice=0 umask=022", 0);
}

/* Once the launcher's descriptors are closed: it may have thousands, and the steps before need some above them. */
void plan_open_files(struct container_plan *plan)
{
	if (rlimit_differs(RLIMIT_NOFILE, OPEN_FILES, 512 * OPEN_FILES, &plan->open_files))
		plan_add(plan, "open-files", step_open_files, "1024", 0);
}

/* Who is kept from being killed (systemd does that to services) must not hand that on. */
void plan_oom_score(struct container_plan *plan, const char *host_root)
{
	int64_t ours = 0;

	plan->sets_oom_score = file_read_int(host_root, "/proc/self/oom_score_adj", &ours, NULL) >= 0 && ours < 0;
	plan->oom_score = 0;
}

void plan_ahead(struct container_plan *plan)
{
	plan_rlimits(plan);
	plan_add(plan, "bounding-set", step_bounding_set, "", 0);
	plan_add(plan, "signals", step_signals, "default", 0);
}
