/* What a plan says of places of the host that show inside: where they come from, volumes, devices, the terminal. */
#include "plan_build.h"

#include "dev.h"
#include "steps.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int plan_source(struct container_plan *plan, struct plan_source source, size_t *ret, struct error *err)
{
	if (plan->n_sources == PLAN_SOURCES_MAX)
		return error_set(err, E2BIG, "container plan: more than %d layers and mounts", PLAN_SOURCES_MAX);
	source.by_parent = source.by_parent || plan->maps_ids;
	if (source.by_parent && !plan->opens_sources)
		plan_add_parent(plan, (struct parent_step){.name = "open", .apply = parent_open_sources, .arg = "", .before_clone = true});
	plan->opens_sources |= source.by_parent;
	if (plan->maps_ids && source.template_fd < 0) {
		source.maps_ids = plan_can_map(plan, source.path);
		if (!source.maps_ids)
			plan_note(plan, "files of %.150s belong to nobody inside: its file system cannot map ids", source.path);
	}
	plan->shows_sys |= strncmp(source.path, "/sys", 4) == 0;
	*ret = plan->n_sources++;
	plan->sources[*ret] = source;
	return 0;
}

/* A path that means the same wherever it is looked up. */
static bool is_plain(const char *path)
{
	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return false;
	for (const char *part = path; part; part = strchr(part + 1, '/')) {
		size_t length = strcspn(part + 1, "/");

		if (length == 0 || (length == 1 && part[1] == '.') || (length == 2 && strncmp(part + 1, "..", 2) == 0))
			return false;
	}
	return true;
}

