/* What is known of a running container before one enters it: its namespaces, groups, privileges. All of it is read while a descriptor of its
 * first process is open, which is alive afterwards too: so it was read of that process. */
#include "exec.h"

#include "capabilities.h"
#include "filter.h"
#include "namespaces.h"
#include "plan_build.h"
#include "steps.h"

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const struct {
	enum namespace_kind kind;
	unsigned flag;
} kinds[] = {
	{NAMESPACE_USER, CLONE_NEWUSER},     {NAMESPACE_MOUNT, CLONE_NEWNS},  {NAMESPACE_PID, CLONE_NEWPID},
	{NAMESPACE_NET, CLONE_NEWNET},       {NAMESPACE_UTS, CLONE_NEWUTS},   {NAMESPACE_IPC, CLONE_NEWIPC},
	{NAMESPACE_CGROUP, CLONE_NEWCGROUP}, {NAMESPACE_TIME, CLONE_NEWTIME},
};

static int gone(pid_t pid, struct error *err)
{
	error_set(err, ESRCH, "its first process (%d) has ended", (int)pid);
	return error_hint(err, "start the container again");
}

/* The descriptor is open, so the number means it until it ends: a start time that differs is that of somebody who came later. */
static int hold_target(struct entry *entry, const struct container_exec_options *options, struct error *err)
{
	entry->target =
		options->start_ticks > 0 ? process_open(options->pid, options->start_ticks) : (int)syscall(SYS_pidfd_open, options->pid, 0);
	int code = entry->target >= 0 ? 0 : options->start_ticks > 0 ? -entry->target : errno;
	return code == 0                         ? 0
	       : code == ESRCH || code == EINVAL ? gone(options->pid, err)
						 : error_set(err, code, "pidfd_open %d: %s", (int)options->pid, strerror(code));
}

/* ---- looking ---- */

static int look_at_namespaces(struct entry *entry, pid_t pid, const char **ret_names, struct error *err)
{
	struct namespaces theirs, ours;
	char names[96] = "";
	int rc = namespaces_read("", pid, &theirs, err);

	if (rc == 0)
		rc = namespaces_read("", getpid(), &ours, err);
	if (rc < 0)
		return rc == -ESRCH ? gone(pid, err) : rc;
	if (theirs.hidden) {
		error_set(err, EACCES, "the namespaces of process %d are closed to us", (int)pid);
		return error_hint(err, "only root, or the user who started the container, can enter it");
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (theirs.inodes[kinds[i].kind] == ours.inodes[kinds[i].kind])
			continue;
		entry->namespaces |= kinds[i].flag;
		size_t used = strlen(names);
		snprintf(names + used, sizeof(names) - used, "%s%s", used ? " " : "", namespace_kind_names[kinds[i].kind]);
	}
	*ret_names = plan_text(entry->plan, "%s", names);
	return 0;
}

static int look_at_privileges(struct entry *entry, const struct container_exec_options *options, struct error *err)
{
	char path[64], text[8192], mask[32];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)options->pid);
	if (file_read("", path, text, sizeof(text), err) < 0)
		return gone(options->pid, err);
	if (!text_field(text, "CapBnd", mask, sizeof(mask)))
		return error_set(err, EBADMSG, "%s: no CapBnd", path);
	entry->plan->capabilities = options->capabilities & strtoull(mask, NULL, 16);
	entry->plan->last_capability = capabilities_last();
	entry->kept = options->run_uid == 0 ? entry->plan->capabilities : 0; /* as after any exec by another user */
	/* Without a file of that name there is nothing that denies it. */
	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)options->pid);
	entry->drops_groups = file_read("", path, text, sizeof(text), NULL) < 0 || strcmp(text, "deny") != 0;
	if (sched_getaffinity(options->pid, sizeof(entry->plan->cpus), &entry->plan->cpus) < 0)
		return errno == ESRCH ? gone(options->pid, err) : error_errno(err, "CPUs of process %d", (int)options->pid);
	return 0;
}

