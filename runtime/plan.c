/* From options to an array of steps. Changes nothing on the host; what it reads of it is behind options.host_root. */
#include "plan_build.h"

#include "link.h"

#include "pool.h"
#include "rootfs.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DEFAULT_TIMEOUT_MS = 10000 };

/* ---- building ---- */

const char *plan_text(struct container_plan *plan, const char *format, ...)
{
	char *made = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&made, format, ap) < 0)
		made = NULL;
	va_end(ap);
	char **more = made ? reallocarray(plan->texts, plan->n_texts + 1, sizeof(*more)) : NULL;
	if (!more) {
		free(made);
		return NULL;
	}
	plan->texts = more;
	return plan->texts[plan->n_texts++] = made;
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

/* The newest call that the root needs is mount_setattr. */
static int check_kernel(const struct container_options *options, struct error *err)
{
	if (!(options->namespaces & CONTAINER_NS_MOUNT) || syscall(SYS_mount_setattr, -1, "", 0, NULL, 0) == 0 || errno != ENOSYS)
		return 0;
	error_set(err, ENOSYS, "this kernel has no mount_setattr");
	return error_hint(err, "Linux 5.12 or newer is needed, and a system call filter around us that lets it pass; or mount=host");
}

int plan_nothing(struct container_plan *plan, struct error *err)
{
	plan->nothing_fd = memfd_create("nothing", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (plan->nothing_fd < 0 || fcntl(plan->nothing_fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return error_errno(err, "make an empty file");
	return 0;
}

/* Everything up to the root. */
static int plan_surroundings(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	plan_network(plan, options);
	plan_namespaces(plan, options);
	int rc = plan_cgroup(plan, options, err);

	if (rc == 0)
		rc = plan_guard_devices(plan, options, err);
	if (rc < 0)
		return rc;
	plan_add(plan, "session", step_session, "", 0);
	if (options->namespaces & CONTAINER_NS_UTS)
		plan_add(plan, "hostname", step_hostname, plan_text(plan, "%s", options->hostname ? options->hostname : ""), 0);
	if (plan->journal && plan->tree.n_dirs == 0)
		plan_add_parent(plan, (struct parent_step){.name = "name-child", .apply = parent_name_child, .arg = "in the journal"});
	plan_ids_steps(plan, options);
	plan_add(plan, "keyring", step_keyring, "new", !options->seccomp_off);
	return 0;
}

/* The child's threads end, and all that leads out of the container is closed. */
static int plan_closing(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	plan_network_settle(plan, options);
	if (options->namespaces & CONTAINER_NS_MOUNT)
		plan_add(plan, "old-root-left", step_old_root_left, "", 0);
	plan_add(plan, "stdio", step_stdio, "0 1 2, others closed", 0);
	plan_open_files(plan);
	return plan_identity(plan, options, err);
}

static int plan_inside(struct container_plan *plan, const struct container_options *options, bool whole, struct error *err)
{
	int rc = whole && !plan_is_overlay(options) ? runtime_rootfs_check(options->rootfs, err) : 0;

	if (rc == 0 && !realpath(whole ? options->rootfs : "/", plan->rootfs))
		rc = error_errno(err, "root folder %s", options->rootfs);
	if (rc == 0 && whole)
		rc = plan_program(plan, options, err);
	if (rc == 0)
		rc = plan_root(plan, options, whole ? plan->argv[0] : "", err);
	if (rc == 0)
		rc = plan_join(plan, options, whole, err);
	if (rc == 0)
		plan_ahead(plan);
	plan_network_join(plan, options);
	plan_root_enter(plan, options);
	if (rc == 0 && whole)
		rc = plan_link(plan, options, err);
	/* Late as well: until here the steps may run wherever there is room. */
	if (rc == 0)
		rc = plan_affinity(plan, options, err);
	if (rc < 0)
		return rc;
	/* A working folder is looked for where nothing leads out any more; else the filter need not wait for that. */
	if (options->working_dir)
		rc = plan_closing(plan, options, err);
	if (rc == 0)
		rc = plan_privileges(plan, options, err);
	if (rc == 0 && !options->working_dir)
		rc = plan_closing(plan, options, err);
	if (rc == 0 && whole)
		plan_add(plan, "exec", step_exec, plan->argv[0], 0);
	return rc;
}

static int plan_whole(struct container_plan *plan, const struct container_options *options, bool whole, struct error *err)
{
	int rc = plan_surroundings(plan, options, err);

	snprintf(plan->facts.start_class, sizeof(plan->facts.start_class), "cold: cgroup, namespaces, root and filter made in line");
	return rc < 0 ? rc : plan_inside(plan, options, whole, err);
}

enum kind { PROBE, COLD, WARM, SLOT, BARE };

static int build(struct container_plan *plan, enum kind kind, const struct container_options *options, struct error *err)
{
	switch (kind) {
	case WARM:
		return plan_warm(plan, options, err);
	case SLOT:
		return plan_slot(plan, options, err);
	case BARE:
		return plan_bare(plan, options, err);
	default:
		return plan_whole(plan, options, kind == COLD, err);
	}
}

struct container_plan *plan_new(struct error *err)
{
	struct container_plan *plan = calloc(1, sizeof(*plan));

	if (!plan) {
		error_set(err, ENOMEM, "container plan: out of memory");
		return NULL;
	}
	plan->warm.net_fd = plan->warm.mount_fd = plan->warm.user_fd = -1;
	plan->ids_lock_fd = plan->parent_fd = plan->sysctl_fd = plan->nothing_fd = plan->userns_fd = plan->dev_fd = plan->channel[0] =
		plan->channel[1] = -1;
	return plan;
}

static int prepare(enum kind kind, const struct container_options *options, struct container_plan **ret, struct error *err)
{
	struct container_plan *plan = plan_new(err);

	if (!plan)
		return -ENOMEM;
	plan->limits = options->limits;
	plan->run_uid = options->run_uid;
	plan->run_gid = options->run_gid;
	plan->journal = options->journal;
	plan->start_timeout_ms = options->start_timeout_ms > 0 ? options->start_timeout_ms : DEFAULT_TIMEOUT_MS;
	plan->own_null = options->namespaces & CONTAINER_NS_MOUNT && kind != BARE;
	plan_oom_score(plan, options->host_root);
	int rc = check_kernel(options, err);
	if (rc == 0)
		rc = plan_devices(plan, options, err);
	if (rc == 0)
		rc = build(plan, kind, options, err);
	if (rc == 0)
		rc = plan_complete(plan, err);
	if (rc == 0)
		rc = plan_stacks_make(plan, err);
	if (rc == 0)
		rc = plan_nothing(plan, err);
	struct container_options slots = *options;
	slots.ids_of = plan;
	if (rc == 0 && kind == WARM)
		rc = pool_new(&slots, &plan->pool, err);
	if (rc < 0) {
		container_plan_free(plan);
		return rc;
	}
	*ret = plan;
	return 0;
}

int plan_prepare(const struct container_options *options, bool whole, struct container_plan **ret, struct error *err)
{
	return prepare(!whole ? PROBE : options->bare ? BARE : options->pool ? WARM : COLD, options, ret, err);
}

int plan_prepare_slot(const struct container_options *options, struct container_plan **ret, struct error *err)
{
	return prepare(SLOT, options, ret, err);
}

int container_prepare(const struct container_options *options, struct container_plan **ret, struct error *err)
{
	return plan_prepare(options, true, ret, err);
}
