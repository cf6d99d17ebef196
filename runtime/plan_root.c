/* The steps that build a container's root: where it comes from, what is mounted into it, what is covered. */
#include "plan_build.h"
#include "steps.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
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

/* A mount of an outer user namespace keeps its noexec inside ours. Then a program without company can be copied to where it may run. */
static int plan_bare_root(struct container_plan *plan, const struct container_options *options, const char *program, struct error *err)
{
	bool locked = (plan->clone_flags & CLONE_NEWUSER && !plan->maps_ids) || plan->nested, noexec = is_noexec(plan->rootfs);
	struct plan_source source = {
		.path = plan->rootfs, .template_fd = -1, .set = READ_ONLY, .clear = noexec && !locked ? MOUNT_ATTR_NOEXEC : 0};
	size_t at;

	if (program[0] && (!locked || !noexec) && options->root != CONTAINER_ROOT_COPY) {
		int rc = plan_source(plan, source, &at, err);

		if (rc == 0)
			plan_add(plan, "root", step_root, plan->rootfs, at);
		return rc;
	}
	if (options->root == CONTAINER_ROOT_COPY && plan->maps_ids) {
		error_set(err, EINVAL, "root=copy: whoever copies has other ids by then, and cannot read %s", plan->rootfs);
		return error_hint(err, "userns=off");
	}
	plan_add(plan, "root-copy", step_root_copy, program, READ_ONLY);
	if (!program[0])
		return 0;
	if (!options->root_is_program || strchr(program + 1, '/'))
		return noexec ? refuse_noexec(plan, "outside our user namespace", err)
			      : error_set(err, EINVAL, "root=copy: only for a root that holds nothing but its program");
	if (options->root != CONTAINER_ROOT_COPY)
		plan_note(plan,
			  "root in a tmpfs with a copy of the program, made at every start: its folder's file system is mounted noexec");
	return 0;
}

bool plan_is_overlay(const struct container_options *options)
{
	return options->root == CONTAINER_ROOT_OVERLAY || options->root == CONTAINER_ROOT_UPPER || (options->layers && options->layers[0]);
}

static int add_layer(struct container_plan *plan, const char *path, uint64_t set, size_t *ret, struct error *err)
{
	bool locked = (plan->clone_flags & CLONE_NEWUSER && !plan->maps_ids) || plan->nested;
	struct plan_source source = {.path = plan_text(plan, "%s", path),
				     .template_fd = -1,
				     .set = set | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				     .clear = is_noexec(path) && !locked ? MOUNT_ATTR_NOEXEC : 0,
				     .is_folder = true};
	struct stat st;

	if (stat(path, &st) < 0)
		return error_errno(err, "layer %s", path);
	if (!S_ISDIR(st.st_mode) || path[0] != '/')
		return error_set(err, ENOTDIR, "layer %s: not the absolute path of a folder", path);
	return plan_source(plan, source, ret, err);
}

static int add_upper(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	static const char *const folders[] = {"upper", "work"};
	char path[PATH_MAX];
	struct stat st;

	if (options->root != CONTAINER_ROOT_UPPER)
		return 0;
	if (!options->upper)
		return error_set(err, EINVAL, "a root that is kept needs a folder for what is written");
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (path_format(path, sizeof(path), err, "%s/%s", options->upper, folders[i]) < 0 || lstat(path, &st) < 0 ||
		    !S_ISDIR(st.st_mode)) {
			error_set(err, ENOENT, "folder for what is written, %s: no folder '%s' in it", options->upper, folders[i]);
			return error_hint(err, "mkdir %s/%s", options->upper, folders[i]);
		}
	plan->overlay.keeps = true;
	return add_layer(plan, options->upper, 0, &plan->overlay.upper, err);
}

/* Does a tmpfs here keep user.* attributes? Our own memory is one. */
static bool tmpfs_keeps_marks(void)
{
	_cleanup_close_ int fd = memfd_create("marks", MFD_CLOEXEC);

	return fd < 0 || fsetxattr(fd, "user.overlay.mark", "y", 1, 0) == 0 || errno != EOPNOTSUPP;
}

