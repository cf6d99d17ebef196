/* From options to an array of steps. Changes nothing on the host; what it reads of it is behind options.host_root. */
#include "plan.h"

#include "capabilities.h"
#include "filter.h"
#include "rootfs.h"
#include "steps.h"

#include <base/files.h>
#include <base/units.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { DEFAULT_TIMEOUT_MS = 10000, OPEN_FILES = 1024 };

static const struct {
	unsigned own;
	uint64_t clone_flag; /* the cgroup namespace has none: it is made after joining, so that its root is the container's own group */
	const char *name;
} namespaces[] = {
	{CONTAINER_NS_MOUNT, CLONE_NEWNS, "mount"}, {CONTAINER_NS_PID, CLONE_NEWPID, "pid"}, {CONTAINER_NS_NET, CLONE_NEWNET, "net"},
	{CONTAINER_NS_UTS, CLONE_NEWUTS, "uts"},    {CONTAINER_NS_IPC, CLONE_NEWIPC, "ipc"}, {CONTAINER_NS_CGROUP, 0, "cgroup"},
};
enum { NAMESPACES = sizeof(namespaces) / sizeof(namespaces[0]) };

/* ---- building ---- */

const char *plan_text(struct container_plan *plan, const char *format, ...)
{
	char *made = NULL;
	va_list ap;

	if (plan->n_texts == PLAN_TEXTS_MAX)
		return NULL;
	va_start(ap, format);
	if (vasprintf(&made, format, ap) < 0)
		made = NULL;
	va_end(ap);
	if (made)
		plan->texts[plan->n_texts++] = made;
	return made;
}

void plan_add(struct container_plan *plan, const char *name, step_apply apply, const char *arg, uint64_t number)
{
	if (plan->n_steps < CONTAINER_STEPS_MAX)
		plan->steps[plan->n_steps++] = (struct step){.name = name, .apply = apply, .arg = arg, .number = number};
}

uint32_t plan_add_parent(struct container_plan *plan, struct parent_step step)
{
	uint32_t beside = 0;

	if (plan->n_parent_steps < CONTAINER_PARENT_STEPS_MAX)
		plan->parent_steps[plan->n_parent_steps++] = step;
	for (size_t i = 0; i < plan->n_parent_steps; i++)
		beside += !plan->parent_steps[i].before_clone;
	return step.before_clone ? 0 : beside;
}

static int plan_complete(const struct container_plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (!plan->steps[i].arg)
			return error_set(err, ENOMEM, "container plan: out of memory at step %s", plan->steps[i].name);
	return plan->n_steps < CONTAINER_STEPS_MAX ? 0 : error_set(err, E2BIG, "container plan: more than %d steps", CONTAINER_STEPS_MAX);
}

void plan_note(struct container_plan *plan, const char *format, ...)
{
	struct container_facts *facts = &plan->facts;
	va_list ap;

	if (facts->n_notes == sizeof(facts->notes) / sizeof(facts->notes[0]))
		return;
	va_start(ap, format);
	vsnprintf(facts->notes[facts->n_notes++], sizeof(facts->notes[0]), format, ap);
	va_end(ap);
}

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

static void plan_namespaces(struct container_plan *plan, const struct container_options *options)
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
	plan->own_pids = options->namespaces & CONTAINER_NS_PID;
	if (user) {
		plan->clone_flags |= CLONE_NEWUSER;
		snprintf(facts->namespaces + used, sizeof(facts->namespaces) - used, "%suser", used ? " " : "");
		plan_add(plan, "map-ids", step_map_ids, plan_text(plan, "0 %u 1%c0 %u 1", options->uid, '\0', options->gid), 0);
	} else {
		plan_groups(plan, options);
	}
}

/* Before anything is made: with less the child would be killed at its start, and its parent, whose memory it shares until the exec, with it. */
static int check_memory(const struct container_plan *plan, struct error *err)
{
	if (plan->tree.dir_of[CGROUP_MEMORY] < 0 || plan->limits.memory_bytes <= 0 || plan->limits.memory_bytes >= CONTAINER_MEMORY_MIN)
		return 0;
	error_set(err, EINVAL, "memory limit of %lld bytes: a container's start itself needs more", (long long)plan->limits.memory_bytes);
	return error_hint(err, "give it %d MiB or more, or no limit: cgroup=off", CONTAINER_MEMORY_MIN >> 20);
}