/* A process that joins a frozen group stops there, and cannot even be ended before the group goes on. */
static int check_frozen(const char *dir, struct error *err)
{
	char text[64];

	if ((file_read(dir, "/freezer.state", text, sizeof(text), NULL) < 0 || strcmp(text, "THAWED") == 0) &&
	    (file_read(dir, "/cgroup.freeze", text, sizeof(text), NULL) < 0 || strcmp(text, "0") == 0))
		return 0;
	error_set(err, EBUSY, "its processes are frozen");
	return error_hint(err, "let them go on first: bench container resume");
}

/* Version 1 is joined by the process itself, version 2 by its birth. */
static int open_groups(struct entry *entry, const char *const dirs[CGROUP_CONTROLLER_COUNT], struct error *err)
{
	struct cgroup own = {0};
	int rc = 0;

	for (size_t i = 0; i < CGROUP_CONTROLLER_COUNT && dirs[i] && rc == 0; i++) {
		struct statfs fs;

		if (statfs(dirs[i], &fs) < 0)
			return error_errno(err, "its cgroup %s", dirs[i]);
		rc = check_frozen(dirs[i], err);
		if (rc < 0)
			return rc;
		if (fs.f_type != CGROUP2_SUPER_MAGIC)
			rc = path_format(own.dirs[own.n_dirs++], CGROUP_PATH_MAX, err, "%s", dirs[i]);
		else if (entry->born_in < 0 && (entry->born_in = open(dirs[i], O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
			return error_errno(err, "its cgroup %s", dirs[i]);
	}
	if (rc == 0)
		rc = entry->n_joins = cgroup_v1_ops.open_join(&own, entry->join_fds, err);
	return rc < 0 ? rc : 0;
}

/* Where the mounts are ours as well, it was shut in by chroot. */
static int open_root(struct entry *entry, pid_t pid, struct error *err)
{
	char path[64];

	if (entry->namespaces & CLONE_NEWNS)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	entry->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return entry->root_fd < 0 ? error_errno(err, "open %s", path) : 0;
}

/* ---- the steps ---- */

static void add_middle(struct entry *entry, const struct container_exec_options *options, const char *names)
{
	struct container_plan *plan = entry->plan;

	plan_add(plan, "hide", step_hide, "", 0);
	plan_oom_score(plan, "");
	if (plan->sets_oom_score)
		plan_add(plan, "oom-score", step_oom_score, "0", 0);
	plan_add(plan, "session", step_session, "", 0);
	plan_add(plan, "join-cgroup", step_entry_join, "", 0);
	plan_add(plan, "affinity", step_affinity, "", 0);
	if (entry->namespaces)
		plan_add(plan, "namespaces", step_enter, names, 0);
	if (entry->root_fd >= 0)
		plan_add(plan, "root", step_entry_root, "", 0);
	plan_rlimits(plan);
	plan_add(plan, "signals", step_signals, "default", 0);
	plan_add(plan, "bounding-set", step_bounding_set, "", 0);
	plan_add(plan, "user", step_entry_ids, plan_text(plan, "%u:%u", options->run_uid, options->run_gid), 0);
	plan_add(plan, "keyring", step_keyring, "new", !options->seccomp_off);
	if (options->terminal)
		plan_add(plan, "terminal", step_entry_terminal, "/dev/pts", 0);
	plan_add(plan, "stdio", step_entry_stdio, "0 1 2, others closed", 0);
	plan_open_files(plan);
	plan_add(plan, "working-folder", step_working_dir, plan_text(plan, "%s", options->working_dir ? options->working_dir : "/"), 0);
	plan_add(plan, "no-new-privileges", step_no_new_privileges, "", 0);
	plan_add(plan, "capabilities", step_entry_capabilities, "", 0);
	if (!options->seccomp_off)
		plan_add(plan, "seccomp", step_seccomp, "allow-list", 0);
}

static void add_inside(struct entry *entry, const struct container_exec_options *options)
{
	struct container_plan *plan = entry->plan;

	plan_add(plan, "fork", step_fork, "", 0);
	plan_add(plan, "unblock-signals", step_unblock_signals, "", 0); /* forgets who it would die with: so it comes first */
	plan_add(plan, "go", step_go, "", 0);
	plan_add(plan, "session", step_entry_session, "", 0);
	if (!options->seccomp_off)
		plan_add(plan, "no-strangers", step_no_strangers, "", 0);
	plan_add(plan, "exec", step_exec, plan->argv[0], 0);
}

static int compute(struct entry *entry, const struct container_exec_options *options, const char *names, struct error *err)
{
	struct container_plan *plan = entry->plan;
	int rc = plan_program(plan, &(struct container_options){.argv = options->argv, .envp = options->envp}, err);

	if (rc == 0 && options->working_dir && options->working_dir[0] != '/')
		rc = error_set(err, EINVAL, "working folder '%s' is no absolute path", options->working_dir);
	if (rc == 0 && !options->seccomp_off)
		rc = filter_build(&plan->filter, &plan->n_filter, err);
	if (rc < 0)
		return rc;
	add_middle(entry, options, names);
	add_inside(entry, options);
	for (size_t i = 0; i < plan->n_steps; i++)
		if (!plan->steps[i].arg)
			return error_set(err, ENOMEM, "out of memory");
	return 0;
}

static int open_channels(struct entry *entry, const int stdio[3], struct error *err)
{
	struct container_plan *plan = entry->plan;
	int rc = plan_nothing(plan, err);

	entry->born = mmap(NULL, sizeof(*entry->born), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (entry->born == MAP_FAILED)
		return error_errno(err, "page that is shared");
	*entry->born = 0; /* there from now on, and ours: a full group is no reason that it cannot be written */
	if (rc == 0)
		rc = plan_stacks_make(plan, err);
	if (rc == 0)
		rc = plan_channel(plan, err);
	entry->channel = plan->channel[1];
	entry->child = plan_child(plan, "");
	for (int i = 0; i < 3; i++)
		entry->child.stdio[i] = stdio[i] >= 0 ? stdio[i] : plan->nothing_fd;
	return rc;
}

int entry_prepare(const struct container_exec_options *options, const int stdio[3], struct entry *entry, struct error *err)
{
	const char *names = NULL;

	*entry = ENTRY_NONE;
	entry->uid = options->run_uid;
	entry->gid = options->run_gid;
	entry->terminal = options->terminal;
	entry->plan = plan_new(err);
	if (!entry->plan)
		return -ENOMEM;
	int rc = hold_target(entry, options, err);
	if (rc == 0)
		rc = look_at_namespaces(entry, options->pid, &names, err);
	if (rc == 0)
		rc = look_at_privileges(entry, options, err);
	if (rc == 0)
		rc = open_groups(entry, options->cgroup_dirs, err);
	if (rc == 0)
		rc = open_root(entry, options->pid, err);
	if (rc == 0)
		rc = compute(entry, options, names, err);
	if (rc == 0)
		rc = open_channels(entry, stdio, err);
	if (rc == 0 && poll(&(struct pollfd){.fd = entry->target, .events = POLLIN}, 1, 0) != 0)
		rc = gone(options->pid, err);
	return rc;
}

void entry_done(struct entry *entry)
{
	for (int i = 0; i < entry->n_joins; i++)
		cleanup_close(&entry->join_fds[i]);
	if (entry->born && entry->born != MAP_FAILED)
		munmap(entry->born, sizeof(*entry->born));
	cleanup_close(&entry->born_in);
	cleanup_close(&entry->root_fd);
	cleanup_close(&entry->target);
	container_plan_free(entry->plan);
	*entry = ENTRY_NONE;
}