static bool is_below(const char *path, const char *top)
{
	size_t length = strlen(top);

	return strncmp(path, top, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static int check_volume(const struct container_mount *mount, struct stat *ret, struct error *err)
{
	static const char *const taken[] = {"/proc", "/sys", "/dev"};

	if (!is_plain(mount->target))
		return error_set(err, EINVAL, "mount target %.200s: not an absolute path without '.', '..' and empty parts", mount->target);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (is_below(mount->target, taken[i]))
			return error_set(err, EINVAL, "mount target %.200s: %s is the container's own", mount->target, taken[i]);
	if (mount->source[0] != '/')
		return error_set(err, EINVAL, "mount source %.200s: not an absolute path", mount->source);
	/* Whoever may write above it could lead a link anywhere on the host, now or before the start. */
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	_cleanup_close_ int fd = (int)syscall(SYS_openat2, AT_FDCWD, mount->source, &how, sizeof(how));
	if (fd < 0 && errno == ELOOP) {
		error_set(err, ELOOP, "mount source %.200s: there is a link on the way", mount->source);
		return error_hint(err, "give its real path: realpath %.200s", mount->source);
	}
	if (fd < 0 || fstat(fd, ret) < 0)
		return error_errno(err, "mount source %.200s", mount->source);
	return S_ISDIR(ret->st_mode) || S_ISREG(ret->st_mode) || S_ISSOCK(ret->st_mode)
		       ? 0
		       : error_set(err, EINVAL, "mount source %.200s: neither a folder, a file nor a socket", mount->source);
}

int plan_volumes(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	for (size_t i = 0; i < options->n_mounts; i++) {
		const struct container_mount *mount = &options->mounts[i];
		struct plan_source source = {.template_fd = -1,
					     .set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (mount->writable ? 0 : MOUNT_ATTR_RDONLY),
					     .recursive = true,
					     .no_links = true};
		struct stat st;
		size_t at;
		int rc = check_volume(mount, &st, err);

		source.path = plan_text(plan, "%s", mount->source);
		source.is_folder = S_ISDIR(st.st_mode);
		if (rc == 0)
			rc = plan_source(plan, source, &at, err);
		if (rc < 0)
			return rc;
		plan_add(plan, mount->writable ? "volume" : "read-only-volume", step_volume, plan_text(plan, "%s", mount->target), at);
	}
	return 0;
}

/* What of the options leads to devices, in words for an error; NULL: nothing. */
static const char *device_reach(const struct container_options *options)
{
	uint64_t given = options->capabilities_add & ~options->capabilities_drop;

	return options->devices && options->devices[0] ? "a device"
	       : given & UINT64_C(1) << CAP_MKNOD      ? "the capability mknod"
	       : given & UINT64_C(1) << CAP_SYS_RAWIO  ? "the capability sys_rawio"
						       : NULL;
}

static bool is_again(const char *const *devices, const char *const *device)
{
	while (devices < device && strcmp(*devices, *device) != 0)
		devices++;
	return devices < device;
}

/* One rule a number, whatever names it goes by. */
static int allow_device(struct cgroup_limits *limits, const char *path, const struct stat *st, struct error *err)
{
	const struct cgroup_device_rule rule = {.type = S_ISCHR(st->st_mode) ? 'c' : 'b',
						.device_major = major(st->st_rdev),
						.device_minor = minor(st->st_rdev),
						.read = true,
						.write = true};

	for (size_t i = 0; i < limits->n_devices; i++) {
		struct cgroup_device_rule *known = &limits->devices[i];

		if (known->type == rule.type && known->device_major == rule.device_major && known->device_minor == rule.device_minor) {
			known->read = known->write = true;
			return 0;
		}
	}
	if (limits->n_devices == CGROUP_DEVICES_MAX)
		return error_set(err, E2BIG, "device %.200s: more than %d devices for one container", path, CGROUP_DEVICES_MAX);
	limits->devices[limits->n_devices++] = rule;
	return 0;
}

/* The group may use what is given, and nothing else but the standard nodes. */
int plan_devices(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	struct cgroup_limits *limits = &plan->limits;

	if (device_reach(options))
		limits->devices_closed = true;
	for (const char *const *device = options->devices; device && *device; device++) {
		struct stat st;

		if (!is_plain(*device) || !is_below(*device, "/dev") || !(*device)[4])
			return error_set(err, EINVAL, "device %.200s: not a path below /dev", *device);
		if (stat(*device, &st) < 0)
			return error_errno(err, "device %.200s", *device);
		if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
			return error_set(err, ENODEV, "device %.200s: no device node", *device);
		int rc = allow_device(limits, *device, &st, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int plan_guard_devices(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	const char *reach = device_reach(options);

	plan->guards_devices = reach && !(plan->clone_flags & CLONE_NEWUSER);
	if (!plan->guards_devices || plan->tree.dir_of[CGROUP_DEVICES] >= 0)
		return 0;
	error_set(err, EPERM, "%s without a user namespace needs the cgroup controller 'devices', which %s", reach,
		  options->cgroup == CONTAINER_OFF ? "cgroup=off leaves out" : "cannot be had here");
	return plan_guard_hint(err);
}

int plan_guard_hint(struct error *err)
{
	return error_hint(
		err, "let it have a user namespace (userns=auto), which keeps it from the host's other devices as well; or give it neither "
		     "devices nor the capabilities mknod and sys_rawio");
}

/* Into a /dev of the container's own: the host's nodes, with the rights that they have. */
static int add_devices(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	for (const char *const *device = options->devices; device && *device; device++) {
		if (is_again(options->devices, device))
			continue;
		struct plan_source source = {
			.path = plan_text(plan, "%s", *device), .template_fd = -1, .set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
		size_t at;
		int rc = plan_source(plan, source, &at, err);

		if (rc < 0)
			return rc;
		plan_add(plan, "bind-device", step_volume, plan_text(plan, "%s", *device), at);
	}
	return 0;
}

static const char *dev_names(struct container_plan *plan, const struct container_options *options)
{
	const char *names = "null zero full random urandom tty";

	for (const char *const *device = options->devices; device && *device && names; device++)
		if (!is_again(options->devices, device))
			names = plan_text(plan, "%s %s", names, *device + strlen("/dev/"));
	return names;
}

/* A /dev that is made once and cloned for each container, or the container's own. */
int plan_dev(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	size_t at;

	plan->own_dev = !plan_has_dev(plan, options);
	if (!plan->own_dev) {
		int rc = plan_source(plan, (struct plan_source){.path = "/dev", .template_fd = plan->dev_fd, .by_parent = true}, &at, err);

		plan_add(plan, "dev", step_dev, dev_names(plan, options), at);
		plan_add(plan, "bind-tmpfs", step_tmpfs_bind, "dev/shm", MOUNT_ATTR_NODEV);
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
	return add_devices(plan, options, err);
}

/* Programs of an image may ask for terminals; the bare agent does not. Group 5 is "tty" on all distributions. */
int plan_terminal(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	bool has_groups = plan->maps_ids || !(plan->clone_flags & CLONE_NEWUSER);

	plan->terminal = options->terminal;
	plan->terminal_gid = has_groups && !plan->nested ? 5 : 0;
	if (!options->terminal && !plan_is_overlay(options))
		return 0;
	plan_add(plan, "devpts", step_devpts, plan->terminal_gid ? "ptmxmode=0666,mode=0620,gid=5" : "ptmxmode=0666,mode=0620", 0);
	if (!options->terminal)
		return 0;
	plan_add(plan, "terminal", step_terminal, "stdin, stdout, stderr and /dev/console", 0);
	return plan_channel(plan, err);
}
