/* What a plan says of ids: whether there is a user namespace, who its root is outside, and what that allows. */
#include "plan_build.h"

#include "capabilities.h"
#include "steps.h"
#include "sysctl.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

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

/* Folders of /proc and /sys that exist to be mounted on. */
static bool is_mount_point(const char *path)
{
	static const char *const known[] = {"/proc/sys/fs/binfmt_misc",
					    "/proc/fs/nfsd",
					    "/sys/fs/",
					    "/sys/kernel/debug",
					    "/sys/kernel/tracing",
					    "/sys/kernel/config",
					    "/sys/kernel/security",
					    "/sys/firmware/efi/efivars"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(path, known[i], strlen(known[i])) == 0)
			return true;
	return strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/sys/", 5) != 0;
}

/* The kernel gives a user namespace a /proc or /sys of its own only where ours shows all of it: not in most containers. */
static bool shows_all(const char *host_root)
{
	char path[PATH_MAX];
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	bool all = true;

	_cleanup_fclose_ FILE *mounts =
		path_format(path, sizeof(path), NULL, "%s/proc/self/mountinfo", host_root) < 0 ? NULL : fopen(path, "re");
	while (mounts && all && getline(&line, &size, mounts) > 0) {
		char *at = line;

		for (int i = 0; i < 4 && at; i++)
			at = (at = strchr(at, ' ')) ? at + 1 : NULL;
		if (at)
			at[strcspn(at, " ")] = '\0';
		all = !at || is_mount_point(at);
	}
	return all;
}

/* Held for the plan's life. A pool's slots are containers of the plan that they are made for; the tree of another machine has no containers. */
static int choose(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	if (options->ids_of && options->ids_of->maps_ids) {
		plan->ids = options->ids_of->ids;
		return 0;
	}
	int rc = ids_choose(options->host_root, options->cgroup_name, &plan->ids, options->host_root[0] ? NULL : &plan->ids_lock_fd, err);
	if (rc == 0 && plan->ids.shared)
		plan_note(plan, "ids %u-%u are shared with another container: there is no free block of %d (/etc/subuid, /etc/subgid)",
			  plan->ids.uid, plan->ids.uid + IDS_COUNT - 1, IDS_COUNT);
	return rc;
}

bool plan_can_map(const struct container_plan *plan, const char *path)
{
	struct plan_source source = {.path = path, .template_fd = -1, .maps_ids = true};
	int fd = plan->userns_fd < 0 ? 0 : source_open(&source, plan->userns_fd);

	if (fd > 0)
		close(fd);
	return fd >= 0;
}

/* A part of a root that can be written, or that has layers, whose file system cannot map ids; NULL: none. Nobody inside could change files of such
 * a part, or make some of its folders; a root that is only read gets along with it. */
static const char *unmapped_part(const struct container_plan *plan, const struct container_options *options)
{
	const char *const ends[] = {options->rootfs, options->root == CONTAINER_ROOT_UPPER ? options->upper : NULL};

	if (!plan_is_overlay(options))
		return NULL;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] && path_exists(ends[i]) && !plan_can_map(plan, ends[i]))
			return ends[i];
	for (const char *const *layer = options->layers; layer && *layer; layer++)
		if (path_exists(*layer) && !plan_can_map(plan, *layer))
			return *layer;
	return NULL;
}

/* A user namespace with the ids, for mounts; NULL, or why it is of no use. */
static const char *make_namespace(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	plan->userns_fd = ids_namespace(&plan->ids, err);
	const char *part = plan->userns_fd < 0 ? NULL : unmapped_part(plan, options);

	if (!part)
		return plan->userns_fd < 0 ? err->message : NULL;
	cleanup_close(&plan->userns_fd);
	cleanup_close(&plan->ids_lock_fd);
	plan->userns_fd = plan->ids_lock_fd = -1;
	error_set(err, EOPNOTSUPP, "the file system of %.80s cannot map ids (ext4, xfs and btrfs can, tmpfs from Linux 6.3 on)", part);
	return err->message;
}

