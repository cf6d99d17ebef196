/* Steps of a container that is started in a slot of a pool. */
#include "calls.h"
#include "child_mounts.h"
#include "plan.h"
#include "pool.h"
#include "steps.h"

#include <fcntl.h>
#include <sched.h>

/* While the host's own /proc is in sight: inside a user namespace the kernel makes that a condition. */
int step_new_proc(struct child *child, const struct step *step)
{
	child->proc_fd = mount_new("proc", "", step->number);
	return child->proc_fd < 0 ? child->proc_fd : 0;
}

int step_join_slot(struct child *child, const struct step *step)
{
	const int *fds = child->slot->join_fds;
	long rc = 0;

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && fds[i] >= 0 && rc >= 0; i++)
		rc = CALL(SYS_write, fds[i], "0", 1);
	return rc < 0 ? (int)rc : 0;
}

/* The user namespace last: with it go the rights over the others. */
int step_enter_slot(struct child *child, const struct step *step)
{
	const struct pool_slot *slot = child->slot;
	const int fds[] = {slot->net_fd, slot->mount_fd, slot->uts_fd, slot->ipc_fd, slot->user_fd};
	long rc = 0;

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]) && rc == 0; i++)
		rc = fds[i] >= 0 ? CALL(SYS_setns, fds[i], 0) : 0;
	CALL(SYS_umask, 0); /* until step_rlimits, as in a cold start */
	if (rc == 0)
		rc = CALL(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rc < 0)
		return (int)rc;
	child->root_fd = (int)rc;
	child->empty_fd = mount_target(child->root_fd, "proc", O_DIRECTORY);
	return child->empty_fd < 0 ? child->empty_fd : 0;
}

/* Covering files of /proc has led us there. */
int step_top(struct child *child, const struct step *step)
{
	return done(CALL(SYS_chdir, "/"));
}

int step_attach_proc(struct child *child, const struct step *step)
{
	return mount_hang(child, child->proc_fd, step->arg, O_DIRECTORY);
}
