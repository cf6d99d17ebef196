/* Mounts: making the read-only writable, uncovering the covered, getting file systems of the kernel, leaving the root. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Those of <sys/mount.h>, which cannot be had beside <linux/mount.h> everywhere. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);
enum { DETACH = 2 };

#define EACH(list) (size_t i = 0; i < sizeof(list) / sizeof((list)[0]); i++)

static void remount_all(struct verdict *verdict)
{
	static const char *const places[] = {"/", "/proc", "/proc/sys", "/sys"};
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

	for
		EACH(places)
		{
			char what[64];

			snprintf(what, sizeof(what), "remount %s", places[i]);
			refused(verdict, what, mount(NULL, places[i], NULL, MS_REMOUNT | MS_BIND, NULL));
			snprintf(what, sizeof(what), "mount_setattr %s", places[i]);
			refused(verdict, what, syscall(SYS_mount_setattr, AT_FDCWD, places[i], 0, &attr, sizeof(attr)));
		}
}

void attack_remount(struct verdict *verdict)
{
	remount_all(verdict);
	no_write(verdict, "/proc/sys/kernel/core_pattern");
}

static void unmount_all(struct verdict *verdict)
{
	static const char *const places[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc", "/sys", "/dev",
					     "/tmp",        "/"};

	for
		EACH(places)
		{
			char what[64];

			snprintf(what, sizeof(what), "umount %s", places[i]);
			refused(verdict, what, umount2(places[i], DETACH));
		}
}

void attack_unmount(struct verdict *verdict)
{
	unmount_all(verdict);
}

void attack_new_mounts(struct verdict *verdict)
{
	static const char *const types[] = {"tmpfs", "proc", "sysfs", "devtmpfs", "cgroup2", "debugfs", "securityfs", "bpf", "mqueue"};

	mkdir("/tmp/m", 0700);
	for
		EACH(types)
		{
			refused(verdict, types[i], mount("none", "/tmp/m", types[i], 0, NULL));
			long fd = syscall(SYS_fsopen, types[i], 0);
			refused(verdict, "fsopen", fd);
		}
	refused(verdict, "bind", mount("/proc", "/tmp/m", NULL, MS_BIND | MS_REC, NULL));
	refused(verdict, "open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */));
}

/* The file is written with what it holds. */
static void try_release_agent(struct verdict *verdict)
{
	static const char *const controllers[] = {"memory", "rdma", "pids", "cpu", "cpuset", "devices", "freezer", "name=x"};
	char text[256];

	mkdir("/tmp/cg", 0700);
	for
		EACH(controllers)
		{
			if (mount("cgroup", "/tmp/cg", "cgroup", 0, controllers[i]) < 0) {
				saw(verdict, "mount cgroup %s: %s", controllers[i], strerror(errno));
				continue;
			}
			saw(verdict, "mount cgroup %s worked", controllers[i]);
			int fd = open("/tmp/cg/release_agent", O_WRONLY | O_CLOEXEC);
			if (read_text("/tmp/cg/release_agent", text, sizeof(text)) >= 0)
				refused(verdict, "write release_agent", write(fd, text, strlen(text) ? strlen(text) : 1));
			else
				saw(verdict, "release_agent: %s", strerror(errno));
			close(fd);
			umount2("/tmp/cg", DETACH);
		}
}

/* Runs try(verdict) as root of new namespaces, where that is possible; what it saw comes back through a pipe. */
static void in_nested(struct verdict *verdict, void (*try)(struct verdict *verdict))
{
	struct verdict inner = {.escaped = false};
	int channel[2];

	if (pipe(channel) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWIPC) < 0)
			saw(&inner, "nested namespaces: %s", strerror(errno));
		else
			try(&inner);
		_exit(write(channel[1], &inner, sizeof(inner)) != sizeof(inner));
	}
	close(channel[1]);
	if (read(channel[0], &inner, sizeof(inner)) != sizeof(inner))
		saw(verdict, "nested: the child died");
	close(channel[0]);
	waitpid(pid, NULL, 0);
	if (inner.escaped)
		broke(verdict, "nested: %s", inner.how);
	else
		saw(verdict, "nested: %s", inner.how);
}

void attack_release_agent(struct verdict *verdict)
{
	try_release_agent(verdict);
	in_nested(verdict, try_release_agent);
}

/* Hierarchies in which the container has no group of its own show the host's root group. release_agent exists there only. */
static void try_host_groups(struct verdict *verdict)
{
	static const char *const controllers[] = {"freezer", "devices", "cpuset", "blkio", "perf_event", "net_cls", "hugetlb"};

	mkdir("/tmp/hg", 0700);
	for
		EACH(controllers)
		{
			struct stat st;

			if (mount("cgroup", "/tmp/hg", "cgroup", 0, controllers[i]) < 0) {
				saw(verdict, "mount cgroup %s: %s", controllers[i], strerror(errno));
				continue;
			}
			int fd = open("/tmp/hg/cgroup.procs", O_WRONLY | O_CLOEXEC);
			if (fd >= 0 && stat("/tmp/hg/release_agent", &st) == 0)
				broke(verdict, "%s: the host's root group opens for writing", controllers[i]);
			else
				saw(verdict, "%s: mounted, %s", controllers[i], fd < 0 ? strerror(errno) : "its own group alone");
			close(fd);
			umount2("/tmp/hg", DETACH);
		}
}

