/* The steps that build a container's root: where it comes from, what is mounted into it, what is covered. */
#include "dev.h"
#include "plan_build.h"
#include "steps.h"

#include <base/files.h>

#include <errno.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define READ_ONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define NO_USE    (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* What of the kernel shows through /proc and /sys; those that this host has are masked. The rest of both is read-only. */
static const char *const masked[] = {
	"/proc/acpi", "/proc/asound", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_stats", NULL,
};
static const char *const masked_sys[] = {"/sys/firmware", "/sys/devices/virtual/powercap", NULL};

/* For the eyes of the host's root alone, which a container's root is where root has no user namespace. Each costs a few microseconds. */
static const char *const masked_from_root[] = {
	"/proc/kcore",      "/proc/timer_list",  "/proc/kpagecgroup",
	"/proc/kpagecount", "/proc/kpageflags",  "/proc/pagetypeinfo",
	"/proc/slabinfo",   "/proc/vmallocinfo", NULL,
};

static bool is_noexec(const char *dir)
{
	struct statvfs st;

	return statvfs(dir, &st) == 0 && st.f_flag & ST_NOEXEC;
}

static int refuse_noexec(const struct container_plan *plan, const char *why, struct error *err)
{
	error_set(err, EACCES, "root folder %s: its file system is mounted noexec, %s", plan->rootfs, why);
	return error_hint(err, "put it on another file system, for a run of bench by BENCH_RUN_DIR");
}

static void add_masks(struct container_plan *plan, const struct container_options *options, const char *const *paths)
{
	for (; *paths; paths++) {
		char path[PATH_MAX];
		struct stat st;

		if (path_format(path, sizeof(path), NULL, "%s%s", options->host_root, *paths) == 0 && stat(path, &st) == 0)
			plan_add(plan, "mask", S_ISDIR(st.st_mode) ? step_mask_dir : step_mask_file, *paths + 1, 0);
	}
}

/* Can the file system of a folder show other owners? Tried where it is this machine's. */
static bool can_map_ids(const struct container_plan *plan, const char *path)
{
	struct plan_source source = {.path = path, .template_fd = -1, .maps_ids = true};
	int fd = plan->userns_fd < 0 ? 0 : source_open(&source, plan->userns_fd);

	if (fd > 0)
		close(fd);
	return fd >= 0;
}

int plan_source(struct container_plan *plan, struct plan_source source, size_t *ret, struct error *err)
{
	if (plan->n_sources == PLAN_SOURCES_MAX)
		return error_set(err, E2BIG, "container plan: more than %d layers and mounts", PLAN_SOURCES_MAX);
	source.by_parent = source.by_parent || plan->maps_ids;
	if (source.by_parent && !plan->opens_sources)
		plan_add_parent(plan, (struct parent_step){.name = "open", .apply = parent_open_sources, .arg = "", .before_clone = true});
	plan->opens_sources |= source.by_parent;
	if (plan->maps_ids && source.template_fd < 0) {
		source.maps_ids = can_map_ids(plan, source.path);
		if (!source.maps_ids)
			plan_note(plan, "files of %.150s belong to nobody inside: its file system cannot map ids", source.path);
	}
	*ret = plan->n_sources++;
	plan->sources[*ret] = source;
	return 0;
}

/* A mount of an outer user namespace keeps its noexec inside ours. Then a program without company can be copied to where it may run. */
static int plan_root_mount(struct container_plan *plan, const struct container_options *options, const char *program, struct error *err)
{
	bool locked = (plan->clone_flags & CLONE_NEWUSER && !plan->maps_ids) || plan->nested, noexec = is_noexec(plan->rootfs);
	struct plan_source source = {
		.path = plan->rootfs, .template_fd = -1, .set = READ_ONLY, .clear = noexec && !locked ? MOUNT_ATTR_NOEXEC : 0};
	size_t at;

	if (program[0] && (!locked || !noexec)) {
		int rc = plan_source(plan, source, &at, err);

		if (rc == 0)
			plan_add(plan, "root", step_root, plan->rootfs, at);
		return rc;
	}
	plan_add(plan, "root-copy", step_root_copy, program, READ_ONLY);
	if (!program[0])
		return 0;
	if (!options->root_is_program || strchr(program + 1, '/'))
		return refuse_noexec(plan, "outside our user namespace", err);
	plan_note(plan, "root in a tmpfs with a copy of the program, made at every start: its folder's file system is mounted noexec");
	return 0;
}