static bool is_tmpfs(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* Where overlayfs may not use trusted.* attributes, it needs those. */
static void note_marks(struct container_plan *plan, const struct container_options *options)
{
	bool in_tmpfs = !plan->overlay.keeps || is_tmpfs(options->upper);

	if (plan->overlay.in_userns && in_tmpfs && !options->host_root[0] && !tmpfs_keeps_marks())
		plan_note(plan,
			  "folders of its layers cannot be removed or replaced in the root: a tmpfs of this kernel keeps no user.* "
			  "attributes (from Linux 6.6 on it does%s)",
			  plan->privileged && !plan->nested ? "; or userns=off" : "");
}

static int plan_overlay(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	struct plan_overlay *overlay = &plan->overlay;
	size_t at;
	int rc = add_layer(plan, plan->rootfs, MOUNT_ATTR_RDONLY, &overlay->first_layer, err);

	overlay->n_layers = 1;
	overlay->in_userns = plan->clone_flags & CLONE_NEWUSER || plan->nested;
	for (const char *const *layer = options->layers; layer && *layer && rc == 0; layer++, overlay->n_layers++)
		rc = add_layer(plan, *layer, MOUNT_ATTR_RDONLY, &at, err);
	if (rc == 0)
		rc = add_upper(plan, options, err);
	if (rc < 0)
		return rc;
	note_marks(plan, options);
	plan_add(plan, "overlay", step_overlay,
		 plan_text(plan, "%zu layer%s, written to %s", overlay->n_layers, overlay->n_layers == 1 ? "" : "s",
			   overlay->keeps ? options->upper : "the tmpfs"),
		 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	plan_add(plan, "folders", step_folders, "proc sys dev tmp run", 0);
	plan_add(plan, "etc", step_etc, plan_text(plan, "%s", options->hostname ? options->hostname : ""), 0);
	return 0;
}

static void plan_tmpfs(struct container_plan *plan, const struct container_options *options)
{
	int64_t bytes = options->tmpfs_bytes;
	const char *text = "size=64m,nr_inodes=16384,mode=0755";

	if (bytes == 0 && plan_is_overlay(options))
		bytes = INT64_C(512) << 20;
	if (bytes > 0)
		text = plan_text(plan, "size=%lld,nr_inodes=%lld,mode=0755", (long long)bytes, (long long)bytes / 4096 + 1024);
	plan_add(plan, "tmpfs", step_tmpfs, text, MOUNT_ATTR_NOSUID);
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

void plan_proc_masks(struct container_plan *plan, const struct container_options *options)
{
	add_masks(plan, options, masked);
	if (options->uid == 0 && !plan->maps_ids)
		add_masks(plan, options, masked_from_root);
}

/* A new proc shows the pids of the caller's namespace; without one of our own, a user namespace may only bind the host's. */
static void plan_proc(struct container_plan *plan, const struct container_options *options)
{
	if (options->system)
		plan_system_proc(plan, options);
	else if (plan->own_pids || !(plan->clone_flags & CLONE_NEWUSER))
		plan_add(plan, "mount", step_mount_proc, "proc", NO_USE | MOUNT_ATTR_RDONLY);
	else
		plan_add(plan, "bind", step_bind_proc, "/proc", NO_USE | MOUNT_ATTR_RDONLY);
	plan_proc_masks(plan, options);
}

int plan_root(struct container_plan *plan, const struct container_options *options, const char *program, struct error *err)
{
	if (!(options->namespaces & CONTAINER_NS_MOUNT))
		return plan_chroot(plan, program, err);
	/* In a user namespace of its own our copy of the mounts gets no way back to the host's, so that it need not be cut. */
	if (!(plan->clone_flags & CLONE_NEWUSER))
		plan_add(plan, "private-mounts", step_private_mounts, "/", 0);
	plan_tmpfs(plan, options);
	int rc = (plan_is_overlay(options) && program[0] ? plan_overlay(plan, options, err) : plan_bare_root(plan, options, program, err));

	if (rc < 0)
		return rc;
	plan_add(plan, "bind-tmpfs", step_tmpfs_bind, "run", MOUNT_ATTR_NODEV);
	plan_add(plan, "bind-tmpfs", step_tmpfs_bind, "tmp", MOUNT_ATTR_NODEV);
	if (options->system) /* what an init insists on mounting, if it is not there */
		plan_add(plan, "bind-tmpfs", step_lock_bind, "run/lock", MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	/* Before /proc, /sys and /dev: a link of the image that leads a volume there is covered by them. */
	rc = plan_volumes(plan, options, err);
	if (rc == 0)
		rc = plan_dev(plan, options, err);
	if (rc == 0)
		rc = plan_terminal(plan, options, err);
	if (rc < 0)
		return rc;
	if (!plan->is_slot)
		plan_proc(plan, options);
	if (options->namespaces & CONTAINER_NS_NET)
		plan->sys_attributes = NO_USE | MOUNT_ATTR_RDONLY;
	plan_add(plan, "pivot", step_pivot, "", 0);
	plan_add(plan, "leave-old-root", step_leave_old_root, "by a thread", 0);
	return 0;
}

void plan_root_enter(struct container_plan *plan, const struct container_options *options)
{
	if (!(options->namespaces & CONTAINER_NS_MOUNT))
		return;
	if (plan->sys_attributes) {
		plan_add(plan, "mount", step_attach_sys, "sys", 0);
		add_masks(plan, options, masked_sys);
		plan_system_groups(plan, options);
	}
	if (options->working_dir && plan_is_overlay(options))
		plan_add(plan, "make-folder", step_make_folder, plan_text(plan, "%s", options->working_dir), 0);
	if (options->root == CONTAINER_ROOT_READ_ONLY && plan_is_overlay(options))
		plan_add(plan, "read-only", step_read_only, "the root", 0);
}