void attack_host_groups(struct verdict *verdict)
{
	try_host_groups(verdict);
	in_nested(verdict, try_host_groups);
}

static void try_nested(struct verdict *verdict)
{
	remount_all(verdict);
	unmount_all(verdict);
	no_write(verdict, "/proc/sys/kernel/core_pattern");
	refused(verdict, "mknod", mknod("/tmp/nested-node", S_IFBLK | 0600, 7 << 8));
	attack_host_nodes(verdict);
	attack_masked_files(verdict);
}

void attack_nested_namespace(struct verdict *verdict)
{
	in_nested(verdict, try_nested);
}

void attack_change_root(struct verdict *verdict)
{
	struct stat st;

	mkdir("/tmp/r", 0700);
	int up = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	refused(verdict, "pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp/r"));
	int rc = chroot("/tmp/r");
	refused(verdict, "chroot", rc);
	if (rc == 0 && fchdir(up) == 0) {
		for (int i = 0; i < 64 && chdir("..") == 0; i++)
			;
		refused(verdict, "chroot back", chroot("."));
	}
	if (stat(host_text("HOST_FILE"), &st) == 0)
		broke(verdict, "%s is in sight", host_text("HOST_FILE"));
	close(up);
}

/* Stages that bend the image's folders: here is only looked whether /, /proc, /sys, /dev and /tmp are what they should be. */
static void look_around(struct verdict *verdict)
{
	static const struct {
		const char *path;
		long type;
	} places[] = {{"/proc", 0x9fa0}, {"/sys", 0x62656572}, {"/dev", 0x01021994}, {"/tmp", 0x01021994}, {"/run", 0x01021994}};
	struct statfs st;
	struct stat file;

	for
		EACH(places)
		{
			if (statfs(places[i].path, &st) < 0)
				saw(verdict, "%s: %s", places[i].path, strerror(errno));
			else if ((long)st.f_type != places[i].type)
				saw(verdict, "%s is of type %lx", places[i].path, (long)st.f_type);
		}
	if (stat(host_text("HOST_FILE"), &file) == 0)
		broke(verdict, "%s is in sight", host_text("HOST_FILE"));
	no_write(verdict, "/proc/sys/kernel/core_pattern");
	saw(verdict, "looked around");
}

void attack_root_links(struct verdict *verdict)
{
	look_around(verdict);
}

void attack_root_race(struct verdict *verdict)
{
	look_around(verdict);
}

void attack_mount_race(struct verdict *verdict)
{
	look_around(verdict);
}

void attack_terminal_race(struct verdict *verdict)
{
	struct stat st;

	if (stat("/dev/pts/ptmx", &st) < 0 || !S_ISCHR(st.st_mode))
		broke(verdict, "/dev/pts is no devpts: %s", strerror(errno));
	if (!isatty(0) || stat("/dev/console", &st) < 0 || !S_ISCHR(st.st_mode))
		saw(verdict, "no /dev/console");
	look_around(verdict);
}

/* The stage asked for a volume over /proc (and over /proc/sys): the runtime refuses, or what must be covered is covered all the same. */
void attack_mount_over_proc(struct verdict *verdict)
{
	struct statfs st;

	if (statfs("/proc/self", &st) < 0 || st.f_type != 0x9fa0)
		broke(verdict, "/proc is not the kernel's");
	attack_masked_files(verdict);
	attack_core_pattern(verdict);
}

/* Everything written goes to the upper layer; the runner looks whether the layers below are as before. */
void attack_overlay_layers(struct verdict *verdict)
{
	/* /secret and /attack lie in a layer that the runner looks at afterwards. */
	if (!write_text("/layered", "changed") || !write_text("/secret", "changed") || rename("/secret", "/moved") < 0)
		broke(verdict, "the overlay is not writable: %s", strerror(errno));
	unlink("/layered");
	if (symlink(host_text("HOST_FILE"), "/layered") < 0 || link("/attack", "/hard") < 0 || chmod("/hard", 04755) < 0)
		saw(verdict, "link: %s", strerror(errno));
	no_read(verdict, "/layered");
	refused(verdict, "whiteout by hand", mknod("/whiteout", S_IFCHR | 0600, 1 << 8 | 7));
	refused(verdict, "trusted.overlay.redirect", syscall(SYS_setxattr, "/hard", "trusted.overlay.redirect", "/../..", 6, 0));
}

/* The stage's volume shows what the container may see; the folder that holds the secret is a link's target on the host. */
void attack_source_race(struct verdict *verdict)
{
	struct stat st;

	if (stat("/mnt/secret", &st) == 0)
		broke(verdict, "the volume shows a folder of the host that a link led to");
	else
		saw(verdict, "/mnt/secret: %s", strerror(errno));
}