/* What this version of cgroups does not have as wanted: a note, or an error where all limits are required. */
static int plan_lacking(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	char lacking[200];
	int rc = cgroup_limits_lacking(&plan->tree, &options->limits, lacking, sizeof(lacking));

	if (rc < 0 && options->cgroup == CONTAINER_ON) {
		error_set(err, -rc, "%s", lacking);
		return error_hint(err, "go without it, or with cgroup=auto");
	}
	if (rc)
		plan_note(plan, "%s", lacking);
	return 0;
}

static int plan_cgroup(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	struct cgroup_layout layout;
	/* Memory is accounted for and processes are counted whatever is limited; every other hierarchy costs a start and must be asked for. */
	unsigned wanted = CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS) | cgroup_limits_controllers(&options->limits);
	int rc = cgroup_limits_check(options->host_root, &options->limits, err);

	if (rc == 0)
		rc = cgroup_detect(options->host_root, &layout, err);
	if (rc == 0)
		rc = cgroup_tree_plan(options->host_root, &layout, options->cgroup_name, options->cgroup == CONTAINER_OFF ? 0 : wanted,
				      &plan->tree, err);
	if (rc == 0)
		rc = plan_lacking(plan, options, err);
	if (rc < 0)
		return rc;
	if (plan->tree.note[0] && options->cgroup == CONTAINER_ON) {
		error_set(err, EPERM, "%s", plan->tree.note);
		return error_hint(err, "%s%sgo without limits: cgroup=auto or cgroup=off", plan->tree.remedy,
				  plan->tree.remedy[0] ? "; or " : "");
	}
	plan->cgroup_mode = layout.mode;
	plan->cgroup_required = options->cgroup == CONTAINER_ON;
	if ((rc = check_memory(plan, err)) < 0)
		return rc;
	if (plan->tree.note[0])
		plan_note(plan, "%s", plan->tree.note);
	if (options->cgroup == CONTAINER_OFF)
		plan_note(plan, "no cgroup limits: switched off");
	plan_tell_cgroup(plan);
	return 0;
}

/* Late: the parent makes the groups of version 1 while the child builds its root. */
static void plan_join(struct container_plan *plan, const struct container_options *options, bool whole)
{
	bool born = plan->tree.ops->join_at_clone;

	if (plan->tree.n_dirs && whole) {
		uint32_t number = plan_add_parent(
			plan, (struct parent_step){
				      .name = "make-cgroup", .apply = parent_make_cgroup, .arg = plan->facts.limits, .before_clone = born});
		if (!born) {
			plan_add(plan, "await", step_await, "make-cgroup", number);
			plan_add(plan, "join-cgroup", step_join_cgroup, "writes 0 to tasks", 0);
		}
	}
	if (options->namespaces & CONTAINER_NS_CGROUP)
		plan_add(plan, "cgroup-namespace", step_cgroup_namespace, "unshare", 0);
}

static void tell_limits(struct container_plan *plan)
{
	const struct cgroup_limits *limits = &plan->limits;
	const int *at = plan->tree.dir_of;
	char *ret = plan->facts.limits;
	size_t size = sizeof(plan->facts.limits), used = 0;

	if (at[CGROUP_CPU] >= 0 && limits->cpu_percent > 0)
		used += (size_t)snprintf(ret + used, size - used, " cpu=%d%%", limits->cpu_percent);
	if (at[CGROUP_CPU] >= 0 && limits->cpu_weight > 0)
		used += (size_t)snprintf(ret + used, size - used, " weight=%d", limits->cpu_weight);
	if (at[CGROUP_MEMORY] >= 0 && limits->memory_bytes > 0)
		used += (size_t)snprintf(ret + used, size - used, " memory=%lld", (long long)limits->memory_bytes);
	if (at[CGROUP_PIDS] >= 0 && limits->pids_max > 0)
		used += (size_t)snprintf(ret + used, size - used, " pids=%d", limits->pids_max);
	if (used)
		memmove(ret, ret + 1, used);
	else
		strcpy(ret, "none");
}

