/* Two plans for the class "warm". One makes a slot ahead of time: the namespaces that are dear (network, mount, user, ipc, uts) with the container's whole
 * root, held by descriptors when its child has ended. The other starts a container in a slot: the rest of the namespaces, /proc, the cgroup's
 * membership, privileges, exec. A slot serves one container and no other after it, so that warm containers share no more than cold ones. */
#include "plan_build.h"

#include "pool.h"
#include "steps.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOT_NAMESPACES = CONTAINER_NS_MOUNT | CONTAINER_NS_NET, SLOT_MAY_HOLD = CONTAINER_NS_UTS | CONTAINER_NS_IPC };

static int check(const struct container_plan *plan, const struct container_options *options, struct error *err)
{
	unsigned needed = SLOT_NAMESPACES | CONTAINER_NS_PID;

	if (!plan->privileged || plan->nested) {
		error_set(err, EPERM, "pool=%u: namespaces made ahead can be entered by the host's root alone", options->pool);
		return error_hint(err, "run as root, or without pool");
	}
	if ((options->namespaces & needed) != needed || options->root != CONTAINER_ROOT_READ_ONLY || options->layers || options->n_mounts ||
	    options->devices || options->terminal || options->network > CONTAINER_NETWORK_NONE)
		return error_set(
			err, EINVAL,
			"pool=%u: only for containers with namespaces mount, net and pid, a read-only root, no volume, device, terminal "
			"or link",
			options->pool);
	return options->pool <= POOL_MAX ? 0 : error_set(err, EINVAL, "pool=%u: more than %d slots", options->pool, POOL_MAX);
}

int plan_slot(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	struct container_options chosen = *options;

	chosen.namespaces = SLOT_NAMESPACES | (options->namespaces & SLOT_MAY_HOLD);
	chosen.cgroup = CONTAINER_OFF;
	plan->is_slot = true;
	plan_network(plan, &chosen);
	plan_namespaces(plan, &chosen);
	int rc = plan_cgroup(plan, &chosen, err);
	if (rc < 0)
		return rc;
	plan_ids_steps(plan, &chosen);
	if (!realpath(options->rootfs, plan->rootfs))
		return error_errno(err, "root folder %s", options->rootfs);
	rc = plan_root(plan, &chosen, options->argv && options->argv[0] ? options->argv[0] : "/", err);
	if (rc < 0)
		return rc;
	plan_network_join(plan, &chosen);
	plan_root_enter(plan, &chosen);
	plan_network_settle(plan, &chosen);
	plan_add(plan, "old-root-left", step_old_root_left, "", 0);
	uint32_t number =
		plan_add_parent(plan, (struct parent_step){.name = "hold", .apply = pool_hold, .arg = "namespaces by descriptor"});
	plan_add(plan, "tell-joined", step_tell_joined, "", 0);
	plan_add(plan, "await", step_await, "hold", number);
	return 0;
}

/* Between the clone and what a cold start does as well. */
static void plan_enter(struct container_plan *plan, const struct container_options *options)
{
	plan_add(plan, "session", step_session, "", 0);
	plan_add(plan, "new-proc", step_new_proc, "", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (plan->tree.n_dirs && !plan->tree.ops->join_at_clone)
		plan_add(plan, "join-cgroup", step_join_slot, "writes 0 to tasks", 0);
	plan_add(plan, "enter", step_enter_slot,
		 plan_text(plan, "net mount%s%s%s of a slot", options->namespaces & CONTAINER_NS_UTS ? " uts" : "",
			   options->namespaces & CONTAINER_NS_IPC ? " ipc" : "", plan->maps_ids ? " user" : ""),
		 0);
	plan_add(plan, plan->maps_ids ? "become-root" : "drop-groups", plan->maps_ids ? step_become_root : step_no_groups, "", 0);
	if (options->namespaces & CONTAINER_NS_UTS)
		plan_add(plan, "hostname", step_hostname, plan_text(plan, "%s", options->hostname ? options->hostname : ""), 0);
	plan_add(plan, "keyring", step_keyring, "new", !options->seccomp_off);
	plan_add(plan, "mount", step_attach_proc, "proc", 0);
	plan_proc_masks(plan, options);
	plan_add(plan, "top", step_top, "/", 0);
	if (plan->late_flags)
		plan_add(plan, "namespaces", step_namespaces, plan_late_names(plan), plan->late_flags);
}

int plan_warm(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	plan_namespaces(plan, options);
	plan->n_steps = 0; /* all but the pid namespace are in the slot, or made later */
	plan->clone_flags = CLONE_NEWPID | (plan->clone_flags & CLONE_NEWUSER);
	int rc = check(plan, options, err);

	if (rc == 0)
		rc = plan_cgroup(plan, options, err);
	if (rc == 0)
		rc = plan_guard_devices(plan, options, err);
	if (rc == 0)
		rc = plan_program(plan, options, err);
	if (rc < 0)
		return rc;
	/* Before it joins a group: a group that is new on a CPU stands at the end of the line there. */
	rc = plan_affinity(plan, options, err);
	plan_enter(plan, options);
	plan_ahead(plan);
	plan_add(plan, "stdio", step_stdio, "0 1 2, others closed", 0);
	plan_open_files(plan);
	if (rc == 0)
		rc = plan_identity(plan, options, err);
	if (rc == 0)
		rc = plan_privileges(plan, options, err);
	if (rc < 0)
		return rc;
	plan_add(plan, "exec", step_exec, plan->argv[0], 0);
	plan->clone_flags &= ~(uint64_t)CLONE_NEWUSER; /* the slot's */
	snprintf(plan->facts.start_class, sizeof(plan->facts.start_class),
		 "warm: cgroup, root, and namespaces net, mount%s%s%s from a pool of %u, each used once; pid and the others made in line",
		 options->namespaces & CONTAINER_NS_UTS ? ", uts" : "", options->namespaces & CONTAINER_NS_IPC ? ", ipc" : "",
		 plan->maps_ids ? ", user" : "", options->pool);
	return 0;
}
