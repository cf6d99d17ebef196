/* What a plan adds for an init that manages the container: a /proc in which it may write what is its own, and a part of the cgroup hierarchy. */
#include "plan_build.h"

#include "steps.h"

#include <base/files.h>

#include <errno.h>
#include <linux/mount.h>

#define NO_USE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* Without a user namespace, /proc's files and the host's are the same root's. */
int plan_system(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	const unsigned needed = CONTAINER_NS_MOUNT | CONTAINER_NS_PID | CONTAINER_NS_NET | CONTAINER_NS_CGROUP;

	if (!options->system)
		return 0;
	if (options->bare || options->pool)
		return error_set(err, EINVAL, "a system container is started cold: pool and bare do not go with it");
	if ((options->namespaces & needed) != needed)
		return error_set(err, EINVAL, "a system container needs namespaces of its own: mount, pid, net, cgroup");
	if (!plan->maps_ids) {
		error_set(err, EPERM, "a system container needs a user namespace with many ids: its services have users of their own");
		return error_hint(err, "run as root, with userns=auto; bench doctor says what hinders");
	}
	plan_add_parent(plan, (struct parent_step){
				      .name = "delegate", .apply = parent_delegate, .arg = "a group to divide up", .before_clone = true});
	return 0;
}

/* Writable, for a process writes its own files there (oom_score_adj); what is the kernel's or the namespaces' stays read-only. */
void plan_system_proc(struct container_plan *plan, const struct container_options *options)
{
	static const char *const kept[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};

	plan_add(plan, "mount", step_mount_proc, "proc", NO_USE);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		char path[PATH_MAX];

		if (path_format(path, sizeof(path), NULL, "%s/%s", options->host_root, kept[i]) == 0 && path_exists(path))
			plan_add(plan, "keep", step_keep_read_only, kept[i], 0);
	}
}

void plan_system_groups(struct container_plan *plan, const struct container_options *options)
{
	if (options->system)
		plan_add(plan, "mount", step_mount_groups, "sys/fs/cgroup", NO_USE);
}