void plan_tell_cgroup(struct container_plan *plan)
{
	const struct cgroup_tree *tree = &plan->tree;
	char *facts = plan->facts.cgroup;
	size_t used =
		(size_t)snprintf(facts, sizeof(plan->facts.cgroup), "%s", tree->n_dirs ? cgroup_mode_names[plan->cgroup_mode] : "none");

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (tree->dir_of[i] >= 0)
			used += (size_t)snprintf(facts + used, sizeof(plan->facts.cgroup) - used, " %s", cgroup_controller_names[i]);
	tell_limits(plan);
	if (!plan->own_pids && tree->n_dirs == 0)
		plan_note(plan, "neither pid namespace nor cgroup: children that outlive the first process stay behind");
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

static int plan_privileges(struct container_plan *plan, const struct container_options *options, struct error *err)
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
	plan_add(plan, "signals", step_signals, "default, none blocked", 0);
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

/* The child's stack, with a page below it that faults. Kept for all starts: its pages are paid once. */
static int plan_stack(struct container_plan *plan, struct error *err)
{
	long page = sysconf(_SC_PAGESIZE);

	plan->stack = mmap(NULL, (size_t)page + CHILD_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (plan->stack == MAP_FAILED) {
		plan->stack = NULL;
		return error_errno(err, "stack for the child");
	}
	return mprotect(plan->stack, (size_t)page, PROT_NONE) < 0 ? error_errno(err, "guard page of the child's stack") : 0;
}

/* The newest call that the root needs is mount_setattr. */
static int check_kernel(const struct container_options *options, struct error *err)
{
	if (!(options->namespaces & CONTAINER_NS_MOUNT) || syscall(SYS_mount_setattr, -1, "", 0, NULL, 0) == 0 || errno != ENOSYS)
		return 0;
	error_set(err, ENOSYS, "this kernel has no mount_setattr");
	return error_hint(err, "Linux 5.12 or newer is needed, and a system call filter around us that lets it pass; or mount=host");
}

static int plan_nothing(struct container_plan *plan, struct error *err)
{
	plan->nothing_fd = memfd_create("nothing", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (plan->nothing_fd < 0 || fcntl(plan->nothing_fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return error_errno(err, "make an empty file");
	return 0;
}

/* Everything up to the root. */
static int plan_surroundings(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	plan_namespaces(plan, options);
	int rc = plan_cgroup(plan, options, err);

	if (rc < 0)
		return rc;
	plan_add(plan, "session", step_session, "", 0);
	plan_add(plan, "keyring", step_keyring, "new", !options->seccomp_off);
	if (options->namespaces & CONTAINER_NS_UTS)
		plan_add(plan, "hostname", step_hostname, plan_text(plan, "%s", options->hostname ? options->hostname : ""), 0);
	if (options->namespaces & CONTAINER_NS_NET)
		plan_add(plan, "loopback", step_loopback, "lo up", 0);
	return 0;
}

static int plan_inside(struct container_plan *plan, const struct container_options *options, bool whole, struct error *err)
{
	int rc = whole ? runtime_rootfs_check(options->rootfs, err) : 0;

	if (rc == 0 && !realpath(whole ? options->rootfs : "/", plan->rootfs))
		rc = error_errno(err, "root folder %s", options->rootfs);
	if (rc == 0 && whole)
		rc = plan_program(plan, options, err);
	if (rc == 0)
		rc = plan_root(plan, options, whole ? plan->argv[0] : "", err);
	if (rc == 0)
		plan_join(plan, options, whole);
	/* Late as well: until here the steps may run wherever there is room. */
	if (rc == 0 && options->cpuset && options->cpuset[0]) {
		rc = parse_cpus(options->cpuset, &plan->cpus, err);
		plan_add(plan, "affinity", step_affinity, plan_text(plan, "%s", options->cpuset), 0);
	}
	if (rc < 0)
		return rc;
	plan_rlimit(plan, RLIMIT_CORE, 0, 0);
	plan_rlimit(plan, RLIMIT_NOFILE, OPEN_FILES, 512 * OPEN_FILES);
	plan_add(plan, "rlimits", step_rlimits, "core=0 nofile=1024 umask=022", 0);
	plan_add(plan, "stdio", step_stdio, "0 1 2, others closed at exec", 0);
	rc = plan_privileges(plan, options, err);
	if (rc == 0 && whole)
		plan_add(plan, "exec", step_exec, plan->argv[0], 0);
	return rc;
}

int plan_prepare(const struct container_options *options, bool whole, struct container_plan **ret, struct error *err)
{
	struct container_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return error_set(err, ENOMEM, "container plan: out of memory");
	plan->nothing_fd = -1;
	for (int i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		plan->group_fds[i] = -1;
	plan->limits = options->limits;
	plan->journal = options->journal;
	plan->start_timeout_ms = options->start_timeout_ms > 0 ? options->start_timeout_ms : DEFAULT_TIMEOUT_MS;
	int rc = check_kernel(options, err);
	if (rc == 0)
		rc = plan_surroundings(plan, options, err);
	if (rc == 0)
		rc = plan_inside(plan, options, whole, err);
	if (rc == 0)
		rc = plan_complete(plan, err);
	if (rc == 0)
		rc = plan_stack(plan, err);
	if (rc == 0)
		rc = plan_nothing(plan, err);
	if (rc < 0) {
		container_plan_free(plan);
		return rc;
	}
	*ret = plan;
	return 0;
}

int container_prepare(const struct container_options *options, struct container_plan **ret, struct error *err)
{
	return plan_prepare(options, true, ret, err);
}

/* ---- looking at it ---- */

static void print_parent(const struct container_plan *plan, bool before_clone, FILE *out)
{
	for (size_t i = 0; i < plan->n_parent_steps; i++) {
		const struct parent_step *step = &plan->parent_steps[i];

		if (step->before_clone == before_clone)
			fprintf(out, "%s  %-18s %s\n", before_clone ? "parent" : "beside", step->name, step->arg);
		for (size_t d = 0; step->apply == parent_make_cgroup && step->before_clone == before_clone && d < plan->tree.n_dirs; d++)
			fprintf(out, "%s  %-18s %s/ID\n", before_clone ? "parent" : "beside", "", plan->tree.dirs[d]);
	}
}

void container_plan_print(const struct container_plan *plan, FILE *out)
{
	const struct cgroup_tree *tree = &plan->tree;

	print_parent(plan, true, out);
	fprintf(out, "parent  %-18s %s%s\n", "clone", plan->facts.namespaces, tree->ops->join_at_clone ? ", into cgroup" : "");
	print_parent(plan, false, out);
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &plan->steps[i];

		if (step->arg[0])
			fprintf(out, "child   %-18s %s\n", step->name, step->arg);
		else
			fprintf(out, "child   %s\n", step->name);
	}
	for (size_t i = 0; i < plan->facts.n_notes; i++)
		fprintf(out, "note    %s\n", plan->facts.notes[i]);
}

const struct container_facts *container_plan_facts(const struct container_plan *plan)
{
	return &plan->facts;
}

size_t container_plan_steps(const struct container_plan *plan)
{
	return plan->n_steps;
}

const char *container_plan_step_name(const struct container_plan *plan, size_t step)
{
	return step < plan->n_steps ? plan->steps[step].name : "?";
}

size_t container_plan_parent_steps(const struct container_plan *plan)
{
	return plan->n_parent_steps;
}

const char *container_plan_parent_step_name(const struct container_plan *plan, size_t step)
{
	return step < plan->n_parent_steps ? plan->parent_steps[step].name : "?";
}

int64_t container_sandbox_ns(const struct container_plan *plan, const struct container_trace *trace)
{
	return trace->done_ns[plan->n_steps >= 2 ? plan->n_steps - 2 : 0];
}
