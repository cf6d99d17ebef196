#include "support.h"

#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The newest call that the root needs is mount_setattr (Linux 5.12). */
static bool has_mount_calls(void)
{
	return !(syscall(SYS_mount_setattr, -1, "", 0, NULL, 0) < 0 && errno == ENOSYS);
}

enum container_support container_support(const struct container_options *options, struct error *ret_found)
{
	struct container_options tried = *options;
	struct container_plan *plan;
	struct error err = {0};
	pid_t pid = 0;
	int pidfd = -1;

	if (!has_mount_calls()) {
		error_set(ret_found, ENOSYS, "this kernel has no mount_setattr");
		error_hint(ret_found, "Linux 5.12 or newer is needed");
		return CONTAINER_UNSUPPORTED;
	}
	int rc = plan_prepare(&tried, false, &plan, ret_found);
	if (rc < 0)
		return CONTAINER_UNSUPPORTED;
	plan->child = (struct child){.plan = plan, .id = "probe", .root_fd = -1, .empty_fd = -1, .tmpfs_fd = -1};
	rc = plan_launch(plan, -1, plan->start_timeout_ms, &pid, &pidfd, &err);
	plan_reap(&pid, &pidfd, NULL, NULL);

	enum container_support verdict = rc < 0 ? CONTAINER_UNSUPPORTED : plan->tree.note[0] ? CONTAINER_LIMITED : CONTAINER_SUPPORTED;
	if (verdict == CONTAINER_UNSUPPORTED) {
		*ret_found = err;
	} else if (verdict == CONTAINER_LIMITED) {
		error_set(ret_found, EPERM, "%s", plan->tree.note);
		error_hint(ret_found, "%s",
			   plan->tree.remedy[0]   ? plan->tree.remedy
			   : plan->facts.rootless ? "run as root for cgroup limits"
						  : "mount the controller, or run without its limit");
	} else {
		error_set(ret_found, 0, "namespaces %s; cgroup %s", plan->facts.namespaces, plan->facts.cgroup);
	}
	container_plan_free(plan);
	return verdict;
}