/* A /dev that is made once and cloned for each container, or the container's own. */
static int plan_dev(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	size_t at;

	if (plan_has_dev(plan, options)) {
		int rc = plan_source(plan, (struct plan_source){.path = "/dev", .template_fd = plan->dev_fd, .by_parent = true}, &at, err);

		plan_add(plan, "dev", step_dev, "null zero full random urandom tty", at);
		plan_add(plan, "bind-tmpfs", step_tmpfs_bind, "dev/shm", 0);
		return rc;
	}
	plan_add(plan, "dev-folder", step_dev_folder, "", 0);
	plan_add(plan, "bind-tmpfs", step_tmpfs_bind, "dev", MOUNT_ATTR_NOEXEC);
	for (size_t i = 0; i < DEV_NODES; i++)
		if (plan->clone_flags & CLONE_NEWUSER)
			plan_add(plan, "bind-device", step_device_bind, dev_nodes[i].path, 0);
		else
			plan_add(plan, "make-device", step_device_node, dev_nodes[i].path,
				 makedev(dev_nodes[i].major_number, dev_nodes[i].minor_number));
	plan_add(plan, "link-devices", step_device_links, "fd stdin stdout stderr", 0);
	return 0;
}

static int plan_chroot(struct container_plan *plan, const char *program, struct error *err)
{
	if (!program[0])
		return 0; /* of a probe: nothing to go to */
	if (is_noexec(plan->rootfs))
		return refuse_noexec(plan, "and there is no mount namespace to change that in", err);
	plan_add(plan, "chroot", step_chroot, plan->rootfs, 0);
	plan_note(plan, "no mount namespace: the root is writable and has no /proc, /sys, /dev");
	return 0;
}

int plan_root(struct container_plan *plan, const struct container_options *options, const char *program, struct error *err)
{
	if (!(options->namespaces & CONTAINER_NS_MOUNT))
		return plan_chroot(plan, program, err);
	/* In a user namespace of its own our copy of the mounts gets no way back to the host's, so that it need not be cut. */
	if (!(plan->clone_flags & CLONE_NEWUSER))
		plan_add(plan, "private-mounts", step_private_mounts, "/", 0);
	plan_add(plan, "tmpfs", step_tmpfs, "size=64m,nr_inodes=16384,mode=0755", MOUNT_ATTR_NOSUID);
	int rc = plan_root_mount(plan, options, program, err);

	if (rc < 0)
		return rc;
	plan_add(plan, "bind-tmpfs", step_tmpfs_bind, "run", MOUNT_ATTR_NODEV);
	plan_add(plan, "bind-tmpfs", step_tmpfs_bind, "tmp", MOUNT_ATTR_NODEV);
	if ((rc = plan_dev(plan, options, err)) < 0)
		return rc;
	/* A new proc shows the pids of the caller's namespace; without one of our own, a user namespace may only bind the host's. */
	if (plan->own_pids || !(plan->clone_flags & CLONE_NEWUSER))
		plan_add(plan, "mount", step_mount_proc, "proc", NO_USE | MOUNT_ATTR_RDONLY);
	else
		plan_add(plan, "bind", step_bind_proc, "/proc", NO_USE | MOUNT_ATTR_RDONLY);
	add_masks(plan, options, masked);
	if (options->uid == 0 && !plan->maps_ids)
		add_masks(plan, options, masked_from_root);
	if (options->namespaces & CONTAINER_NS_NET)
		plan->sys_attributes = NO_USE | MOUNT_ATTR_RDONLY;
	return 0;
}

void plan_root_enter(struct container_plan *plan, const struct container_options *options)
{
	if (!(options->namespaces & CONTAINER_NS_MOUNT))
		return;
	if (plan->sys_attributes) {
		plan_add(plan, "mount", step_attach_sys, "sys", 0);
		add_masks(plan, options, masked_sys);
	}
	plan_add(plan, "pivot", step_pivot, "old root let go of", 0);
}