/* Why root cannot have its container's ids mapped; NULL: it can, and the plan has the ids. */
static const char *cannot_map(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	const uint64_t needed = UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID;
	int64_t most = 0;

	if (file_read_int(options->host_root, "/proc/sys/user/max_user_namespaces", &most, NULL) < 0 || most < 1)
		return "this kernel has none, or user.max_user_namespaces is 0";
	if (!shows_all(options->host_root))
		return "a part of /proc or /sys is covered here, so that it could have none of its own";
	if (geteuid() == 0 && (capabilities_held() & needed) != needed)
		return "CAP_SETUID and CAP_SETGID are missing";
	if (choose(plan, options, err) < 0)
		return err->message;
	if (options->host_root[0])
		return NULL; /* the tree of another machine: nothing can be tried */
	return make_namespace(plan, options, err);
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

void plan_ids(struct container_plan *plan, const struct container_options *options)
{
	struct error err = {0};
	const char *why = NULL;

	plan->nested = is_nested(options->host_root);
	plan->privileged = is_root(options);
	plan->facts.rootless = !plan->privileged || plan->nested;
	if (plan->facts.rootless) {
		if (options->userns == CONTAINER_ON || (options->userns == CONTAINER_AUTO && !plan->privileged))
			plan->clone_flags |= CLONE_NEWUSER;
	} else if (options->userns == CONTAINER_ON || (options->userns == CONTAINER_AUTO && options->namespaces & CONTAINER_NS_MOUNT)) {
		why = cannot_map(plan, options, &err);
		plan->maps_ids = !why;
		if (!why || options->userns == CONTAINER_ON)
			plan->clone_flags |= CLONE_NEWUSER;
		if (why)
			plan_note(plan,
				  options->userns == CONTAINER_ON ? "root inside is root outside, in a user namespace: %s"
								  : "no user namespace: %s",
				  why);
	}
	plan->restores_dumpable = plan->maps_ids && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
}

void plan_ids_tell(const struct container_plan *plan, char *ret, size_t size)
{
	if (plan->maps_ids)
		snprintf(ret, size, "user (0-%d are %u-%u)", IDS_COUNT - 1, plan->ids.uid, plan->ids.uid + IDS_COUNT - 1);
	else
		snprintf(ret, size, "%s", plan->clone_flags & CLONE_NEWUSER ? "user" : "");
}

/* Quotas by user of the new user namespace. Not by way of the container's /proc, which is read-only. */
static void plan_quotas(struct container_plan *plan, const struct container_options *options)
{
	struct statvfs st;

	plan->sysctl_fd = sysctl_open(options->host_root);
	if (!options->host_root[0] && (plan->sysctl_fd < 0 || (fstatvfs(plan->sysctl_fd, &st) == 0 && st.f_flag & ST_RDONLY)))
		plan_note(plan, "quotas by user (inotify, user namespaces) are the host's: /proc/sys is %s here",
			  plan->sysctl_fd < 0 ? "missing" : "read-only");
	else if (options->namespaces & CONTAINER_NS_NET)
		plan->helper_sets_quotas = true;
	else
		plan_add(plan, "quotas", step_quotas, "32 inotify instances, no user namespaces", 0);
}

void plan_ids_steps(struct container_plan *plan, const struct container_options *options)
{
	/* First: a child has all rights over its namespace already, and would wait for its parent's steps. */
	if (plan->clone_flags & CLONE_NEWUSER)
		plan_quotas(plan, options);
	if (plan->maps_ids) {
		char users[32], groups[32];

		ids_map(plan->ids.uid, users);
		ids_map(plan->ids.gid, groups);
		uint32_t number = plan_add_parent(plan, (struct parent_step){.name = "map-ids",
									     .apply = parent_map_ids,
									     .arg = plan_text(plan, "%s, groups %s", users, groups)});
		plan_add(plan, "await", step_await, "map-ids", number);
		plan_add(plan, "become-root", step_become_root, "0 inside, no groups", 0);
	} else if (plan->clone_flags & CLONE_NEWUSER) {
		plan_add(plan, "map-ids", step_map_ids, plan_text(plan, "0 %u 1%c0 %u 1", options->uid, '\0', options->gid), 0);
	} else {
		plan_groups(plan, options);
	}
}

int plan_channel(struct container_plan *plan, struct error *err)
{
	if (plan->channel[0] >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, plan->channel) < 0)
		return error_errno(err, "channel to the child");
	return 0;
}
